package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
	"github.com/tamga-id/tamga/node/stores"
)

const apartPassphrase = "of the other keystore"

// apartWorld is a node with one person, and where its pseudonym keystore is or will be.
type apartWorld struct {
	t                     *testing.T
	top, dir, usb, config string
}

func newApart(t *testing.T, made bool) apartWorld {
	t.Helper()
	top := t.TempDir()
	w := apartWorld{t, top, filepath.Join(top, "kaz"), filepath.Join(top, "usb", "kaz"), filepath.Join(top, "kaz", node.ConfigFile)}
	key, err := jose.GenerateKey()
	w.must(err)
	o := founding.Options{Dir: w.dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now}
	if made {
		o.Pseudonym = w.keystore()
	}
	_, err = founding.Init(o)
	w.must(err)
	roots := w.roots(made)
	defer roots.Wipe()
	r, err := registrar.OpenUnsealed(t.Context(), w.config, roots)
	w.must(err)
	_, err = r.Enrol(t.Context(), []gallery.Enrolment{{Subject: passport("A1"),
		Templates: []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: []byte("template")}}}})
	w.must(errors.Join(err, r.Close()))
	return w
}

func (w apartWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w apartWorld) keystore() keystore.PseudonymKeystore {
	return keystore.PseudonymKeystore{Dir: w.usb, Passphrase: []byte(apartPassphrase), Custody: custody.TestParams()}
}

// roots opens one root key, or both.
func (w apartWorld) roots(both bool) (r keystore.Roots) {
	w.t.Helper()
	var err error
	r.Node, err = custody.Open(keystore.RootFile(w.dir), []byte(passphrase))
	w.must(err)
	if both {
		r.PseudonymDir = w.usb
		r.Pseudonym, err = custody.Open(keystore.RootFile(w.usb), []byte(apartPassphrase))
		w.must(err)
	}
	return r
}

func (w apartWorld) move() error {
	roots := w.roots(false)
	defer roots.Wipe()
	return keystore.MovePseudonymKey(w.t.Context(), w.config, roots.Node, w.keystore(), func(dir string) (custody.Root, error) {
		return custody.Open(keystore.RootFile(dir), []byte(apartPassphrase))
	}, stores.Hold)
}

// finds fails unless the person is found with both keystores.
func (w apartWorld) finds() {
	w.t.Helper()
	roots := w.roots(true)
	defer roots.Wipe()
	r, err := registrar.OpenUnsealed(w.t.Context(), w.config, roots)
	w.must(err)
	refs, err := r.Gallery.References(passport("A1"), "finger")
	w.must(err)
	if !refs.Known || refs.Len() != 1 {
		w.t.Error("the person is not found")
	}
	refs.Close()
	w.must(r.Close())
}

// testable reports whether a thief with these secrets and the database finds out that
// the person is enrolled.
func (w apartWorld) testable(secrets map[string][]byte) bool {
	w.t.Helper()
	for _, secret := range secrets {
		k, err := pseudonym.NewKey(secret)
		if err != nil {
			continue // of another length
		}
		p, err := k.Pseudonym(passport("A1"))
		w.must(err)
		if w.stored(p) {
			return true
		}
	}
	return false
}

// stored reports whether the pseudonym is in the database.
func (w apartWorld) stored(p pseudonym.Pseudonym) (found bool) {
	w.t.Helper()
	db, err := store.OpenBadger(filepath.Join(w.dir, "data", "gallery"))
	w.must(err)
	w.must(db.View(func(r store.Reader) error {
		for row, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			found = found || bytes.Contains(row.Key, p[:])
		}
		return nil
	}))
	w.must(db.Close())
	return found
}

func (w apartWorld) open(dir string, root custody.Root) map[string][]byte {
	w.t.Helper()
	k, err := custody.OpenKeystore(filepath.Join(dir, "keystore.json"), root)
	w.must(err)
	out := make(map[string][]byte)
	for _, name := range k.Names() {
		out[name], err = k.Secret(name)
		w.must(err)
	}
	return out
}

// TestWhoTestsIdentifiers shows what the README says that an attacker gains: with the
// folder and what opens its root key, with the pseudonym keystore too, and with everything
// in one keystore.
func TestWhoTestsIdentifiers(t *testing.T) {
	for name, apart := range map[string]bool{"together": false, "apart": true} {
		t.Run(name, func(t *testing.T) {
			w := newApart(t, apart)
			roots := w.roots(apart)
			defer roots.Wipe()
			here := w.open(w.dir, roots.Node)
			if got := w.testable(here); got != !apart {
				t.Errorf("database and root key: tests identifiers %v, want %v", got, !apart)
			}
			r, err := registrar.OpenUnsealed(t.Context(), w.config, keystore.Roots{Node: roots.Node})
			if err == nil {
				w.must(r.Close())
			}
			if got := errors.Is(err, keystore.ErrPseudonymKey); got != apart {
				t.Errorf("opened with the root key alone: %v", err)
			}
			if !apart {
				return
			}
			if !w.testable(w.open(w.usb, roots.Pseudonym)) {
				t.Error("database and pseudonym key: tests no identifier, so the test above says nothing")
			}
			if _, err := custody.OpenKeystore(filepath.Join(w.usb, "keystore.json"), roots.Node); !errors.Is(err, custody.ErrRoot) {
				t.Errorf("the root key opens the pseudonym keystore: %v", err)
			}
			w.finds()
		})
	}
}

// TestWhoTestsIdentifiersOfHolders: neither all of the node nor one holder tests an
// identifier when holders have the key; two of them, whose shares are put together, do.
func TestWhoTestsIdentifiersOfHolders(t *testing.T) {
	w := newApart(t, false)
	roots := w.roots(false)
	defer roots.Wipe()
	client, err := keystore.HolderClient(w.dir, roots.Node)
	w.must(err)
	committee, folders := w.holders(3, client.Public().(ed25519.PublicKey))
	file := filepath.Join(w.top, "committee.json")
	w.must(os.WriteFile(file, committee.Encode(), 0o644))
	text, err := os.ReadFile(w.config)
	w.must(err)
	w.must(os.WriteFile(w.config, append(text, "pseudonym:\n  holders: "+file+"\n"...), 0o644))
	if n, replaced, err := rotation.PreparePseudonymHolders(w.config, roots); n != 2 || replaced || err != nil {
		t.Fatalf("prepared %d, %v", n, err)
	}
	_, err = rotation.ActivateKey(w.dir, roots, keys.Pseudonym, time.Now())
	w.must(err)
	gone, err := rotation.RetireKey(t.Context(), w.config, roots, keys.Pseudonym, nil)
	if err != nil || len(gone) != 1 {
		t.Fatalf("retired %v, %v", gone, err)
	}
	r, err := registrar.OpenUnsealed(t.Context(), w.config, roots)
	w.must(err)
	refs, err := r.Gallery.References(passport("A1"), "finger")
	w.must(err)
	if !refs.Known || refs.Len() != 1 {
		t.Error("the person is not found")
	}
	refs.Close()
	w.must(r.Close())
	if w.testable(w.open(w.dir, roots.Node)) {
		t.Error("database and root key test identifiers")
	}
	var shares []pseudonym.Key
	for _, dir := range folders {
		root, err := custody.Open(filepath.Join(dir, holder.RootFile), []byte(apartPassphrase))
		w.must(err)
		secrets := w.open(dir, root)
		root.Wipe()
		if w.testable(secrets) {
			t.Error("one holder and the database test identifiers")
		}
		k, err := pseudonym.NewShare(secrets["share"])
		w.must(err)
		p, err := k.Pseudonym(passport("A1"))
		w.must(err)
		if w.stored(p) {
			t.Error("one share gives the pseudonym")
		}
		shares = append(shares, k)
	}
	terms, err := committee.Terms()
	w.must(err)
	both, err := pseudonym.NewShared(terms, func(n int, request []byte) ([]byte, error) {
		if n == 1 {
			return nil, errors.New("not stolen")
		}
		return shares[n-1].Evaluate(request)
	}, nil)
	w.must(err)
	p, err := both.Pseudonym(passport("A1"))
	w.must(err)
	if !w.stored(p) {
		t.Error("two holders and the database test no identifier, so the tests above say nothing")
	}
	if _, err := rotation.PrepareKey(w.dir, roots, keys.Pseudonym); !errors.Is(err, pseudonym.ErrShared) {
		t.Errorf("prepared another key: %v", err)
	}
}

// TestReplaceHolders replaces the key that holders have by its multiple: the person is found
// at every step and after a crash in between, and two shares stolen before test nothing
// afterwards.
func TestReplaceHolders(t *testing.T) {
	w := newApart(t, false)
	roots := w.roots(false)
	defer roots.Wipe()
	client, err := keystore.HolderClient(w.dir, roots.Node)
	w.must(err)
	committee, folders := w.holders(3, client.Public().(ed25519.PublicKey))
	file := filepath.Join(w.dir, "pseudonym-holders.json")
	w.must(os.WriteFile(file, committee.Encode(), 0o644))
	text, err := os.ReadFile(w.config)
	w.must(err)
	w.must(os.WriteFile(w.config, append(text, "pseudonym:\n  holders: pseudonym-holders.json\n"...), 0o644))
	finds := func() {
		t.Helper()
		r, err := registrar.OpenUnsealed(t.Context(), w.config, roots)
		w.must(err)
		refs, err := r.Gallery.References(passport("A1"), "finger")
		w.must(err)
		if !refs.Known || refs.Len() != 1 {
			t.Error("the person is not found")
		}
		refs.Close()
		w.must(r.Close())
	}
	_, _, err = rotation.PreparePseudonymHolders(w.config, roots)
	w.must(err)
	_, err = rotation.ActivateKey(w.dir, roots, keys.Pseudonym, time.Now())
	w.must(err)
	finds()
	_, err = rotation.RetireKey(t.Context(), w.config, roots, keys.Pseudonym, nil)
	w.must(err)
	finds()
	stolen := map[int]pseudonym.Key{}
	for n, dir := range folders[1:] {
		root, err := custody.Open(filepath.Join(dir, holder.RootFile), []byte(apartPassphrase))
		w.must(err)
		stolen[n+2], err = pseudonym.NewShare(w.open(dir, root)["share"])
		w.must(err)
		root.Wipe()
	}

	n, replaced, err := rotation.PreparePseudonymHolders(w.config, roots)
	if n != 3 || !replaced || err != nil {
		t.Fatalf("prepared %d, replaced %v, %v", n, replaced, err)
	}
	finds()
	if _, err := rotation.ActivateKey(w.dir, roots, keys.Pseudonym, time.Now()); !errors.Is(err, pseudonym.ErrHolders) {
		t.Errorf("activated before the holders have it: %v", err)
	}
	w.must(os.Remove(filepath.Join(w.dir, keystore.ReplacementFile))) // lost: it is made again
	if n, replaced, err := rotation.PreparePseudonymHolders(w.config, roots); n != 3 || !replaced || !errors.Is(err, keys.ErrPrepared) {
		t.Errorf("prepared again %d, %v, %v", n, replaced, err)
	}
	b, err := os.ReadFile(filepath.Join(w.dir, keystore.ReplacementFile))
	w.must(err)
	node, err := keystore.HolderClient(w.dir, roots.Node)
	w.must(err)
	r, err := holder.ParseReplacement(b, []ed25519.PublicKey{node.Public().(ed25519.PublicKey)})
	w.must(err)
	var next holder.Committee
	for _, dir := range folders {
		if err := rotation.EveryHolderReady(w.dir, roots); !errors.Is(err, pseudonym.ErrHolders) {
			t.Errorf("every holder has it, before %s has: %v", filepath.Base(dir), err)
		}
		root, err := custody.Open(filepath.Join(dir, holder.RootFile), []byte(apartPassphrase))
		w.must(err)
		f, err := holder.OpenFolder(dir, root)
		w.must(err)
		root.Wipe()
		next, err = f.Replace(r)
		w.must(err)
		f.Close()
	}
	w.must(rotation.EveryHolderReady(w.dir, roots))
	finds()
	_, err = rotation.ActivateKey(w.dir, roots, keys.Pseudonym, time.Now())
	w.must(err)
	// As after a crash between the committee's file and the keystore.
	w.must(os.WriteFile(file, next.Encode(), 0o644))
	finds()
	w.must(os.WriteFile(file, committee.Encode(), 0o644))
	finds()
	if _, err := rotation.RetireKey(t.Context(), w.config, roots, keys.Pseudonym, nil); err != nil {
		t.Fatal(err)
	}
	finds()
	if b, err = os.ReadFile(file); err != nil || !bytes.Equal(b, next.Encode()) {
		t.Errorf("the committee's file is of the key before, %v", err)
	}
	for name := range w.open(w.dir, roots.Node) {
		if strings.HasPrefix(name, "pseudonym-factor") {
			t.Error("the factor is still there")
		}
	}
	terms, err := committee.Terms()
	w.must(err)
	thief, err := pseudonym.NewShared(terms, func(n int, request []byte) ([]byte, error) {
		if k, ok := stolen[n]; ok {
			return k.Evaluate(request)
		}
		return nil, errors.New("not stolen")
	}, nil)
	w.must(err)
	p, err := thief.Pseudonym(passport("A1"))
	w.must(err)
	if w.stored(p) {
		t.Error("shares stolen before the replacement test identifiers")
	}
}

// holders makes holders that answer the client until the test ends.
func (w apartWorld) holders(n int, client ed25519.PublicKey) (c holder.Committee, dirs []string) {
	w.t.Helper()
	var folders []*holder.Folder
	var cards []holder.Card
	var listeners []net.Listener
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		w.must(err)
		dir := filepath.Join(w.top, fmt.Sprint("holder", i))
		_, err = holder.Make(dir, fmt.Sprint("h", i), l.Addr().String(), custody.Passphrase([]byte(apartPassphrase), custody.TestParams()))
		w.must(err)
		root, err := custody.Open(filepath.Join(dir, holder.RootFile), []byte(apartPassphrase))
		w.must(err)
		f, err := holder.OpenFolder(dir, root)
		root.Wipe()
		w.must(err)
		folders, cards, listeners, dirs = append(folders, f), append(cards, f.Card()), append(listeners, l), append(dirs, dir)
	}
	var dealings []holder.Dealing
	for _, f := range folders {
		d, err := f.Deal(2, cards)
		w.must(err)
		dealings = append(dealings, d)
	}
	// Holders look into their keystores no more than once a second, which is over each time.
	var mu sync.Mutex
	at := time.Unix(0, 0)
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(2 * time.Second)
		return at
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	for i, f := range folders {
		var err error
		c, err = f.Join(dealings)
		w.must(err)
		serving.Go(func() {
			if err := f.Serve(ctx, listeners[i], holder.Options{Clients: []ed25519.PublicKey{client}, Now: now, Log: slog.New(slog.DiscardHandler)}); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(func() {
		stop()
		serving.Wait()
		for _, f := range folders {
			f.Close()
		}
	})
	return c, dirs
}

// TestMoveCutOff cuts a move off after each of its steps, of which every one is whole or
// not done, and does it again.
func TestMoveCutOff(t *testing.T) {
	for name, cut := range map[string]func(w apartWorld, before map[string][]byte){
		"root-file": func(w apartWorld, before map[string][]byte) {
			w.restore(before)
			w.must(os.Remove(filepath.Join(w.usb, "keystore.json")))
		},
		"keystore": func(w apartWorld, before map[string][]byte) { w.restore(before) },
		"configuration": func(w apartWorld, before map[string][]byte) {
			w.must(os.WriteFile(w.config, before[node.ConfigFile], 0o644))
		},
		"whole": func(apartWorld, map[string][]byte) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newApart(t, false)
			before := map[string][]byte{}
			for _, name := range []string{node.ConfigFile, "keystore.json"} {
				b, err := os.ReadFile(filepath.Join(w.dir, name))
				w.must(err)
				before[name] = b
			}
			w.must(w.move())
			cut(w, before)
			w.must(w.move())
			w.finds()
			roots := w.roots(true)
			defer roots.Wipe()
			if w.testable(w.open(w.dir, roots.Node)) {
				t.Error("the key is still in the node's keystore")
			}
		})
	}
}

func (w apartWorld) restore(files map[string][]byte) {
	w.t.Helper()
	for name, b := range files {
		w.must(os.WriteFile(filepath.Join(w.dir, name), b, 0o600))
	}
}

// TestForeignPseudonymKeystore: neither another node's keystore nor one of a key that
// people do not lie under is taken.
func TestForeignPseudonymKeystore(t *testing.T) {
	w, other := newApart(t, true), newApart(t, true)
	roots, theirs := w.roots(true), other.roots(true)
	defer roots.Wipe()
	defer theirs.Wipe()
	swapped := keystore.Roots{Node: roots.Node, Pseudonym: theirs.Pseudonym, PseudonymDir: other.usb}
	if _, err := registrar.OpenUnsealed(t.Context(), w.config, swapped); !errors.Is(err, keystore.ErrForeignPseudonymKey) {
		t.Errorf("another node's keystore: %v", err)
	}
	if _, err := rotation.PrepareKey(w.dir, swapped, keys.Pseudonym); !errors.Is(err, keystore.ErrForeignPseudonymKey) {
		t.Errorf("rotating in another node's keystore: %v", err)
	}
	here := newApart(t, false)
	unmoved := keystore.Roots{Node: here.roots(false).Node, Pseudonym: theirs.Pseudonym, PseudonymDir: other.usb}
	defer unmoved.Node.Wipe()
	if _, err := registrar.OpenUnsealed(t.Context(), here.config, unmoved); !errors.Is(err, keystore.ErrPseudonymKeyHere) {
		t.Errorf("a keystore for a node that has its key: %v", err)
	}

	// A copy of before the rotation.
	copied := filepath.Join(w.top, "copy")
	w.must(os.CopyFS(copied, os.DirFS(w.usb)))
	_, err := rotation.PrepareKey(w.dir, roots, keys.Pseudonym)
	w.must(err)
	_, err = rotation.ActivateKey(w.dir, roots, keys.Pseudonym, time.Now())
	w.must(err)
	gone, err := rotation.RetireKey(t.Context(), w.config, roots, keys.Pseudonym, nil)
	if err != nil || len(gone) != 1 {
		t.Fatalf("retired %v, %v", gone, err)
	}
	w.finds()
	if err := w.move(); err != nil {
		t.Errorf("moving what is moved: %v", err)
	}
	old := keystore.Roots{Node: roots.Node, Pseudonym: roots.Pseudonym, PseudonymDir: copied}
	if _, err := registrar.OpenUnsealed(t.Context(), w.config, old); !errors.Is(err, gallery.ErrPseudonymKeys) {
		t.Errorf("a copy from before the rotation: %v", err)
	}
}
