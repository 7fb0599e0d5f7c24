package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/store/mirror"
	"github.com/tamga-id/tamga/node/gallery/subjects"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Errors of [Copy] that callers branch on.
var (
	ErrSameStore = errors.New("that is the store which the gallery is in")
	ErrNotEmpty  = errors.New("the store holds something else: another gallery, or this one with commits that are not in here")
)

// Copied is what Copy found and did.
type Copied struct {
	Subjects uint64 // in the copy
	Rows     uint64 // in the copy
	Written  uint64 // that were missing, or others
	Removed  uint64 // that were there and not in the gallery any more
}

// Copy makes another store hold what the gallery held when it began, while enrolments
// go on. It may be cut off at any time and begun again: what is there already is
// compared and not written. Run again, it takes over what has changed meanwhile; the
// copy takes the gallery's place once it was run with nobody enrolling, and the gallery
// is opened with it, in the same folder. Before it returns the copy is read back whole.
// A store that has anything in it but an earlier copy gives [ErrNotEmpty]; one of which
// a copy was not finished does not open as a gallery.
func Copy(ctx context.Context, ss *subjects.Set, to store.Store, progress func(rows uint64)) (Copied, error) {
	done, err := copier{ss}.copy(ctx, to, progress)
	if err != nil {
		return done, fmt.Errorf("copying gallery: %w", err)
	}
	return done, nil
}

type copier struct{ ss *subjects.Set }

func (c copier) copy(ctx context.Context, to store.Store, progress func(uint64)) (Copied, error) {
	if err := c.begin(to); err != nil {
		return Copied{}, err
	}
	m := mirror.New(to, kept, progress)
	var sealed []byte
	census, err := Take(ctx, c.ss, func(row store.Row) error {
		if bytes.Equal(row.Key, tally.Row()) {
			sealed = bytes.Clone(row.Value)
		}
		return m.Take(row)
	})
	if err == nil {
		err = m.Finish(ctx)
	}
	if err == nil {
		err = finish(to, sealed)
	}
	if err == nil {
		err = m.Check(ctx)
	}
	done := m.Done()
	return Copied{census.Subjects, done.Rows, done.Written, done.Removed}, err
}

// begin marks the store, unless it is the gallery's own or holds something else.
func (c copier) begin(to store.Store) error {
	var now tally.Tally
	err := c.ss.Line.View(func(r store.Reader) (err error) {
		now, err = c.ss.Tallies.Stored(r)
		return err
	})
	if err != nil {
		return err
	}
	mark := c.ss.Tallies.Seal(tally.Tally{})
	err = to.Update(func(txn store.Txn) error {
		if err := c.mayReplace(txn, now, mark); err != nil {
			return err
		}
		return txn.Set(commit.CopyingRow(), mark)
	})
	if err != nil {
		return err
	}
	// Whether the two are one shows in the other.
	var same bool
	err = c.ss.Line.View(func(r store.Reader) error {
		v, err := r.Get(commit.CopyingRow())
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
			return txn.Delete(commit.CopyingRow())
		}
		return txn.Delete(tally.Row()) // from here on it is no gallery
	}))
}

// mayReplace refuses a store in which there is anything but an earlier copy of the
// gallery with this tally.
func (c copier) mayReplace(r store.Reader, now tally.Tally, mark []byte) error {
	if v, err := r.Get(commit.CopyingRow()); err == nil && bytes.Equal(v, mark) {
		return nil
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v, err := r.Get(tally.Row())
	if err == nil {
		t, ok := c.ss.Tallies.Open(v)
		if !ok || t.Commit > now.Commit || t.Commit == now.Commit && t != now {
			return ErrNotEmpty
		}
		// The tally does not say under which pseudonym keys its subjects lie.
		if row, err := r.Get(naming.Row()); err != nil {
			return store.Damaged("reading pseudonym keys", err)
		} else if _, err := c.ss.OpenNames(row); err != nil {
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

// kept says whether a copy has a row of the key like any other.
func kept(key []byte) bool {
	return !bytes.Equal(key, tally.Row()) && !bytes.Equal(key, commit.CopyingRow())
}

// finish makes the copy a gallery. One into which nobody was ever enrolled has no
// tally.
func finish(to store.Store, sealed []byte) error {
	return to.Update(func(txn store.Txn) error {
		if sealed != nil {
			if err := txn.Set(tally.Row(), sealed); err != nil {
				return err
			}
		}
		return txn.Delete(commit.CopyingRow())
	})
}
