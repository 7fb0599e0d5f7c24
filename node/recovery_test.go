package node_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
)

const passphrase = "correct horse battery staple"

func passport(value string) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: value}
}

// escrowOf takes the key escrow and opens it.
func escrowOf(t *testing.T, r *registrar.Registrar, recipients []string, id age.Identity) *backup.Escrow {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kaz.tamga-escrow")
	b, _, err := node.SourceOf(r).Escrow(t.Context(), recipients)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := backup.OpenEscrow(file, []age.Identity{id}, backup.Signer{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func openRestored(t *testing.T, dir string) (int64, error) {
	t.Helper()
	root := openRoot(t, dir)
	defer root.Wipe()
	return folder.OpenRestored(context.Background(), dir, keystore.Roots{Node: root})
}

// TestRestoreErasesAgain: who was erased after the backup is not served out of it.
func TestRestoreErasesAgain(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	top := t.TempDir()
	dir, file := filepath.Join(top, "kaz"), filepath.Join(top, "kaz.backup")
	key, err := jose.GenerateKey()
	must(err)
	_, err = founding.Init(founding.Options{Dir: dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now})
	must(err)
	r, err := registrar.Open(t.Context(), filepath.Join(dir, node.ConfigFile), []byte(passphrase))
	must(err)
	for _, value := range []string{"A1", "B2", "C3"} {
		_, err := r.Enrol(t.Context(), []gallery.Enrolment{{Subject: passport(value),
			Templates: []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: []byte("template of " + value)}}}})
		must(err)
	}
	_, err = r.Gallery.Erase(t.Context(), passport("A1"))
	must(err)
	id, err := age.GenerateX25519Identity()
	must(err)
	other, err := age.GenerateX25519Identity()
	must(err)
	var out bytes.Buffer
	recipients := []string{id.Recipient().String(), other.Recipient().String()}
	_, err = node.SourceOf(r).BackUp(t.Context(), &out, recipients, nil)
	must(err)
	escrow := escrowOf(t, r, recipients, id)
	must(errors.Join(err, os.WriteFile(file, out.Bytes(), 0o600)))
	_, err = r.Gallery.Erase(t.Context(), passport("B2"))
	must(errors.Join(err, r.Close()))

	c, err := backup.Check(t.Context(), file, []age.Identity{id}, backup.Signer{}, nil)
	must(err)
	list := erasure.File(filepath.Join(dir, "data", "gallery"))
	for name, want := range map[string]struct {
		erasures string
		subjects int64
	}{"with-list": {list, 1}, "beside-the-copy": {"", 1}, "elsewhere/with-list": {list, 1}, "another-place/without": {"", 2}} {
		made := filepath.Join(top, name)
		_, err := folder.Restore(t.Context(), c, escrow, made, want.erasures, nil)
		must(err)
		if n, err := openRestored(t, made); n != want.subjects || err != nil {
			t.Errorf("%s: %d subjects, %v; want %d", name, n, err, want.subjects)
		}
		if _, err := registrar.Open(t.Context(), filepath.Join(made, node.ConfigFile), []byte(passphrase)); !errors.Is(err, gap.ErrRecovery) {
			t.Errorf("%s: opens although it is in recovery: %v", name, err)
		}
	}
	// One that is lost, ends inside an entry, or is somebody else's.
	b, err := os.ReadFile(list)
	must(err)
	for name, list := range map[string][]byte{"foreign": bytes.Repeat([]byte{7}, len(b)), "empty": nil, "cut": b[:len(b)-1]} {
		bad := filepath.Join(top, name+"-list")
		must(os.WriteFile(bad, list, 0o600))
		if _, err := folder.Restore(t.Context(), c, escrow, filepath.Join(top, name), bad, nil); !errors.Is(err, folder.ErrErasures) {
			t.Errorf("%s list: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(top, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s list: the folder was made: %v", name, err)
		}
	}
}
