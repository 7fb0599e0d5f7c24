// Package operatorkey makes and opens the key of an operator, an officer or a person, in a folder of its own.
package operatorkey

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
)

// Files of an operator's folder.
const (
	public       = "operator.jwk.json"
	rootFile     = "root.json"
	keystoreFile = "keystore.json"
	secretName   = "operator-key"
)

// Make makes the key of an operator, an officer or a person. list is where a configuration names it, if
// one does.
func Make(a *cli.App, dir, passphraseFile, list string) error {
	if dir == "" {
		return fault.Usage("--dir is needed: the folder to make")
	}
	pass, err := a.Passphrase(passphraseFile, "Passphrase for the new key")
	if err != nil {
		return err
	}
	defer clear(pass)
	a.WarnShort(pass)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	root, err := custody.Create(filepath.Join(dir, rootFile), custody.Passphrase(pass, custody.DefaultParams()))
	if errors.Is(err, os.ErrExist) {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: fmt.Errorf("making key: %s holds one already", dir), Hint: "use another --dir; nothing was changed"}
	}
	if err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	defer root.Wipe()
	key, err := jose.GenerateKey()
	if err == nil {
		err = custody.CreateKeystore(filepath.Join(dir, keystoreFile), root, map[string][]byte{secretName: key.Seed()})
	}
	if err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	public := filepath.Join(dir, public)
	if err := files.WriteJSON(public, key.Public()); err != nil {
		return err
	}
	if list != "" {
		a.Say("hint: copy %s to the node and name it in %s of its %s", public, list, node.ConfigFile)
	}
	return a.Emit(map[string]string{"public": public, "key_id": key.Public().KeyID()}, [][2]string{{"key", key.Public().KeyID()}, {"for the node", public}})
}

// Open opens the key in dir. What reads the passphrase is as in Make.
func Open(a *cli.App, dir, passphraseFile string) (jose.PrivateKey, error) {
	pass, err := a.Passphrase(passphraseFile, "Passphrase of the key")
	if err != nil {
		return jose.PrivateKey{}, err
	}
	root, err := custody.Open(filepath.Join(dir, rootFile), pass)
	clear(pass)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("opening key: %w", err)
	}
	defer root.Wipe()
	store, err := custody.OpenKeystore(filepath.Join(dir, keystoreFile), root)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("opening key: %w", err)
	}
	seed, err := store.Secret(secretName)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("opening key: %w", err)
	}
	defer clear(seed)
	return jose.NewPrivateKey(seed)
}
