package backup_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
)

const passphrase = "correct horse battery staple"

type world struct {
	dir, file  string
	escrow     string
	identities []*age.X25519Identity
	manifest   backup.Manifest
}

// newWorld makes a node with three subjects and a backup of it.
func newWorld(t testing.TB) world {
	t.Helper()
	return newWorldOf(t, "https://kaz.example", "KAZ")
}

func newWorldOf(t testing.TB, entity, country string) world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	top := t.TempDir()
	w := world{dir: filepath.Join(top, "kaz"), file: filepath.Join(top, "kaz.tamga-backup"), escrow: filepath.Join(top, "kaz.tamga-escrow")}
	key, err := jose.GenerateKey()
	must(err)
	_, err = founding.Init(founding.Options{Dir: w.dir, EntityID: entity, Jurisdiction: country, Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now})
	must(err)
	r, err := registrar.Open(t.Context(), filepath.Join(w.dir, node.ConfigFile), []byte(passphrase))
	must(err)
	var batch []gallery.Enrolment
	for _, value := range []string{"A1", "B2", "C3"} {
		batch = append(batch, gallery.Enrolment{Subject: pseudonym.Identifier{Jurisdiction: country, Type: pseudonym.IDPassport, Value: value},
			Templates: []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: []byte("template of " + value)}}})
	}
	_, err = r.Enrol(t.Context(), batch)
	must(err)
	var to []string
	for range 2 {
		id, err := age.GenerateX25519Identity()
		must(err)
		w.identities, to = append(w.identities, id), append(to, id.Recipient().String())
	}
	var out bytes.Buffer
	w.manifest, err = node.SourceOf(r).BackUp(t.Context(), &out, to, nil)
	must(err)
	keys, _, err := node.SourceOf(r).Escrow(t.Context(), to)
	must(errors.Join(err, r.Close(), os.WriteFile(w.file, out.Bytes(), 0o600), os.WriteFile(w.escrow, keys, 0o600)))
	return w
}

func (w world) open(t testing.TB, id int) *backup.Escrow {
	t.Helper()
	e, err := backup.OpenEscrow(w.escrow, []age.Identity{w.identities[id]}, backup.Signer{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// openRestored opens the gallery of a restored folder.
func openRestored(dir, passphrase string) (int64, error) {
	root, err := keystore.OpenRoot(dir, []byte(passphrase), time.Now())
	if err != nil {
		return 0, err
	}
	defer root.Wipe()
	return folder.OpenRestored(context.Background(), dir, keystore.Roots{Node: root})
}

func (w world) check(file string, id int) (*backup.Checked, error) {
	return backup.Check(context.Background(), file, []age.Identity{w.identities[id]}, backup.Signer{}, nil)
}

// TestUnreadable: a gallery that opens, and of which nobody can be read with the keys that
// go with it, is not sound.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	c, err := w.check(w.file, 0)
	if err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(t.TempDir(), "made")
	if err := c.Restore(t.Context(), made, w.open(t, 0), nil); err != nil {
		t.Fatal(err)
	}
	root, err := keystore.OpenRoot(made, []byte(passphrase), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Wipe()
	err = custody.UpdateKeystore(filepath.Join(made, "keystore.json"), root, func(secrets map[string][]byte) error {
		secrets["kek/1"] = bytes.Repeat([]byte{1}, 32)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := openRestored(made, passphrase); !errors.Is(err, gallery.ErrDamaged) || !strings.Contains(err.Error(), "of 3 subjects 3 ") {
		t.Errorf("%d subjects, %v; want ErrDamaged", n, err)
	}
}

// TestRestore: either recipient gets back everything, and without the passphrase
// nothing that says who is enrolled.
func TestRestore(t *testing.T) {
	w := newWorld(t)
	for id := range w.identities {
		c, err := w.check(w.file, id)
		if err != nil {
			t.Fatal(err)
		}
		made := filepath.Join(t.TempDir(), "made")
		if err := errors.Join(c.Restore(t.Context(), made, w.open(t, id), nil), c.Audit(t.Context(), made)); err != nil {
			t.Fatal(err)
		}
		if n, err := openRestored(made, passphrase); n != 3 || err != nil {
			t.Errorf("%d subjects, %v", n, err)
		}
		if _, err := openRestored(made, "another passphrase"); err == nil {
			t.Error("another passphrase opens the gallery")
		}
		if err := c.Restore(t.Context(), made, nil, nil); !errors.Is(err, os.ErrExist) {
			t.Errorf("restoring over a node: %v", err)
		}
		for _, secret := range []string{node.TokenFile, node.EnrolTokenFile} {
			if _, err := os.Stat(filepath.Join(made, secret)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is in the backup: %v", secret, err)
			}
		}
	}
	if w.manifest.Subjects != 3 || w.manifest.Ledger().Size != 2 {
		t.Errorf("%d subjects, %d entries; want 3, and 2: the enrolment and the backup", w.manifest.Subjects, w.manifest.Ledger().Size)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Check(t.Context(), w.file, []age.Identity{stranger}, backup.Signer{}, nil); !errors.Is(err, backup.ErrIdentity) {
		t.Errorf("a stranger's identity: %v", err)
	}
	if _, err := backup.OpenEscrow(w.escrow, []age.Identity{stranger}, backup.Signer{}); !errors.Is(err, backup.ErrIdentity) {
		t.Errorf("a stranger's identity: %v", err)
	}
	if _, err := w.check(w.escrow, 0); !errors.Is(err, backup.ErrKind) {
		t.Errorf("a key escrow for a backup: %v", err)
	}
	if _, err := backup.OpenEscrow(w.file, []age.Identity{w.identities[0]}, backup.Signer{}); !errors.Is(err, backup.ErrKind) {
		t.Errorf("a backup for a key escrow: %v", err)
	}
}

// TestFlippedBits: wherever a bit flips, the file is refused by the name of a part, and
// nothing is written; without an identity it is refused, too. Where it ends early, as after
// kill -9, likewise.
func TestFlippedBits(t *testing.T) {
	w := newWorld(t)
	names := []string{"header", "manifest", "label", "file/root.json", "file/keystore.json"}
	for _, p := range w.manifest.Parts {
		names = append(names, p.Name)
	}
	ids := []age.Identity{w.identities[0]}
	flipped(t, w, w.file, names, func(file string) (bool, error) {
		c, err := backup.Check(t.Context(), file, ids, backup.Signer{}, nil)
		return c != nil, err
	})
	flipped(t, w, w.escrow, names, func(file string) (bool, error) {
		e, err := backup.OpenEscrow(file, ids, backup.Signer{})
		return e != nil, err
	})
}

func flipped(t *testing.T, w world, file string, names []string, open func(string) (bool, error)) {
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	by := backup.Signer{Configuration: w.configuration(t)}
	if _, _, err := backup.Inspect(file, by); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad")
	refused := func(what string, at int, b []byte) {
		t.Helper()
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		accepted, err := open(bad)
		p, ok := errors.AsType[*backup.PartError](err)
		switch {
		case accepted || err == nil:
			t.Fatalf("%s at %d of %d: accepted", what, at, len(whole))
		case errors.Is(err, backup.ErrIdentity) && at < 600: // in the stanza of this recipient
		case errors.Is(err, backup.ErrSignature) && at > len(whole)-1500: // in the label
		case !ok || !slices.Contains(names, p.Part):
			t.Errorf("%s at %d: %v names no part", what, at, err)
		}
		if _, _, err := backup.Inspect(bad, by); !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrSignature) && !errors.Is(err, backup.ErrForeign) {
			t.Errorf("%s at %d: without an identity: %v", what, at, err)
		}
	}
	step := max(1, len(whole)/150)
	for at := 0; at < len(whole); at += step {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		refused("flip", at, b)
		refused("cut", at, whole[:at])
	}
	refused("more", len(whole), append(bytes.Clone(whole), 0))
}

// TestForgery: who knows the recipients can encrypt anything to them, but not sign it.
func TestForgery(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	own := w.configuration(t)
	if _, err := backup.Check(t.Context(), w.file, []age.Identity{w.identities[0]}, backup.Signer{Configuration: own}, nil); err != nil {
		t.Error(err)
	}
	if _, err := backup.Check(t.Context(), other.file, []age.Identity{other.identities[0]}, backup.Signer{Configuration: own}, nil); !errors.Is(err, backup.ErrSignature) {
		t.Errorf("a backup by other keys: %v", err)
	}
	if _, err := backup.OpenEscrow(other.escrow, []age.Identity{other.identities[0]}, backup.Signer{Configuration: own}); !errors.Is(err, backup.ErrSignature) {
		t.Errorf("a key escrow by other keys: %v", err)
	}
	if _, _, err := backup.Inspect(other.file, backup.Signer{Configuration: own}); !errors.Is(err, backup.ErrSignature) {
		t.Errorf("a label by other keys: %v", err)
	}
}

func (w world) configuration(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, node.EntityConfigurationFile))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestRecipients(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	one := id.Recipient().String()
	for _, texts := range [][]string{nil, {one}, {one, one}, {one, "age1nonsense"}, {one, id.String()}} {
		if _, err := backup.ParseRecipients(texts); !errors.Is(err, backup.ErrRecipients) {
			t.Errorf("%d recipients: %v", len(texts), err)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Error("the error quotes an identity")
		}
	}
}
