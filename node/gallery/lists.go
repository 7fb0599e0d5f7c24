package gallery

import (
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// The list of erasures is kept beside the folder, and in the store, written by the
// commits that erase; and, see [Config], where neither goes back to an earlier state. Galleries that share a store so learn of every erasure of the
// others; a folder or a database that is put back to an earlier state meets a list that
// knows better; and a list that is lost or older than the store is made up from it.

// errListsDiffer: the list of erasures beside the folder is not the store's.
var errListsDiffer = errors.New("the lists of erasures differ")

func (g *Gallery) listsDiffer(stored tally.Tally) bool {
	return stored.Erasures != g.erased.Len() || stored.Last != g.erased.Last()
}

// meetLists makes all lists the same and carries out what that brings.
func (g *Gallery) meetLists() error {
	if err := g.erased.Adopt(g.copied); err != nil {
		return err
	}
	if g.listsDiffer(g.tally) { // else nothing needs to be written, which a full disk does not take
		if err := g.update(nil, func(*bundle) error { return nil }); err != nil {
			return err
		}
	}
	return errors.Join(g.erased.Learn(0), g.copied.Follow(g.erased))
}

// shareErasures makes the list of erasures beside the folder and the one in the store
// the same, as a bundle of its own. What the store has is taken over; what only
// this gallery has, because its commit failed or the store was put back to an earlier
// state, is listed again and carried out. A subject that a later commit enrolled, when
// nobody was enrolled under its pseudonym, stays. Afterwards commit numbers go on above
// those of the list, so that this stays true.
func (g *Gallery) shareErasures(b *bundle) error {
	stored := b.tally.Erasures
	common, err := g.commonErasures(b.txn, stored)
	if err != nil {
		return store.Damaged("reading the list of erasures", err)
	}
	var own []erasure.Entry
	if err := g.erased.From(common, func(x erasure.Entry) error { own = append(own, x); return nil }); err != nil {
		return err
	}
	next := g.erased.After(common)
	for i := common; i < stored; i++ {
		entry, err := b.txn.Get(erasureKey(i))
		if err != nil {
			return store.Damaged("reading the list of erasures", err)
		}
		if err := next.Take(entry); err != nil {
			return err
		}
	}
	for _, x := range own {
		entry := next.Seal(x)
		if err := b.set(write{erasureKey(next.Len() - 1), entry}); err != nil {
			return err
		}
		b.tally.Commit = max(b.tally.Commit, x.Commit+1)
		if err := b.eraseAgain(g, x); err != nil {
			return err
		}
	}
	if err := g.erased.Put(next); err != nil {
		g.failed = fmt.Errorf("%w; %w", err, ErrReopen)
		return g.failed
	}
	b.tally.Erasures, b.tally.Last = g.erased.Len(), g.erased.Last()
	return nil
}

// commonErasures is how many entries both lists begin with. An entry is tied to all
// before it, so that the last common one is looked for from the end.
func (g *Gallery) commonErasures(txn store.Reader, stored uint64) (uint64, error) {
	return g.erased.Common(stored, func(n uint64) (tag erasure.Tag, err error) {
		entry, err := txn.Get(erasureKey(n - 1))
		if err != nil {
			return tag, err
		}
		return erasure.TagOf(entry)
	})
}
