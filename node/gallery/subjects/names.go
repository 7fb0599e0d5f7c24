package subjects

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// The pseudonym key may be replaced: see node/gallery/naming. Subjects are moved to the new
// one by node/gallery/renewal. What a subject is moved by lies in its sealed list: not the
// identifier but the element that the pseudonym is the hash of, which tells nothing without
// the key.

var (
	// ErrNamesChanged: the keys that subjects lie under are others by now.
	ErrNamesChanged = errors.New("the pseudonym keys changed meanwhile")
	// ErrPseudonymKeys reports a keystore that lacks a key under which subjects lie: it is
	// older than the gallery.
	ErrPseudonymKeys = naming.ErrMissing
)

// OpenNames finds the keys that a row names in the ring.
func (ss *Set) OpenNames(row []byte) (*naming.Keys, error) {
	n, err := naming.Open(row, ss.Tallies, ss.keys.Load())
	if errors.Is(err, naming.ErrAhead) && ss.shared() {
		err = fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	return n, err
}

// startNames reads under which keys subjects lie, when the gallery is opened.
func (ss *Set) startNames() error {
	ss.names.Store(naming.Current(ss.keys.Load()))
	return ss.Line.View(func(txn store.Reader) error {
		_, err := ss.See(txn)
		if errors.Is(err, ErrPseudonymKeys) && !errors.Is(err, ErrOutdated) {
			return fmt.Errorf("%w: %w", store.ErrDamaged, err)
		}
		return err
	})
}

// See takes note of the keys that subjects lie under as of a moment of the store,
// and reports whether the store says so: before the first commit it does not.
func (ss *Set) See(txn store.Reader) (said bool, err error) {
	row, err := txn.Get(naming.Row())
	if errors.Is(err, store.ErrNotFound) {
		if t, err := ss.Tallies.Stored(txn); err != nil || t.Commit > 0 {
			return false, store.Damaged("reading pseudonym keys", errors.Join(err, errors.New("they are missing")))
		}
		return false, nil
	}
	if err != nil {
		return false, store.Damaged("reading pseudonym keys", err)
	}
	if bytes.Equal(row, ss.names.Load().Seal(ss.Tallies)) {
		return true, nil
	}
	n, err := ss.OpenNames(row)
	if errors.Is(err, ErrPseudonymKeys) && ss.shared() {
		// Another node has replaced the key. A subject that this one did not find would
		// pass for unknown.
		return true, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if err != nil {
		return true, err
	}
	ss.names.Store(n)
	return true, nil
}

// UsePseudonyms has the gallery use another ring of pseudonym keys from now on: new
// subjects get the pseudonym under its current key, unless the store has gone on to a
// newer one. It refuses a ring that lacks a key under which subjects lie, and changes
// nothing then.
func (ss *Set) UsePseudonyms(ctx context.Context, ring *pseudonym.Ring) error {
	if err := ss.Line.InTurn(ctx, func() error { return ss.usePseudonyms(ring) }); err != nil {
		return fmt.Errorf("changing pseudonym keys: %w", err)
	}
	return nil
}

func (ss *Set) usePseudonyms(ring *pseudonym.Ring) error {
	before := ss.keys.Load()
	if err := ss.names.Load().In(ring); err != nil {
		return err
	}
	ss.keys.Store(ring)
	if err := ss.adopt(); err != nil {
		ss.keys.Store(before)
		return err
	}
	return nil
}

// adopt has new subjects lie under the current key of the ring, if that is newer than
// what the store says. The caller has the turn, or the gallery alone.
func (ss *Set) adopt() error {
	ring := ss.keys.Load()
	if n := ss.names.Load(); n != nil && ring.Current() <= n.Target() {
		return nil // nothing needs to be written, which a full disk does not take
	}
	return ss.ChangeNames(func(n *naming.Keys, _ uint32) (*naming.Keys, error) {
		if ring.Current() <= n.Target() {
			return n, nil
		}
		return n.Before(ring)
	})
}

// ChangeNames makes durable which keys subjects lie under, and then goes by it. The
// caller has the turn, or the gallery alone.
func (ss *Set) ChangeNames(change func(n *naming.Keys, number uint32) (*naming.Keys, error)) error {
	var next *naming.Keys
	err := ss.Line.Update([][]byte{naming.Row()}, func(b *commit.Bundle) (err error) {
		was := ss.names.Load() // as the store says by now
		next, err = change(was, b.Commit())
		switch {
		case err != nil:
			return err
		case next == was:
			return nil
		case b.Commit() == 1: // nobody lies under any, and the first commit says so
			next = next.Only(0)
			return nil
		}
		return b.Set(commit.Write{Key: naming.Row(), Value: next.Seal(ss.Tallies)})
	})
	if err == nil {
		ss.names.Store(next)
	}
	return err
}

// NameOf is who id is under every key that he may lie under.
func (ss *Set) NameOf(id pseudonym.Identifier) (naming.Named, error) {
	who, err := ss.names.Load().Name(id)
	if errors.Is(err, pseudonym.ErrHolders) {
		// Whether the person is enrolled cannot be told now.
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return who, err
}

// IsCurrent reports whether who is still all that he may lie under. That holds as long
// as the turn is held, and for what a view shows that began before it was asked.
func (ss *Set) IsCurrent(who naming.Named) bool { return who.Keys == ss.names.Load() }

// Find loads the subject from where it lies: see load.
func (ss *Set) Find(txn store.Reader, who naming.Named) (keyring.Subject, error) {
	for _, p := range who.Pseudonyms() {
		if s, err := ss.Load(txn, p); !errors.Is(err, keyring.ErrUnknown) {
			return s, err
		}
	}
	return keyring.Subject{}, keyring.ErrUnknown
}

// Where says under which pseudonym a person lies: [keyring.ErrUnknown] under none.
func Where(txn store.Reader, who naming.Named) (pseudonym.Pseudonym, error) {
	for _, p := range who.Pseudonyms() {
		if _, err := keyring.FindStamp(txn, p); !errors.Is(err, keyring.ErrUnknown) {
			return p, err
		}
	}
	return pseudonym.Pseudonym{}, keyring.ErrUnknown
}

// ViewOf runs f on the store as of one moment with who the identifier is at that moment.
func (ss *Set) ViewOf(id pseudonym.Identifier, f func(store.Reader, naming.Named) error) error {
	for {
		ring := ss.Vault.Ring()
		who, err := ss.NameOf(id)
		if err != nil {
			return err
		}
		err = ss.Line.View(func(txn store.Reader) error {
			if err := ss.notBehind(txn, who); err != nil {
				return err
			}
			if !ss.IsCurrent(who) {
				return ErrNamesChanged
			}
			return f(txn, who)
		})
		if errors.Is(err, envelope.ErrGeneration) && ss.Vault.Ring() != ring {
			continue // it was read before it was wrapped anew, and its KEK destroyed meanwhile
		}
		if !errors.Is(err, ErrNamesChanged) {
			return err
		}
	}
}

// notBehind refuses to look a subject up in a shared store that shows less than it has
// acknowledged.
func (ss *Set) notBehind(txn store.Reader, who naming.Named) error {
	if !ss.shared() {
		return nil
	}
	var keys [][]byte
	for _, p := range who.Pseudonyms() {
		keys = append(keys, keyring.StampRow(p), keyring.Row(p))
	}
	return ss.Line.Current(txn, keys...)
}

// Former are the pseudonyms that a subject had before, none when its list does not open.
func (ss *Set) Former(txn store.Reader, p pseudonym.Pseudonym) []pseudonym.Pseudonym {
	s, err := ss.Load(txn, p)
	if err != nil {
		return nil
	}
	s.Wipe()
	return s.List.Former
}

// PseudonymGenerations are those of the keys that subjects lie under, the one that new
// subjects get first.
func (ss *Set) PseudonymGenerations() []uint32 { return ss.names.Load().Generations() }

// HoldStill has no subject get another pseudonym until it is released, for who must not
// miss one, or moves them.
func (ss *Set) HoldStill(ctx context.Context) (release func(), err error) {
	select {
	case ss.moving <- struct{}{}:
		return func() { <-ss.moving }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Names are the keys that subjects lie under.
func (ss *Set) Names() *naming.Keys { return ss.names.Load() }

// Said is the row that says so.
func (ss *Set) Said() []byte { return ss.names.Load().Seal(ss.Tallies) }

// MaxLooked bounds how many subjects one view of the store looks at.
const MaxLooked = 4096
