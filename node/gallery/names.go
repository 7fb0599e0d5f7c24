package gallery

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
// one by [Gallery.RenameAll]. What a subject is moved by lies in its sealed list: not the
// identifier but the element that the pseudonym is the hash of, which tells nothing without
// the key.

var (
	// errNamesChanged: the keys that subjects lie under are others by now.
	errNamesChanged = errors.New("the pseudonym keys changed meanwhile")
	// ErrPseudonymKeys reports a keystore that lacks a key under which subjects lie: it is
	// older than the gallery.
	ErrPseudonymKeys = naming.ErrMissing
)

// openNames finds the keys that a row names in the ring.
func (g *Gallery) openNames(row []byte) (*naming.Keys, error) {
	n, err := naming.Open(row, g.tallies, g.keys.Load())
	if errors.Is(err, naming.ErrAhead) && g.shared() {
		err = fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	return n, err
}

// startNames reads under which keys subjects lie, when the gallery is opened.
func (g *Gallery) startNames() error {
	g.names.Store(naming.Current(g.keys.Load()))
	return g.line.View(func(txn store.Reader) error {
		_, err := g.seeNames(txn)
		if errors.Is(err, ErrPseudonymKeys) && !errors.Is(err, ErrOutdated) {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return err
	})
}

// seeNames takes note of the keys that subjects lie under as of a moment of the store,
// and reports whether the store says so: before the first commit it does not.
func (g *Gallery) seeNames(txn store.Reader) (said bool, err error) {
	row, err := txn.Get(naming.Row())
	if errors.Is(err, store.ErrNotFound) {
		if t, err := g.tallies.Stored(txn); err != nil || t.Commit > 0 {
			return false, store.Damaged("reading pseudonym keys", errors.Join(err, errors.New("they are missing")))
		}
		return false, nil
	}
	if err != nil {
		return false, store.Damaged("reading pseudonym keys", err)
	}
	if bytes.Equal(row, g.names.Load().Seal(g.tallies)) {
		return true, nil
	}
	n, err := g.openNames(row)
	if errors.Is(err, ErrPseudonymKeys) && g.shared() {
		// Another node has replaced the key. A subject that this one did not find would
		// pass for unknown.
		return true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return true, err
	}
	g.names.Store(n)
	return true, nil
}

// UsePseudonyms has the gallery use another ring of pseudonym keys from now on: new
// subjects get the pseudonym under its current key, unless the store has gone on to a
// newer one. It refuses a ring that lacks a key under which subjects lie, and changes
// nothing then. See [Gallery.RenameAll].
func (g *Gallery) UsePseudonyms(ctx context.Context, ring *pseudonym.Ring) error {
	if err := g.line.InTurn(ctx, func() error { return g.usePseudonyms(ring) }); err != nil {
		return fmt.Errorf("changing pseudonym keys: %w", err)
	}
	return nil
}

func (g *Gallery) usePseudonyms(ring *pseudonym.Ring) error {
	before := g.keys.Load()
	if err := g.names.Load().In(ring); err != nil {
		return err
	}
	g.keys.Store(ring)
	if err := g.adopt(); err != nil {
		g.keys.Store(before)
		return err
	}
	return nil
}

// adopt has new subjects lie under the current key of the ring, if that is newer than
// what the store says. The caller has the turn, or the gallery alone.
func (g *Gallery) adopt() error {
	ring := g.keys.Load()
	if n := g.names.Load(); n != nil && ring.Current() <= n.Target() {
		return nil // nothing needs to be written, which a full disk does not take
	}
	return g.changeNames(func(n *naming.Keys, _ uint32) (*naming.Keys, error) {
		if ring.Current() <= n.Target() {
			return n, nil
		}
		return n.Before(ring)
	})
}

// changeNames makes durable which keys subjects lie under, and then goes by it. The
// caller has the turn, or the gallery alone.
func (g *Gallery) changeNames(change func(n *naming.Keys, number uint32) (*naming.Keys, error)) error {
	var next *naming.Keys
	err := g.line.Update([][]byte{naming.Row()}, func(b *commit.Bundle) (err error) {
		was := g.names.Load() // as the store says by now
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
		return b.Set(commit.Write{Key: naming.Row(), Value: next.Seal(g.tallies)})
	})
	if err == nil {
		g.names.Store(next)
	}
	return err
}

// nameOf is who id is under every key that he may lie under.
func (g *Gallery) nameOf(id pseudonym.Identifier) (naming.Named, error) {
	who, err := g.names.Load().Name(id)
	if errors.Is(err, pseudonym.ErrHolders) {
		// Whether the person is enrolled cannot be told now.
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return who, err
}

// isCurrent reports whether who is still all that he may lie under. That holds as long
// as the turn is held, and for what a view shows that began before it was asked.
func (g *Gallery) isCurrent(who naming.Named) bool { return who.Keys == g.names.Load() }

// find loads the subject from where it lies: see load.
func (g *Gallery) find(txn store.Reader, who naming.Named) (keyring.Subject, error) {
	for _, p := range who.Pseudonyms() {
		if s, err := g.load(txn, p); !errors.Is(err, ErrUnknownSubject) {
			return s, err
		}
	}
	return keyring.Subject{}, ErrUnknownSubject
}

func whereIs(txn store.Reader, who naming.Named) (pseudonym.Pseudonym, error) {
	for _, p := range who.Pseudonyms() {
		if _, err := keyring.FindStamp(txn, p); !errors.Is(err, ErrUnknownSubject) {
			return p, err
		}
	}
	return pseudonym.Pseudonym{}, ErrUnknownSubject
}

// viewOf runs f on the store as of one moment with who the identifier is at that moment.
func (g *Gallery) viewOf(id pseudonym.Identifier, f func(store.Reader, naming.Named) error) error {
	for {
		ring := g.vault.Ring()
		who, err := g.nameOf(id)
		if err != nil {
			return err
		}
		err = g.line.View(func(txn store.Reader) error {
			if err := g.notBehind(txn, who); err != nil {
				return err
			}
			if !g.isCurrent(who) {
				return errNamesChanged
			}
			return f(txn, who)
		})
		if errors.Is(err, envelope.ErrGeneration) && g.vault.Ring() != ring {
			continue // it was read before it was wrapped anew, and its KEK destroyed meanwhile
		}
		if !errors.Is(err, errNamesChanged) {
			return err
		}
	}
}

// notBehind refuses to look a subject up in a shared store that shows less than it has
// acknowledged.
func (g *Gallery) notBehind(txn store.Reader, who naming.Named) error {
	if !g.shared() {
		return nil
	}
	var keys [][]byte
	for _, p := range who.Pseudonyms() {
		keys = append(keys, keyring.StampRow(p), keyring.Row(p))
	}
	return g.line.Current(txn, keys...)
}

// former are the pseudonyms that a subject had before, none when its list does not open.
func (g *Gallery) former(txn store.Reader, p pseudonym.Pseudonym) []pseudonym.Pseudonym {
	s, err := g.load(txn, p)
	if err != nil {
		return nil
	}
	s.Wipe()
	return s.List.Former
}

// Renamed is how far RenameAll has come.
type Renamed struct {
	Looked   uint64 // subjects that were looked at
	Subjects uint64 // of them, those that lay under another key
}

// RenameAll gives every subject the pseudonym under the key that new subjects get, and
// then has the store say that none lies under another, so that others can be destroyed.
// It returns the generation of that key. Nobody's identifier is asked for. Enrolments,
// erasures and look-ups go on meanwhile. It may be stopped and begun again at any time:
// what is done is durable and is passed over. Damaged subjects do not keep it from the
// others, and make it fail with [ErrDamaged] in the end.
//
// Copies of the files from before hold the old pseudonyms, which can be tested against
// guessed identifiers by who has the old key.
func (g *Gallery) RenameAll(ctx context.Context, progress func(Renamed)) (generation uint32, total Renamed, err error) {
	select {
	case g.moving <- struct{}{}:
		defer func() { <-g.moving }()
	case <-ctx.Done():
		return 0, total, fmt.Errorf("renewing pseudonyms: %w", ctx.Err())
	}
	target := g.names.Load()
	if target.Several() {
		if total, err = g.renameAll(ctx, progress); err == nil {
			err = g.leaveNames(ctx, target)
		}
	}
	if err != nil {
		return 0, total, fmt.Errorf("renewing pseudonyms: %w", err)
	}
	return target.Target(), total, nil
}

// PseudonymGenerations are those of the keys that subjects lie under, the one that new
// subjects get first.
func (g *Gallery) PseudonymGenerations() []uint32 { return g.names.Load().Generations() }

func (g *Gallery) renameAll(ctx context.Context, progress func(Renamed)) (total Renamed, err error) {
	var broken error
	for after := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		page, err := g.misnamed(after)
		broken = errors.Join(broken, page.broken)
		if err == nil {
			err = g.rename(ctx, page.found)
		}
		if errors.Is(err, ErrDamaged) {
			broken, err = errors.Join(broken, err), nil
		}
		if err != nil {
			return total, err
		}
		total.Looked += page.looked
		total.Subjects += uint64(len(page.found))
		if progress != nil {
			progress(total)
		}
		if page.last == nil {
			return total, broken
		}
		after = page.last
	}
}

// misnamed looks at subjects after a key for those that lie under another pseudonym key
// than the first.
func (g *Gallery) misnamed(after []byte) (page outdatedPage, err error) {
	err = g.line.View(func(txn store.Reader) error {
		target := g.names.Load().Target()
		for row, err := range txn.Scan([]byte("k"), after) {
			if err != nil {
				return err
			}
			if len(page.found) == maxRenew || page.looked == maxLooked {
				return nil
			}
			page.last = bytes.Clone(row.Key)
			page.looked++
			naming, p, err := g.namingOf(txn, page.last)
			switch {
			case errors.Is(err, ErrDamaged):
				page.broken = err
			case err != nil:
				return err
			case naming != target:
				page.found = append(page.found, p)
			}
		}
		page.last = nil
		return nil
	})
	return page, err
}

// namingOf is the generation of the pseudonym key of the subject whose keyring has this key.
func (g *Gallery) namingOf(txn store.Reader, key []byte) (uint32, pseudonym.Pseudonym, error) {
	if len(key) != 1+len(pseudonym.Pseudonym{}) {
		return 0, pseudonym.Pseudonym{}, fmt.Errorf("reading keyring: %w: key of the wrong length", ErrDamaged)
	}
	p := pseudonym.Pseudonym(key[1:])
	s, err := g.load(txn, p)
	if err != nil {
		return 0, p, err
	}
	s.Wipe()
	return s.List.Naming, p, nil
}

// rename commits the new pseudonyms of some subjects.
func (g *Gallery) rename(ctx context.Context, found []pseudonym.Pseudonym) error {
	if len(found) == 0 {
		return nil
	}
	c := &call{results: make([]Result, len(found)), size: len(found) * maxKeyring}
	for _, p := range found {
		c.jobs = append(c.jobs, job{p: p, rename: true})
	}
	err := g.await(ctx, c)
	for _, r := range c.results {
		if r.Change == Failed && !errors.Is(r.Err, ErrUnknownSubject) { // unknown: erased meanwhile
			err = errors.Join(err, r.Err)
		}
	}
	return err
}

// stageRename works out the keyring of a subject under its new pseudonym. Its records
// stay where they are and are sealed under the same key.
func (g *Gallery) stageRename(txn store.Reader, number uint32, p pseudonym.Pseudonym) (staged, error) {
	s, err := g.load(txn, p)
	if err != nil {
		return staged{}, err
	}
	defer func() { s.Wipe() }()
	n := g.names.Load()
	if s.List.Naming == n.Target() {
		return staged{change: Unchanged}, nil
	}
	from := n.Key(s.List.Naming)
	element, err := n.Key(n.Target()).Update(from, s.List.Element)
	if errors.Is(err, pseudonym.ErrHolders) {
		return staged{}, fmt.Errorf("renewing pseudonym: %w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return staged{}, store.Damaged("renewing pseudonym", err)
	}
	if _, err := keyring.FindStamp(txn, element.Pseudonym()); !errors.Is(err, ErrUnknownSubject) {
		return staged{}, store.Damaged("renewing pseudonym", errors.Join(err, errors.New("it is taken")))
	}
	if err := g.vault.Rename(&s, element, n.Target()); err != nil {
		return staged{}, err
	}
	if err := g.mayWrap(txn, s); err != nil {
		return staged{}, err
	}
	moved, err := g.stageKeyring(s, number, Updated, g.heldByWrites(s))
	moved.from = p
	moved.drops = append(g.heldByRows(s.List.Consent, p), keyring.Row(p), keyring.StampRow(p))
	return moved, err
}

// leaveNames has the store say that subjects lie under the first key alone, once it is
// sure that they do: of a store that stopped early over damage, a scan would not tell.
func (g *Gallery) leaveNames(ctx context.Context, target *naming.Keys) error {
	err := g.line.View(func(txn store.Reader) error {
		t, err := g.tallies.Stored(txn)
		if err != nil {
			return store.Damaged("reading tally", err)
		}
		var seen uint64
		for row, err := range txn.Scan([]byte("k"), nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			naming, _, err := g.namingOf(txn, bytes.Clone(row.Key))
			if err != nil {
				return err
			}
			if naming != target.Target() {
				return errNamesChanged
			}
			seen++
		}
		if seen != t.Subjects {
			return fmt.Errorf("%w: subjects are missing from the store", ErrDamaged)
		}
		return nil
	})
	if err != nil {
		return err
	}
	changed := false
	err = g.line.InTurn(ctx, func() error {
		return g.changeNames(func(n *naming.Keys, number uint32) (*naming.Keys, error) {
			if changed = n.Target() != target.Target(); changed || !n.Several() {
				return n, nil
			}
			return n.Only(number), nil
		})
	})
	if err == nil && changed {
		err = errNamesChanged
	}
	return err
}
