package custody_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/custody"
)

func Example() {
	dir, err := os.MkdirTemp("", "custody")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	rootPath, storePath := filepath.Join(dir, "root.key"), filepath.Join(dir, "keystore")

	// The key ceremony. A real one uses custody.DefaultParams().
	root, err := custody.Create(rootPath, custody.Passphrase([]byte("a long passphrase"), custody.TestParams()))
	if err != nil {
		panic(err)
	}
	if err := custody.CreateKeystore(storePath, root, map[string][]byte{"signing": []byte("seed")}); err != nil {
		panic(err)
	}
	root.Wipe()

	// A node starting.
	_, err = custody.Open(rootPath, []byte("a wrong passphrase"))
	fmt.Println(err)
	root, err = custody.Open(rootPath, []byte("a long passphrase"))
	if err != nil {
		panic(err)
	}
	defer root.Wipe()
	store, err := custody.OpenKeystore(storePath, root)
	if err != nil {
		panic(err)
	}
	secret, err := store.Secret("signing")
	fmt.Printf("%s %v\n", secret, err)
	fmt.Println(root, store)
	// Output:
	// opening root key: wrong passphrase or altered root file
	// seed <nil>
	// root-key(redacted) keystore(redacted)
}
