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
	"github.com/tamga-id/tamga/node/gallery"
)

const passphrase = "correct horse battery staple"

type world struct {
	dir, file  string
	identities []*age.X25519Identity
	manifest   backup.Manifest
}

// newWorld makes a node with three subjects and a backup of it.
func newWorld(t testing.TB) world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	top := t.TempDir()
	w := world{dir: filepath.Join(top, "kaz"), file: filepath.Join(top, "kaz.backup")}
	key, err := jose.GenerateKey()
	must(err)
	_, err = node.Init(node.InitOptions{Dir: w.dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now})
	must(err)
	r, err := node.OpenRegistrar(t.Context(), filepath.Join(w.dir, node.ConfigFile), []byte(passphrase))
	must(err)
	var batch []gallery.Enrolment
	for _, value := range []string{"A1", "B2", "C3"} {
		batch = append(batch, gallery.Enrolment{Subject: pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: value},
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
	w.manifest, err = r.Backup(t.Context(), &out, to, nil)
	must(errors.Join(err, r.Close(), os.WriteFile(w.file, out.Bytes(), 0o600)))
	return w
}

func (w world) check(file string, id int) (*backup.Checked, error) {
	return backup.Check(context.Background(), file, []age.Identity{w.identities[id]}, "", nil)
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
		if err := errors.Join(c.Restore(t.Context(), made, nil), c.Audit(t.Context(), made)); err != nil {
			t.Fatal(err)
		}
		if n, err := node.OpenRestored(made, []byte(passphrase)); n != 3 || err != nil {
			t.Errorf("%d subjects, %v", n, err)
		}
		if _, err := node.OpenRestored(made, []byte("another passphrase")); err == nil {
			t.Error("another passphrase opens the gallery")
		}
		if err := c.Restore(t.Context(), made, nil); !errors.Is(err, os.ErrExist) {
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
	if _, err := backup.Check(t.Context(), w.file, []age.Identity{stranger}, "", nil); !errors.Is(err, backup.ErrIdentity) {
		t.Errorf("a stranger's identity: %v", err)
	}
}

// TestFlippedBits: wherever a bit flips, the backup is refused by the name of a part,
// and nothing is written. Where it ends early, as after kill -9, too.
func TestFlippedBits(t *testing.T) {
	w := newWorld(t)
	whole, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range w.manifest.Parts {
		names = append(names, p.Name)
	}
	names = append(names, "header", "manifest")
	bad := filepath.Join(t.TempDir(), "bad")
	refused := func(what string, at int, b []byte) {
		t.Helper()
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := w.check(bad, 0)
		p, ok := errors.AsType[*backup.PartError](err)
		switch {
		case c != nil || err == nil:
			t.Fatalf("%s at %d of %d: accepted", what, at, len(whole))
		case errors.Is(err, backup.ErrIdentity) && at < 600: // in the stanza of this recipient
		case !ok || !slices.Contains(names, p.Part):
			t.Errorf("%s at %d: %v names no part", what, at, err)
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
	configuration, err := os.ReadFile(filepath.Join(w.dir, node.EntityConfigurationFile))
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimSpace(string(configuration))
	if _, err := backup.Check(t.Context(), w.file, []age.Identity{w.identities[0]}, own, nil); err != nil {
		t.Error(err)
	}
	if _, err := backup.Check(t.Context(), other.file, []age.Identity{other.identities[0]}, own, nil); !errors.Is(err, backup.ErrSignature) {
		t.Errorf("a backup by other keys: %v", err)
	}
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
