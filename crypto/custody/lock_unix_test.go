//go:build unix

package custody_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
)

// TestTwoChangesAtATime: whoever comes while a change is under way is told so, and neither is lost.
func TestTwoChangesAtATime(t *testing.T) {
	dir := t.TempDir()
	root, err := custody.NewRoot(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keystore.json")
	if err := custody.CreateKeystore(path, root, map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	add := func(name string) func(map[string][]byte) error {
		return func(secrets map[string][]byte) error { secrets[name] = []byte("2"); return nil }
	}
	err = custody.UpdateKeystore(path, root, func(secrets map[string][]byte) error {
		if err := custody.UpdateKeystore(path, root, add("b")); !errors.Is(err, custody.ErrBusy) {
			t.Errorf("a second change: %v, want ErrBusy", err)
		}
		return add("c")(secrets)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := custody.UpdateKeystore(path, root, add("b")); err != nil {
		t.Fatal(err)
	}
	store, err := custody.OpenKeystore(path, root)
	if err != nil {
		t.Fatal(err)
	}
	if names := store.Names(); len(names) != 3 {
		t.Errorf("secrets %v, want a, b and c", names)
	}
}
