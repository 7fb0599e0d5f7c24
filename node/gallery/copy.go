package gallery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// Errors of [Gallery.CopyTo] that callers branch on.
var (
	ErrSameStore = errors.New("that is the store which the gallery is in")
	ErrNotEmpty  = errors.New("the store holds something else: another gallery, or this one with commits that are not in here")
)

// Copied is what CopyTo found and did.
type Copied struct {
	Subjects uint64 // in the copy
	Rows     uint64 // in the copy
	Written  uint64 // that were missing, or others
	Removed  uint64 // that were there and not in the gallery any more
}

// copying is the key of the row that a store has while a copy is being made into it.
func copying() []byte { return []byte("m" + "copying") }

// CopyTo makes another store hold what the gallery held when it began, while enrolments
// go on. It may be cut off at any time and begun again: what is there already is
// compared and not written. Run again, it takes over what has changed meanwhile; the
// copy takes the gallery's place once it was run with nobody enrolling, and the gallery
// is opened with it, in the same folder. Before it returns the copy is read back whole.
// A store that has anything in it but an earlier copy gives [ErrNotEmpty]; one of which
// a copy was not finished does not open as a gallery.
func (g *Gallery) CopyTo(ctx context.Context, to store.Store, progress func(rows uint64)) (Copied, error) {
	done, err := g.copyTo(ctx, to, progress)
	if err != nil {
		return done, fmt.Errorf("copying gallery: %w", err)
	}
	return done, nil
}

func (g *Gallery) copyTo(ctx context.Context, to store.Store, progress func(uint64)) (Copied, error) {
	if err := g.beginCopy(to); err != nil {
		return Copied{}, err
	}
	c := &copier{to: to, digest: sha256.New(), progress: progress}
	var err error
	if c.done.Subjects, err = g.Snapshot(ctx, c.take); err != nil {
		return c.done, err
	}
	if err := c.rest(ctx); err != nil {
		return c.done, err
	}
	if err := c.finish(); err != nil {
		return c.done, err
	}
	return c.done, c.check(ctx)
}

// beginCopy marks the store, unless it is the gallery's own or holds something else.
func (g *Gallery) beginCopy(to store.Store) error {
	var now tally
	err := g.view(func(r store.Reader) (err error) {
		now, err = g.storedTally(r)
		return err
	})
	if err != nil {
		return err
	}
	mark := g.tallies.seal(tally{})
	err = to.Update(func(txn store.Txn) error {
		if err := g.mayReplace(txn, now, mark); err != nil {
			return err
		}
		return txn.Set(copying(), mark)
	})
	if err != nil {
		return err
	}
	// Whether the two are one shows in the other.
	var same bool
	err = g.view(func(r store.Reader) error {
		v, err := r.Get(copying())
		if same = bytes.Equal(v, mark); errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err == nil && same {
		err = ErrSameStore
	}
	return errors.Join(err, to.Update(func(txn store.Txn) error {
		if err != nil {
			return txn.Delete(copying())
		}
		return txn.Delete(keyTally()) // from here on it is no gallery
	}))
}

// mayReplace refuses a store in which there is anything but an earlier copy of the
// gallery with this tally.
func (g *Gallery) mayReplace(r store.Reader, now tally, mark []byte) error {
	if v, err := r.Get(copying()); err == nil && bytes.Equal(v, mark) {
		return nil
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v, err := r.Get(keyTally())
	if err == nil {
		t, ok := g.tallies.open(v)
		if !ok || t.commit > now.commit || t.commit == now.commit && t != now {
			return ErrNotEmpty
		}
		return nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, err := range r.Scan(nil, nil) {
		if err == nil {
			err = ErrNotEmpty
		}
		return err
	}
	return nil
}

// copyPage is how many rows of the copy are looked at in one read.
const copyPage = 256

// copier walks the gallery's rows and the copy's side by side, in the order of keys.
type copier struct {
	to       store.Store
	page     []Row // of the copy, not yet passed
	last     []byte
	end      bool
	staged   []write // a nil value removes
	size     int
	tally    []byte
	digest   hash.Hash
	done     Copied
	progress func(uint64)
}

// kept says whether a copy has a row of the key like any other.
func kept(key []byte) bool { return !bytes.Equal(key, keyTally()) && !bytes.Equal(key, copying()) }

// take brings the copy up to a row of the gallery.
func (c *copier) take(row Row) error {
	if bytes.Equal(row.Key, keyTally()) {
		c.tally = bytes.Clone(row.Value)
	}
	if !kept(row.Key) {
		return nil
	}
	addTo(c.digest, row)
	if c.done.Rows++; c.progress != nil && c.done.Rows%4096 == 0 {
		c.progress(c.done.Rows)
	}
	for {
		has, err := c.next()
		if err != nil {
			return err
		}
		if has == nil || bytes.Compare(has.Key, row.Key) > 0 {
			break
		}
		same := bytes.Equal(has.Key, row.Key)
		c.page = c.page[1:]
		switch {
		case same && bytes.Equal(has.Value, row.Value):
			return nil
		case same:
			return c.stage(write{bytes.Clone(row.Key), bytes.Clone(row.Value)})
		}
		if err := c.stage(write{has.Key, nil}); err != nil {
			return err
		}
	}
	return c.stage(write{bytes.Clone(row.Key), bytes.Clone(row.Value)})
}

// next is the first row of the copy that was not passed, nil at the end.
func (c *copier) next() (*Row, error) {
	for len(c.page) == 0 && !c.end {
		err := c.to.View(func(r store.Reader) error {
			n := 0
			for row, err := range r.Scan(nil, c.last) {
				if err != nil {
					return err
				}
				c.last = bytes.Clone(row.Key)
				if kept(c.last) {
					c.page = append(c.page, Row{Key: c.last, Value: bytes.Clone(row.Value)})
				}
				if n++; n == copyPage {
					return nil
				}
			}
			c.end = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(c.page) == 0 {
		return nil, nil
	}
	return &c.page[0], nil
}

// rest removes what the copy has after the gallery's last row.
func (c *copier) rest(ctx context.Context) error {
	for {
		has, err := c.next()
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if has == nil {
			return c.flush()
		}
		c.page = c.page[1:]
		if err := c.stage(write{has.Key, nil}); err != nil {
			return err
		}
	}
}

func (c *copier) stage(w write) error {
	if w.value == nil {
		c.done.Removed++
	} else {
		c.done.Written++
	}
	c.staged = append(c.staged, w)
	if c.size += len(w.key) + len(w.value); c.size < maxCommit {
		return nil
	}
	return c.flush()
}

func (c *copier) flush() error {
	if len(c.staged) == 0 {
		return nil
	}
	err := c.to.Update(func(txn store.Txn) error {
		for _, w := range c.staged {
			err := txn.Set(w.key, w.value)
			if w.value == nil {
				err = txn.Delete(w.key)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	c.staged, c.size = nil, 0
	return err
}

// finish makes the copy a gallery.
func (c *copier) finish() error {
	return c.to.Update(func(txn store.Txn) error {
		if c.tally != nil { // a gallery into which nobody was ever enrolled has none
			if err := txn.Set(keyTally(), c.tally); err != nil {
				return err
			}
		}
		return txn.Delete(copying())
	})
}

// check reads the copy back.
func (c *copier) check(ctx context.Context) error {
	digest := sha256.New()
	err := c.to.View(func(r store.Reader) error {
		for row, err := range r.Scan(nil, nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if kept(row.Key) {
				addTo(digest, row)
			}
		}
		return nil
	})
	if err == nil && !bytes.Equal(digest.Sum(nil), c.digest.Sum(nil)) {
		err = fmt.Errorf("%w: the copy is not what was written", ErrDamaged)
	}
	return err
}

func addTo(h hash.Hash, row Row) {
	var size [8]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(row.Key)))
	binary.BigEndian.PutUint32(size[4:], uint32(len(row.Value)))
	h.Write(size[:])
	h.Write(row.Key)
	h.Write(row.Value)
}
