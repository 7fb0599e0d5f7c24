package gallery

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// The list of erasures is kept twice: beside the folder, and in the store, written by
// the commits that erase. Galleries that share a store so learn of every erasure of the
// others; a folder or a database that is put back to an earlier state meets a list that
// knows better; and a list that is lost or older than the store is made up from it.

// errListsDiffer: the list of erasures beside the folder is not the store's.
var errListsDiffer = errors.New("the lists of erasures differ")

func (g *Gallery) listsDiffer(stored tally) bool {
	return stored.erasures != g.erased.n || stored.last != g.erased.last
}

// meetLists makes the two lists the same and carries out what that brings.
func (g *Gallery) meetLists() error {
	if g.listsDiffer(g.tally) { // else nothing needs to be written, which a full disk does not take
		if err := g.update(nil, func(*bundle) error { return nil }); err != nil {
			return err
		}
	}
	return g.erased.learn()
}

// shareErasures makes the list of erasures beside the folder and the one in the store
// the same, as a bundle of its own. What the store has is taken over; what only
// this gallery has, because its commit failed or the store was put back to an earlier
// state, is listed again and carried out. A subject that a later commit enrolled, when
// nobody was enrolled under its pseudonym, stays. Afterwards commit numbers go on above
// those of the list, so that this stays true.
func (g *Gallery) shareErasures(b *bundle) error {
	stored := b.tally.erasures
	common, err := g.commonErasures(b.txn, stored)
	if err != nil {
		return damaged("reading the list of erasures", err)
	}
	var own []erasure
	if err := g.erased.from(common, func(x erasure) error { own = append(own, x); return nil }); err != nil {
		return err
	}
	next := g.erased.after(common)
	for i := common; i < stored; i++ {
		entry, err := b.txn.Get(erasureKey(i))
		if err != nil {
			return damaged("reading the list of erasures", err)
		}
		if err := next.take(entry); err != nil {
			return err
		}
	}
	for _, x := range own {
		entry := next.seal(x)
		if err := b.set(write{erasureKey(next.n - 1), entry}); err != nil {
			return err
		}
		b.tally.commit = max(b.tally.commit, x.commit+1)
		if err := b.eraseAgain(g, x); err != nil {
			return err
		}
	}
	if err := g.erased.put(next); err != nil {
		g.failed = fmt.Errorf("%w; %w", err, errReopen)
		return g.failed
	}
	b.tally.erasures, b.tally.last = g.erased.n, g.erased.last
	return nil
}

// commonErasures is how many entries both lists begin with. An entry is tied to all
// before it, so that the last common one is looked for from the end.
func (g *Gallery) commonErasures(txn store.Reader, stored uint64) (uint64, error) {
	n := min(stored, g.erased.n)
	for ; n > 0; n-- {
		entry, err := txn.Get(erasureKey(n - 1))
		if err != nil {
			return 0, err
		}
		tag, err := g.erased.tagBefore(n)
		if err != nil {
			return 0, err
		}
		if bytes.HasSuffix(entry, tag[:]) {
			break
		}
	}
	return n, nil
}

// continuation is what is to follow the first entries of a list.
type continuation struct {
	e       *erasures
	from, n uint64
	last    [erasureTag]byte
	entries []byte
	err     error
}

// after begins a continuation of the first n entries.
func (e *erasures) after(n uint64) *continuation {
	c := &continuation{e: e, from: n, n: n}
	c.last, c.err = e.tagBefore(n)
	return c
}

func (c *continuation) add(entry []byte) {
	c.entries = append(c.entries, entry...)
	c.n, c.last = c.n+1, tagOf(entry)
}

// take adds an entry as it is, if it follows.
func (c *continuation) take(entry []byte) error {
	if _, err := c.e.open(entry, c.n, c.last); err != nil {
		return err
	}
	c.add(entry)
	return nil
}

// seal adds an entry that says x.
func (c *continuation) seal(x erasure) []byte {
	entry := c.e.seal(x, c.n, c.last)
	c.add(entry)
	return entry
}
