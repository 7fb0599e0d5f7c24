package node_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

// vault is a node, and who takes backups of it.
type vault struct {
	t          *testing.T
	top, dir   string
	id         age.Identity
	recipients []string
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{t: t, top: t.TempDir()}
	v.dir = filepath.Join(v.top, "kaz")
	key, err := jose.GenerateKey()
	v.must(err)
	_, err = founding.Init(founding.Options{Dir: v.dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now})
	v.must(err)
	for range 2 {
		id, err := age.GenerateX25519Identity()
		v.must(err)
		v.id, v.recipients = id, append(v.recipients, id.Recipient().String())
	}
	return v
}

func (v *vault) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) do(f func(r *registrar.Registrar)) {
	v.t.Helper()
	r := opened(v.t, v.dir)
	f(r)
	v.must(r.Close())
}

func (v *vault) enrol(names ...string) {
	v.t.Helper()
	v.do(func(r *registrar.Registrar) {
		for _, name := range names {
			_, err := r.Enrol(v.t.Context(), []gallery.Enrolment{{Subject: passport(name),
				Templates: []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: []byte("template of " + name)}}}})
			v.must(err)
		}
	})
}

// take takes a backup and a key escrow.
func (v *vault) take(name string) {
	v.t.Helper()
	v.do(func(r *registrar.Registrar) {
		var out bytes.Buffer
		_, err := node.SourceOf(r).BackUp(v.t.Context(), &out, v.recipients, nil)
		v.must(errors.Join(err, os.WriteFile(v.file(name, backup.BackupEnding), out.Bytes(), 0o600)))
		b, _, err := node.SourceOf(r).Escrow(v.t.Context(), v.recipients)
		v.must(errors.Join(err, custody.WriteFile(v.file(name, backup.EscrowEnding), b)))
	})
}

func (v *vault) file(name, ending string) string { return filepath.Join(v.top, name+ending) }

func (v *vault) rotate(retire bool) {
	v.t.Helper()
	root := openRoot(v.t, v.dir)
	defer root.Wipe()
	_, err := rotation.PrepareKey(v.dir, keystore.Roots{Node: root}, keys.KEK)
	v.must(err)
	_, err = rotation.ActivateKey(v.dir, keystore.Roots{Node: root}, keys.KEK, time.Now())
	v.must(err)
	if retire {
		v.retire()
	}
}

// rotateRoot replaces the root key, whole.
func (v *vault) rotateRoot() {
	v.t.Helper()
	root := openRoot(v.t, v.dir)
	defer root.Wipe()
	open := func(file string) (custody.Root, error) { return custody.Open(file, []byte(passphrase)) }
	_, err := rotation.PrepareRoot(v.dir, custody.KindPassphrase, custody.Passphrase([]byte(passphrase), custody.TestParams()), false)
	v.must(err)
	_, err = rotation.ActivateRoot(v.dir, root, open)
	v.must(err)
	next := openRoot(v.t, v.dir)
	defer next.Wipe()
	_, err = rotation.RetireRoot(v.dir, next)
	v.must(err)
}

func (v *vault) retire() {
	v.t.Helper()
	root := openRoot(v.t, v.dir)
	defer root.Wipe()
	_, err := rotation.RetireKey(v.t.Context(), filepath.Join(v.dir, node.ConfigFile), keystore.Roots{Node: root}, keys.KEK, nil)
	v.must(err)
}

// restore makes a folder of a backup and a key escrow, with everything that anybody could
// bring.
func (v *vault) restore(archive, escrow string) (string, error) {
	v.t.Helper()
	c, err := backup.Check(v.t.Context(), v.file(archive, backup.BackupEnding), []age.Identity{v.id}, backup.Signer{}, nil)
	v.must(err)
	e, err := backup.OpenEscrow(v.file(escrow, backup.EscrowEnding), []age.Identity{v.id}, backup.Signer{})
	v.must(err)
	made := filepath.Join(v.t.TempDir(), "elsewhere", "made")
	_, err = folder.Restore(v.t.Context(), c, e, made, "", nil)
	return made, err
}

// read is the finger template of somebody in a restored folder, nil for nobody.
func (v *vault) read(dir, name string) ([]byte, error) {
	v.t.Helper()
	root := openRoot(v.t, dir)
	defer root.Wipe()
	g, err := node.OpenGallery(dir, keystore.Roots{Node: root})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	refs, err := g.References(passport(name), "finger")
	if err != nil {
		return nil, err
	}
	defer refs.Close()
	var data []byte
	err = refs.Each(func(t gallery.Template) error {
		data = bytes.Clone(t.Data)
		return nil
	})
	return data, err
}

// TestErasedForGood: a backup from before an erasure, together with the key escrow of
// today, the root passphrase and an age identity, does not open who was erased, once the
// KEK of then was retired. With the escrow of then it does: that one has to be destroyed.
func TestErasedForGood(t *testing.T) {
	v := newVault(t)
	v.enrol("ERASED", "LIVING")
	v.take("before")
	v.do(func(r *registrar.Registrar) {
		_, err := r.Erase(t.Context(), passport("ERASED"))
		v.must(err)
	})
	v.rotate(false)
	v.rotateRoot()
	v.take("overlap")

	// As long as the KEK lives the old backup opens with the escrow of today.
	made, err := v.restore("before", "overlap")
	v.must(err)
	for _, name := range []string{"ERASED", "LIVING"} {
		if got, err := v.read(made, name); string(got) != "template of "+name || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	v.retire()
	v.take("after")

	_, err = v.restore("before", "after")
	if e, ok := errors.AsType[*backup.KeysError](err); !ok || !errors.Is(err, backup.ErrExpired) || e.Destroyed.String() != "kek 1" {
		t.Errorf("restored with keys that were destroyed: %v", err)
	}
	// Nor by who does not ask Restore.
	made, err = v.restore("before", "overlap")
	v.must(err)
	today, err := v.restore("after", "after")
	v.must(err)
	for _, name := range []string{"root.json", "keystore.json"} {
		b, err := os.ReadFile(filepath.Join(today, name))
		v.must(errors.Join(err, os.WriteFile(filepath.Join(made, name), b, 0o600)))
	}
	for _, name := range []string{"ERASED", "LIVING"} {
		if got, err := v.read(made, name); err == nil || got != nil {
			t.Errorf("%s: the backup opens under keys of today: %q", name, got)
		}
	}
	if got, err := v.read(today, "LIVING"); string(got) != "template of LIVING" || err != nil {
		t.Errorf("%q, %v", got, err)
	}

	// The remaining limit: who kept the escrow of then.
	made, err = v.restore("before", "before")
	v.must(err)
	if got, err := v.read(made, "ERASED"); string(got) != "template of ERASED" || err != nil {
		t.Errorf("with the escrow of then: %q, %v", got, err)
	}
	// An escrow from before the backup.
	if _, err := v.restore("after", "before"); !errors.Is(err, backup.ErrEarlier) {
		t.Errorf("with an earlier escrow: %v", err)
	}
}
