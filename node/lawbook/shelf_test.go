package lawbook_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/rows"
)

type lent struct{ store.Store }

func (l lent) Beside(f func(store.Store) error) error { return f(l.Store) }

// TestShelf: what one node leaves the others find, word for word; another text under the same number comes too late.
func TestShelf(t *testing.T) {
	s := must(store.OpenBadger(t.TempDir()))
	defer s.Close()
	shelf := lawbook.NewShelf(must(rows.New(lent{s}, [32]byte{1})))
	book := open(t, t.TempDir())
	p, other := propose(t, book, next("2026.4")), propose(t, book, next("2026.5"))
	if _, _, ok, err := shelf.Find(1); ok || err != nil {
		t.Errorf("an empty shelf: %v, %v", ok, err)
	}
	for range 2 {
		if err := shelf.Leave(p, approve(p, a, b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := shelf.Leave(other, approve(other, a, b)); !errors.Is(err, lawbook.ErrStale) {
		t.Errorf("another of the same number: %v", err)
	}
	found, approvals, ok, err := shelf.Find(1)
	if err != nil || !ok || found.Digest() != p.Digest() || !slices.Equal(found.Text, p.Text) || len(approvals) != 2 {
		t.Errorf("found %v, %v", ok, err)
	}
	if signers, err := found.Approvers(approvals, operators()); err != nil || len(signers) != 2 {
		t.Errorf("approved by %v, %v", signers, err)
	}
}
