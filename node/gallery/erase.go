package gallery

import (
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Erase destroys everything that is held of a subject: key, records, findings and
// holder key, whichever batch brought them. It returns how many records there were,
// once the subject is unknown and stays so: past a crash, and past an older copy of
// the folder put back, which [Open] erases from again. An identifier under which no
// one is enrolled gives [ErrUnknownSubject]. Who is erased can be enrolled anew.
//
// Copies of the wrapped key in files that Badger has not rewritten, and in backups, open
// until the KEK that wraps it is destroyed: see [Gallery.RewrapAll].
func (g *Gallery) Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error) {
	p, err := g.pseudonyms.Pseudonym(id)
	if err != nil {
		return 0, fmt.Errorf("erasing subject: %w", err)
	}
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return 0, fmt.Errorf("erasing subject: %w", ctx.Err())
	}
	if g.failed != nil {
		return 0, fmt.Errorf("erasing subject: %w", g.failed)
	}
	if records, err = g.erase(p); err != nil {
		return 0, fmt.Errorf("erasing subject: %w", err)
	}
	return records, nil
}

// erase is Erase by who has the turn. The list of erasures comes first: should the
// process die before the commit, the next Open makes up for it.
func (g *Gallery) erase(p pseudonym.Pseudonym) (records int, err error) {
	err = g.update(nil, func(b *bundle) error {
		if _, _, err := lookUp(b.txn, p); errors.Is(err, ErrUnknownSubject) {
			return err
		} else if err != nil {
			return damaged("reading keyring", err)
		}
		if err := b.list(g, erasure{b.tally.commit, p}); err != nil {
			return err
		}
		if records, err = b.erase(g, p); err != nil && !g.db.Shared() {
			g.failed = fmt.Errorf("%w; reopen the gallery", err)
		}
		return err
	})
	if err != nil {
		g.unsure = true
	}
	return records, err
}

// list puts an entry on the list of erasures, and its copy into a shared store.
func (b *bundle) list(g *Gallery, x erasure) error {
	entry, err := g.erased.add(x)
	if err != nil {
		g.failed = fmt.Errorf("%w; reopen the gallery", err) // how much of it was written is unknown
		return g.failed
	}
	b.tally.erasures = g.erased.n
	if !g.db.Shared() {
		return nil
	}
	return b.set(write{erasureKey(g.erased.n - 1), entry})
}

// erase stages the removal of a subject, whole.
func (b *bundle) erase(g *Gallery, p pseudonym.Pseudonym) (records int, err error) {
	stamp, _, err := lookUp(b.txn, p)
	if err != nil {
		return 0, err
	}
	s, err := g.load(b.txn, p)
	switch {
	case err == nil:
		defer s.dek.Wipe()
		for _, r := range s.list.Records {
			if err := b.drop(g.recordKey(p, r.Slot)); err != nil {
				return 0, err
			}
		}
		records = len(s.list.Records)
	case !errors.Is(err, ErrDamaged):
		return 0, err
	default:
		// Its list cannot be read, so its records cannot be found; without the key
		// they are noise.
	}
	b.tally.subjects--
	b.tally.sum -= uint64(stamp)
	return records, errors.Join(b.drop(keyringKey(p)), b.drop(stampKey(p)))
}

// eraseAgain carries out what the list of erasures has beyond the stored tally: what
// a crash cut off, or all that was erased since the folder's copy was made. A subject
// whose keyring a later commit wrote was enrolled anew and stays. Afterwards commit
// numbers go on above those of the list, so that this stays true.
func (g *Gallery) eraseAgain() error {
	if g.db.Shared() {
		g.unsure = true
		return g.update(nil, func(*bundle) error { return nil })
	}
	if g.erased.n < g.tally.erasures {
		return fmt.Errorf("%w: the list of erasures has %d entries, and the store has carried out %d", ErrDamaged, g.erased.n, g.tally.erasures)
	}
	done := g.tally.erasures
	return g.erased.from(done, func(x erasure) error {
		done++
		return g.update(nil, func(b *bundle) error {
			b.tally.erasures = done
			b.tally.commit = max(b.tally.commit, x.commit+1)
			return b.eraseAgain(g, x)
		})
	})
}

// eraseAgain stages the removal of a subject, unless a later commit enrolled it anew.
func (b *bundle) eraseAgain(g *Gallery, x erasure) error {
	stamp, _, err := lookUp(b.txn, x.subject)
	switch {
	case errors.Is(err, ErrUnknownSubject), err == nil && stamp > x.commit:
		return nil
	case err != nil:
		return damaged("erasing again", err)
	}
	_, err = b.erase(g, x.subject)
	return err
}
