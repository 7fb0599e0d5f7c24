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
	if _, _, ok, err := shelf.Next(0); ok || err != nil {
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
	found, approvals, ok, err := shelf.Next(0)
	if err != nil || !ok || found.Digest() != p.Digest() || !slices.Equal(found.Text, p.Text) || len(approvals) != 2 {
		t.Errorf("found %v, %v", ok, err)
	}
	if signers, err := found.Approvers(approvals, operators()); err != nil || len(signers) != 2 {
		t.Errorf("approved by %v, %v", signers, err)
	}
}

// TestTakenAway: a publication that was taken away from the shelf is missed by who comes later, and put back by who has it.
func TestTakenAway(t *testing.T) {
	s := must(store.OpenBadger(t.TempDir()))
	defer s.Close()
	r := must(rows.New(lent{s}, [32]byte{1}))
	shelf, book := lawbook.NewShelf(r), open(t, t.TempDir())
	for _, version := range []string{"2026.4", "2026.5"} {
		p := propose(t, book, next(version))
		must(book.Publish(p, approve(p, a, b), operators(), noon, recorded))
	}
	if n, err := book.Restore(shelf); n != 2 || err != nil {
		t.Errorf("%d put on an empty shelf, %v", n, err)
	}
	take := func(number byte) {
		t.Helper()
		name := append([]byte("law"), 0, 0, 0, 0, 0, 0, 0, number)
		if err := r.Update(func(txn rows.Txn) error { txn.Delete(r.Key(rows.Laws, name)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	take(1)
	if _, _, ok, err := shelf.Next(0); ok || !errors.Is(err, lawbook.ErrStale) {
		t.Errorf("the first of two is gone: found %v, %v", ok, err)
	}
	if n, err := book.Restore(shelf); n != 1 || err != nil {
		t.Errorf("%d put back, %v", n, err)
	}
	take(2)
	if n, err := book.Restore(shelf); n != 1 || err != nil {
		t.Errorf("%d put back, %v", n, err)
	}
	for after, want := range []bool{true, true, false} {
		if p, _, ok, err := shelf.Next(uint64(after)); ok != want || err != nil || ok && p.Number != uint64(after)+1 {
			t.Errorf("after %d: %v, %v", after, ok, err)
		}
	}
	if n, err := book.Restore(shelf); n != 0 || err != nil {
		t.Errorf("%d put back of none, %v", n, err)
	}
}
