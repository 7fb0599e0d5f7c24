package gallery

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// What the tests need to see from outside the package.
const (
	MaxCommit  = subjects.MaxCommit
	MaxCall    = maxCall
	MaxSubject = subjects.MaxSubject
	MaxHolder  = maxHolder
	MaxKeyring = keyring.MaxRow
)

// DB lets a test edit the store under an open gallery.
func (g *Gallery) DB() store.Store { return g.set.Line.Store() }

// Keys are the store's keys of a subject: its stamp, its keyring and its records
// by slot.
func (g *Gallery) Keys(id pseudonym.Identifier) (stamp, ring []byte, record func(slot uint32) []byte) {
	who, err := g.set.NameOf(id)
	if err != nil {
		panic(err)
	}
	p := who.Elements[0].Pseudonym()
	return keyring.StampRow(p), keyring.Row(p), func(slot uint32) []byte { return g.set.Vault.RecordRow(p, slot) }
}

// HoldTurn keeps every commit waiting until the returned function is called.
func (g *Gallery) HoldTurn() (release func()) {
	held, done := make(chan struct{}), make(chan struct{})
	go func() {
		_ = g.set.Line.InTurn(context.Background(), func() error { close(held); <-done; return nil })
	}()
	<-held
	return func() { close(done) }
}

// Waiting is how many calls nobody has taken yet.
func (g *Gallery) Waiting() int { return g.set.Waiting() }

// Closing reports whether Close has begun.
func (g *Gallery) Closing() bool { return g.set.Closing() }

// Commits is the number of the last commit. The caller sees to it that none is
// under way.
func (g *Gallery) Commits() uint32 { return g.set.Line.Commits() }

// ListErasure does the first half of Erase, up to where a crash may cut it off.
func (g *Gallery) ListErasure(id pseudonym.Identifier) error {
	who, err := g.set.NameOf(id)
	if err != nil {
		return err
	}
	p := who.Elements[0].Pseudonym()
	crash := errors.New("crash")
	err = g.set.Line.InTurn(context.Background(), func() error {
		return g.set.Line.Update(nil, func(b *commit.Bundle) error {
			return errors.Join(b.List(erasure.Entry{Commit: b.Commit(), Subject: p}), crash)
		})
	})
	if !errors.Is(err, crash) {
		return err
	}
	return nil
}

// SetPatience changes how long a commit in doubt is asked after.
func (g *Gallery) SetPatience(d time.Duration) { g.set.Line.Patience = d }

// Flaky is a store that fails on demand.
type Flaky struct {
	store.Store
	Delete func() error          // instead of deleting a row; nil deletes it
	Stop   func(key []byte) bool // whether a scan ends before this row without saying so; nil for never
}

type flakyTxn struct {
	store.Txn
	f *Flaky
}

type flakyReader struct {
	store.Reader
	f *Flaky
}

// Break has the gallery of a configuration open its folder by way of a flaky store.
func (f *Flaky) Break(cfg *Config) {
	cfg.Store = func(dir string) (store.Store, error) {
		db, err := store.OpenBadger(dir)
		f.Store = db
		return f, err
	}
}

// View is the store's.
func (f *Flaky) View(see func(store.Reader) error) error {
	return f.Store.View(func(r store.Reader) error { return see(flakyReader{r, f}) })
}

// Update is the store's.
func (f *Flaky) Update(change func(store.Txn) error) error {
	return f.Store.Update(func(txn store.Txn) error { return change(flakyTxn{txn, f}) })
}

func (t flakyTxn) Delete(key []byte) error {
	if t.f.Delete != nil {
		return t.f.Delete()
	}
	return t.Txn.Delete(key)
}

func (r flakyReader) Scan(prefix, after []byte) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for row, err := range r.Reader.Scan(prefix, after) {
			if r.f.Stop != nil && r.f.Stop(row.Key) || !yield(row, err) {
				return
			}
		}
	}
}

// Handle is what a Report calls the subject.
func (g *Gallery) Handle(id pseudonym.Identifier) string {
	who, err := g.set.NameOf(id)
	if err != nil {
		panic(err)
	}
	return g.checker().Handle(who.Elements[0].Pseudonym())
}
