package gallery

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// UseRing has the gallery use another ring of KEKs from now on: keys of new subjects
// are wrapped under its current generation. A ring that lacks a generation which is
// still in use makes its subjects damaged; see [Gallery.RewrapAll] and
// [Gallery.Accepts]. The ring of before
// may be wiped at once.
func (g *Gallery) UseRing(r *envelope.Ring) { g.vault.Use(r) }

// mayWrap refuses a key that was just wrapped under a KEK which may be about to be
// destroyed.
func (g *Gallery) mayWrap(txn store.Reader, fresh keyring.Subject) error {
	least, err := g.least(txn, leastKEK)
	if err == nil && fresh.Generation() < least {
		err = g.outrun()
	}
	return err
}

// Rewrapped is how far RewrapAll has come.
type Rewrapped struct {
	Generation uint32 // of the KEK that keys are wrapped under, or a later one, when it is done
	Looked     uint64 // subjects that were looked at
	Subjects   uint64 // of them, those whose key was wrapped under an older KEK
}

// RewrapAll wraps the key of every subject under the current generation of the ring.
// Enrolments and look-ups go on
// meanwhile. It may be stopped and begun again at any time: what is done is durable
// and is passed over. When it returns nil, no key of a subject in the store is
// wrapped by an older generation, or ever will be by who shares it: it has looked at all
// subjects that the store should have. So those can be destroyed as soon as nobody is
// [Gallery.Behind]. Damaged ones do not keep it from the others, and
// make it fail with [ErrDamaged] in the end; see [Gallery.EraseDamaged].
func (g *Gallery) RewrapAll(ctx context.Context, progress func(Rewrapped)) (total Rewrapped, err error) {
	// Another may become current any time.
	if total.Generation, err = g.announce(ctx, leastKEK, func() uint32 { return g.vault.Current() }); err != nil {
		return total, fmt.Errorf("rewrapping keys: %w", err)
	}
	for after := []byte(nil); ; {
		page, err := g.stale(after, total.Generation)
		if err == nil {
			err = errors.Join(g.rewrap(ctx, page.found, &total.Subjects), ctx.Err())
		}
		if err != nil {
			return total, fmt.Errorf("rewrapping keys: %w", err)
		}
		total.Looked += page.looked
		if progress != nil {
			progress(total)
		}
		if page.last == nil {
			break
		}
		after = page.last
	}
	if err := g.verifyRewrapped(ctx, total.Generation); err != nil {
		return total, fmt.Errorf("rewrapping keys: %w", err)
	}
	return total, nil
}

// maxRewrap bounds how many keyrings one commit rewrites, so that enrolments do not
// wait long.
const maxRewrap = 64

// rewrap commits the rewrapping of some subjects and counts them. It passes over the
// damaged ones.
func (g *Gallery) rewrap(ctx context.Context, found []pseudonym.Pseudonym, total *uint64) error {
	if len(found) == 0 {
		return nil
	}
	c := &call{results: make([]Result, len(found)), size: len(found) * maxKeyring}
	for _, p := range found {
		c.jobs = append(c.jobs, job{p: p, rewrap: true})
	}
	err := g.await(ctx, c)
	for _, r := range c.results {
		switch {
		case r.Change == Updated || r.Change == Unchanged:
			*total++
		case errors.Is(r.Err, ErrDamaged), errors.Is(r.Err, ErrUnknownSubject): // unknown: erased meanwhile
			if errors.Is(err, ErrDamaged) && errors.Is(r.Err, ErrDamaged) {
				err = nil // it is this one's; the results of the others stand
			}
		default:
			return errors.Join(err, r.Err)
		}
	}
	return err
}

// stale lists subjects after a key whose DEK is wrapped by an older generation than the
// given one, as far as can be read.
func (g *Gallery) stale(after []byte, current uint32) (page outdatedPage, err error) {
	err = g.line.View(func(txn store.Reader) error {
		for row, err := range txn.Scan([]byte("k"), after) {
			if err != nil {
				return err
			}
			if len(page.found) == maxRewrap || page.looked == maxLooked {
				return nil
			}
			page.last = bytes.Clone(row.Key)
			page.looked++
			if generation, err := keyring.GenerationOf(row); err == nil && generation < current {
				page.found = append(page.found, pseudonym.Pseudonym(page.last[1:]))
			}
		}
		page.last = nil
		return nil
	})
	return page, err
}

// errStale: somebody else who shares the store still uses an older generation.
var errStale = errors.New("a subject was written under another generation meanwhile; begin again")

// readable is nil when keyring and record list of a subject open.
func (g *Gallery) readable(txn store.Reader, p pseudonym.Pseudonym) error {
	s, err := g.load(txn, p)
	if err == nil {
		s.Wipe()
	}
	return err
}

// verifyRewrapped looks at every keyring as of one moment: that none is under an older
// generation, and that all are there. An engine that stops early over damage would
// otherwise have the KEK destroyed that what it passed over needs.
func (g *Gallery) verifyRewrapped(ctx context.Context, current uint32) error {
	return g.line.View(func(txn store.Reader) error {
		t, err := g.tallies.Stored(txn)
		if err != nil {
			return store.Damaged("reading tally", err)
		}
		var seen, broken uint64
		for row, err := range txn.Scan([]byte("k"), nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			seen++
			generation, err := keyring.GenerationOf(row)
			if err == nil && generation == current {
				continue
			}
			if err == nil {
				err = g.readable(txn, pseudonym.Pseudonym(row.Key[1:]))
			}
			switch {
			case err == nil && generation > current: // another of the store's has gone on
				continue
			case err == nil:
				return errStale
			case !errors.Is(err, ErrDamaged):
				return err
			}
			broken++
		}
		switch {
		case seen != t.Subjects:
			return fmt.Errorf("%w: %d of %d subjects are missing from the store", ErrDamaged, t.Subjects-seen, t.Subjects)
		case broken > 0:
			return fmt.Errorf("%w: %d of %d subjects cannot be read", ErrDamaged, broken, t.Subjects)
		}
		return nil
	})
}

// stageRewrap works out the keyring of a subject under the current generation.
func (g *Gallery) stageRewrap(txn store.Reader, number uint32, p pseudonym.Pseudonym) (staged, error) {
	s, err := g.load(txn, p)
	if err != nil {
		return staged{}, err
	}
	defer func() { s.Wipe() }()
	if s.Generation() >= g.vault.Current() {
		return staged{change: Unchanged}, nil
	}
	if err := g.vault.Rewrap(&s); err != nil {
		return staged{}, err
	}
	if err := g.mayWrap(txn, s); err != nil {
		return staged{}, err
	}
	return g.stageKeyring(s, number, Updated, nil)
}
