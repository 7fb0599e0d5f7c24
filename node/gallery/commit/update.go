package commit

import (
	"errors"
	"fmt"
	"math"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Write is a row to be set.
type Write struct{ Key, Value []byte }

// Bundle is one transaction in the making.
type Bundle struct {
	Txn store.Txn // to read what is there; change rows by the bundle's methods

	line   *Line
	tally  tally.Tally // once it is committed
	writes bool        // whether anything is to be committed
	size   int
	last   Write // the last row that it sets
	then   []func()
}

// Commit is the number that the commit has.
func (b *Bundle) Commit() uint32 { return b.tally.Commit }

// Size is how many bytes of keys and values it changes by now.
func (b *Bundle) Size() int { return b.size }

// Set stages a row.
func (b *Bundle) Set(w Write) error {
	if err := b.Txn.Set(w.Key, w.Value); err != nil {
		return fmt.Errorf("staging subject: %w", err)
	}
	b.size += len(w.Key) + len(w.Value)
	b.last = w
	return nil
}

// Drop stages the removal of a row.
func (b *Bundle) Drop(key []byte) error {
	if err := b.Txn.Delete(key); err != nil {
		return fmt.Errorf("staging removal: %w", err)
	}
	b.size += len(key)
	return nil
}

// Restamp counts that the stamp of the subject that lay under from is another, and that it
// lies under to. The zero one before is that of a subject who was not enrolled.
func (b *Bundle) Restamp(from pseudonym.Pseudonym, was keyring.Stamp, to pseudonym.Pseudonym, is keyring.Stamp) {
	b.tally.Sum += is.Number() - was.Number()
	bind := b.line.tallies.Binder()
	if is != (keyring.Stamp{}) {
		b.tally.Bound += bind.Bind(to, is.Number())
	}
	if was != (keyring.Stamp{}) {
		b.tally.Bound -= bind.Bind(from, was.Number())
	}
	if was == (keyring.Stamp{}) && is != was {
		b.tally.Subjects++
	}
}

// Forget counts that the subject with this stamp is not enrolled any more.
func (b *Bundle) Forget(p pseudonym.Pseudonym, was keyring.Stamp) {
	b.tally.Bound -= b.line.tallies.Binder().Bind(p, was.Number())
	b.tally.Subjects--
	b.tally.Sum -= was.Number()
}

// Then has f run once the bundle stands.
func (b *Bundle) Then(f func()) { b.then = append(b.then, f) }

// Update has f stage a bundle and makes it durable, then counts it, then runs what is to
// follow. f may run again, with a new bundle. keys are those that f will look at. The caller
// has the turn.
func (l *Line) Update(keys [][]byte, f func(*Bundle) error) error {
	for {
		err := l.attempt(keys, func(b *Bundle) error {
			if l.listsDiffer(b.tally) {
				return errListsDiffer
			}
			return f(b)
		})
		if !errors.Is(err, errListsDiffer) {
			return err
		}
		if err := l.attempt(nil, l.shareErasures); err != nil {
			return err
		}
	}
}

func (l *Line) attempt(keys [][]byte, f func(*Bundle) error) error {
	if err := l.keep(); err != nil {
		return err
	}
	var b *Bundle
	err := l.db.Update(func(txn store.Txn) error {
		if err := txn.Fetch(append(keys, tally.Row(), l.rules.Row())...); err != nil {
			return err
		}
		stored, err := l.latest(txn)
		if err != nil {
			return err
		}
		said, err := l.rules.See(txn)
		if err != nil {
			return err
		}
		b = &Bundle{Txn: txn, line: l, tally: stored}
		b.tally.Commit++
		if err := f(b); err != nil || b.size == 0 && b.tally.Last == stored.Last {
			return err
		}
		if b.tally.Commit == math.MaxUint32 {
			return errors.New("committing: commit numbers are used up")
		}
		b.writes = true
		if !said { // the first commit
			if err := txn.Set(l.rules.Row(), l.rules.Said()); err != nil {
				return err
			}
		}
		return txn.Set(tally.Row(), l.tallies.Seal(b.tally))
	})
	if errors.Is(err, store.ErrInDoubt) {
		err = l.settle(b, err)
	}
	if err != nil {
		return err
	}
	l.count(b)
	for _, f := range b.then {
		f()
	}
	return nil
}

// latest is the tally in the store. It is what this line left there, or, of a shared
// store, what another has gone on to.
func (l *Line) latest(txn store.Reader) (tally.Tally, error) {
	stored, err := l.tallies.Stored(txn)
	switch {
	case err != nil:
		return tally.Tally{}, store.Damaged("reading tally", err)
	case stored == l.tally:
	case !l.db.Shared():
		return tally.Tally{}, fmt.Errorf("%w: the store is not as the last commit left it", store.ErrDamaged)
	case stored.Commit <= l.tally.Commit:
		return tally.Tally{}, errBehind
	}
	return stored, nil
}

// see takes note of a tally that stands.
func (l *Line) see(t tally.Tally) {
	l.tally = t
	l.subjects.Store(int64(t.Subjects))
	l.commits.Store(t.Commit)
}

// count takes note of a bundle that stands, or of what the store was found at.
func (l *Line) count(b *Bundle) {
	if !b.writes {
		b.tally.Commit--
		l.see(b.tally)
		return
	}
	l.see(b.tally)
	// This commit is durable whatever comes of it; the next would not be protected.
	l.unkept = errors.Join(l.beside.Write(l.tallies, b.tally), l.outside.Write(l.tallies, b.tally)) != nil
}

// keep makes up for a tally that could not be written into its files after its commit,
// when the disk was full for instance, before anything follows.
func (l *Line) keep() error {
	if !l.unkept {
		return nil
	}
	if err := errors.Join(l.beside.Write(l.tallies, l.tally), l.outside.Write(l.tallies, l.tally)); err != nil {
		return err
	}
	l.unkept = false
	return nil
}
