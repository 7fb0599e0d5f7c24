package gallery

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"os"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// The list of erasures is kept beside the folder, and in the store, written by the
// commits that erase; and, see [Config], where neither goes back to an earlier state. Galleries that share a store so learn of every erasure of the
// others; a folder or a database that is put back to an earlier state meets a list that
// knows better; and a list that is lost or older than the store is made up from it.

// errListsDiffer: the list of erasures beside the folder is not the store's.
var errListsDiffer = errors.New("the lists of erasures differ")

func (g *Gallery) listsDiffer(stored tally) bool {
	return stored.erasures != g.erased.n || stored.last != g.erased.last
}

// meetLists makes all lists the same and carries out what that brings.
func (g *Gallery) meetLists() error {
	if err := g.erased.adopt(g.copied); err != nil {
		return err
	}
	if g.listsDiffer(g.tally) { // else nothing needs to be written, which a full disk does not take
		if err := g.update(nil, func(*bundle) error { return nil }); err != nil {
			return err
		}
	}
	return errors.Join(g.erased.learn(0), g.copied.follow(g.erased))
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
		g.failed = fmt.Errorf("%w; %w", err, ErrReopen)
		return g.failed
	}
	b.tally.erasures, b.tally.last = g.erased.n, g.erased.last
	return nil
}

// commonErasures is how many entries both lists begin with. An entry is tied to all
// before it, so that the last common one is looked for from the end.
func (g *Gallery) commonErasures(txn store.Reader, stored uint64) (uint64, error) {
	return g.erased.common(stored, func(n uint64) (tag [erasureTag]byte, err error) {
		entry, err := txn.Get(erasureKey(n - 1))
		if err == nil && len(entry) != erasureSize {
			err = ErrDamaged
		}
		if err != nil {
			return tag, err
		}
		return tagOf(entry), nil
	})
}

// common is how many entries e and a list of n begin with, of which tag gives the last
// tag of so many entries.
func (e *erasures) common(n uint64, tag func(n uint64) ([erasureTag]byte, error)) (uint64, error) {
	for n = min(n, e.n); n > 0; n-- {
		theirs, err := tag(n)
		if err != nil {
			return 0, err
		}
		ours, err := e.tagBefore(n)
		if err != nil {
			return 0, err
		}
		if theirs == ours {
			break
		}
	}
	return n, nil
}

// listCopy is the copy of the list where Config.Outside says. It belongs to who has the turn.
type listCopy struct {
	path string
	list *erasures // nil until there is one
}

func openCopy(path string, key cipher.AEAD) (*listCopy, error) {
	c := &listCopy{path: path}
	if path == "" {
		return c, nil
	}
	list, err := openErasures(path, key, 0)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	c.list = list
	return c, err
}

// adopt lists what only the copy has.
func (e *erasures) adopt(c *listCopy) error {
	if c.list == nil {
		return nil
	}
	common, err := e.common(c.list.n, c.list.tagBefore)
	if err != nil || common == c.list.n {
		return err
	}
	next := e.after(e.n)
	if common == e.n { // it goes on from ours, as it is
		if err := next.takeFrom(c.list); err != nil {
			return err
		}
	}
	err = c.list.from(common, func(x erasure) error {
		if common < e.n {
			next.seal(x)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.put(next)
}

// takeFrom goes on as another list that begins with the same entries.
func (c *continuation) takeFrom(e *erasures) error {
	c.entries = make([]byte, int64(e.n-c.from)*int64(erasureSize))
	if _, err := e.file.ReadAt(c.entries, int64(c.from)*int64(erasureSize)); err != nil {
		return fmt.Errorf("reading the list of erasures: %w", err)
	}
	c.n, c.last = e.n, e.last
	return nil
}

// follow makes the copy say what the list says.
func (c *listCopy) follow(e *erasures) (err error) {
	if c.path == "" || c.list == nil && e.n == 0 {
		return nil
	}
	if c.list == nil {
		if c.list, err = openErasures(c.path, e.aead, os.O_CREATE); err != nil {
			return err
		}
	}
	common, err := c.list.common(e.n, e.tagBefore)
	if err != nil || common == e.n && common == c.list.n {
		return err
	}
	next := c.list.after(common)
	if err := next.takeFrom(e); err != nil {
		return err
	}
	return c.list.put(next)
}

// Close closes the file, if there is one.
func (c *listCopy) Close() error {
	if c.list == nil {
		return nil
	}
	return c.list.file.Close()
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
