package commit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// The list of erasures is kept beside the folder, and in the store, written by the
// commits that erase; and, see [Config], where neither goes back to an earlier state.
// Galleries that share a store so learn of every erasure of the others; a folder or a
// database that is put back to an earlier state meets a list that knows better; and a
// list that is lost or older than the store is made up from it.

// ErasuresBegin begins the key of a row that is an entry of the list of erasures; the
// entry's number follows.
const ErasuresBegin = 'z'

// ErasureRow is the key of the row of an entry.
func ErasureRow(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{ErasuresBegin}, number)
}

// errListsDiffer: the list of erasures beside the folder is not the store's.
var errListsDiffer = errors.New("the lists of erasures differ")

func (l *Line) listsDiffer(stored tally.Tally) bool {
	return stored.Erasures != l.erased.Len() || stored.Last != l.erased.Last()
}

// MeetLists makes all lists the same and carries out what that brings.
func (l *Line) MeetLists() error {
	if err := l.copied.Check(); err != nil {
		return err
	}
	if err := l.erased.Adopt(l.copied); err != nil {
		return err
	}
	if l.listsDiffer(l.tally) { // else nothing needs to be written, which a full disk does not take
		if err := l.Update(nil, func(*Bundle) error { return nil }); err != nil {
			return err
		}
	}
	return errors.Join(l.erased.Learn(0), l.copied.Follow(l.erased))
}

// maxShared bounds the entries that one commit carries out: with their records they stay
// inside what a transaction of the store takes.
const maxShared = 256

// shareErasures makes the list of erasures beside the folder and the one in the store
// the same, as bundles of their own: this is the next of them. What the store has is taken
// over; what only this gallery has, because its commit failed or the store was put back to an
// earlier state, is listed again and carried out. A subject that a later commit enrolled, when
// nobody was enrolled under its pseudonym, stays. Afterwards commit numbers go on above
// those of the list, so that this stays true. As long as the store has fewer entries the
// lists differ, also past a crash.
func (l *Line) shareErasures(b *Bundle) error {
	stored := b.tally.Erasures
	common, err := l.commonErasures(b.Txn, stored)
	if err != nil {
		return store.Damaged("reading the list of erasures", err)
	}
	if common < stored {
		if err := l.takeErasures(b.Txn, common, stored); err != nil {
			return err
		}
	}
	for i := stored; i < min(l.erased.Len(), stored+maxShared); i++ {
		x, entry, err := l.erased.At(i)
		if err != nil {
			return err
		}
		if err := b.Set(Write{Key: ErasureRow(i), Value: entry}); err != nil {
			return err
		}
		b.tally.Commit = max(b.tally.Commit, x.Commit+1)
		if err := l.rules.EraseAgain(b, x); err != nil {
			return err
		}
		if b.tally.Last, err = erasure.TagOf(entry); err != nil {
			return err
		}
		b.tally.Erasures = i + 1
	}
	return nil
}

// takeErasures puts the entries that the store has from common on into the list beside the
// folder, and those that only that has behind them.
func (l *Line) takeErasures(txn store.Reader, common, stored uint64) error {
	var own []erasure.Entry
	if err := l.erased.From(common, func(x erasure.Entry) error { own = append(own, x); return nil }); err != nil {
		return err
	}
	next := l.erased.After(common)
	for i := common; i < stored; i++ {
		entry, err := txn.Get(ErasureRow(i))
		if err != nil {
			return store.Damaged("reading the list of erasures", err)
		}
		if err := next.Take(entry); err != nil {
			return err
		}
	}
	for _, x := range own {
		next.Seal(x)
	}
	if err := l.erased.Put(next); err != nil {
		l.failed = fmt.Errorf("%w; %w", err, ErrReopen)
		return l.failed
	}
	return nil
}

// commonErasures is how many entries both lists begin with. An entry is tied to all
// before it, so that the last common one is looked for from the end.
func (l *Line) commonErasures(txn store.Reader, stored uint64) (uint64, error) {
	return l.erased.Common(stored, func(n uint64) (tag erasure.Tag, err error) {
		entry, err := txn.Get(ErasureRow(n - 1))
		if err != nil {
			return tag, err
		}
		return erasure.TagOf(entry)
	})
}

// List puts an entry on the list of erasures, and its copy into the store. It is on the list
// whatever becomes of the bundle: the next one, or Open, then carries it out.
func (b *Bundle) List(x erasure.Entry) error {
	l := b.line
	entry, err := l.erased.Add(x)
	if err != nil {
		l.failed = fmt.Errorf("%w; %w", err, ErrReopen) // how much of it was written is unknown
		return l.failed
	}
	b.tally.Erasures, b.tally.Last = l.erased.Len(), l.erased.Last()
	return b.Set(Write{Key: ErasureRow(l.erased.Len() - 1), Value: entry})
}

// ListAfter puts entries into the store with the bundle, and on the list of erasures once it
// stands: what does not come about must not be carried out later, when others of the same
// store have enrolled these people in the belief that nothing happened. A list that a crash
// leaves behind the store is made up from it. It is called once a bundle.
func (b *Bundle) ListAfter(xs ...erasure.Entry) error {
	if len(xs) == 0 {
		return nil
	}
	l := b.line
	next := l.erased.After(l.erased.Len())
	for _, x := range xs {
		entry := next.Seal(x)
		if err := b.Set(Write{Key: ErasureRow(next.Len() - 1), Value: entry}); err != nil {
			return err
		}
		last, err := erasure.TagOf(entry)
		if err != nil {
			return err
		}
		b.tally.Erasures, b.tally.Last = next.Len(), last
	}
	b.Then(func() {
		if err := l.erased.Put(next); err != nil {
			l.failed = fmt.Errorf("%w; %w", err, ErrReopen)
		}
	})
	return nil
}

// ListedSince reports whether an entry of the subject says a commit of that number or a
// later one. The caller has the turn.
func (l *Line) ListedSince(p pseudonym.Pseudonym, commit uint32) bool {
	last, ok := l.erased.Latest(p)
	return ok && last >= commit
}

// FollowOutside makes the copy of the list outside say what the list says. The caller has
// the turn.
func (l *Line) FollowOutside() error {
	if l.failed != nil {
		return l.failed
	}
	return l.copied.Follow(l.erased)
}

// CheckErasures reads the whole list, anew, while nobody writes it: see [erasure.Check].
func (l *Line) CheckErasures(ctx context.Context, n uint64, last erasure.Tag) error {
	return l.hold(ctx, func() error { return l.erased.Check(n, last) })
}
