package gallery

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Who is held by a consent alone is erased when it is withdrawn. Which consent that is lies
// in the subject's sealed list; a row for each says where to look.

// Holds reports whether somebody is held by a consent alone.
func (g *Gallery) Holds(consent [32]byte) (is bool, err error) {
	err = g.set.Line.View(func(txn store.Reader) error {
		for _, err := range txn.Scan(g.set.Vault.ConsentPrefix(consent), nil) {
			is = err == nil
			return err
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("looking for who is held by a consent: %w", err)
	}
	return is, nil
}

// heldOne is a subject who is held by a consent.
type heldOne struct {
	p       pseudonym.Pseudonym
	consent [32]byte
}

// EraseHeldBy erases, as [Gallery.Erase] does, everybody who is held by a consent alone, and
// returns how many that were. None is no error.
func (g *Gallery) EraseHeldBy(ctx context.Context, consent [32]byte) (subjects int, err error) {
	if consent == ([32]byte{}) {
		return 0, nil
	}
	var found []heldOne
	prefix := g.set.Vault.ConsentPrefix(consent)
	err = g.set.Line.View(func(txn store.Reader) error {
		for row, err := range txn.Scan(prefix, nil) {
			if err != nil {
				return err
			}
			if p, ok := bytes.CutPrefix(row.Key, prefix); ok && len(p) == len(pseudonym.Pseudonym{}) {
				found = append(found, heldOne{pseudonym.Pseudonym(p), consent})
			}
		}
		return nil
	})
	if err == nil {
		subjects, err = g.eraseHeld(ctx, found)
	}
	if err != nil {
		return subjects, fmt.Errorf("erasing who is held by a consent: %w", err)
	}
	return subjects, nil
}

// EraseHeldByAny does what EraseHeldBy does with every consent that is withdrawn, looking at
// everybody: for when withdrawals became known otherwise than one by one.
func (g *Gallery) EraseHeldByAny(ctx context.Context, withdrawn func(consent [32]byte) (bool, error)) (subjects int, err error) {
	for after, more := []byte(nil), true; more && err == nil; {
		var found, gone []heldOne
		if found, after, err = g.heldAfter(ctx, after); err != nil {
			break
		}
		more = after != nil
		for _, one := range found {
			is, err := withdrawn(one.consent)
			if err != nil {
				return subjects, fmt.Errorf("erasing who is held by withdrawn consents: %w", err)
			}
			if is {
				gone = append(gone, one)
			}
		}
		var n int
		n, err = g.eraseHeld(ctx, gone)
		subjects += n
	}
	if err != nil {
		return subjects, fmt.Errorf("erasing who is held by withdrawn consents: %w", err)
	}
	return subjects, nil
}

// heldAfter looks at subjects after a key for those that consents hold; last is nil when it
// came to the end.
func (g *Gallery) heldAfter(ctx context.Context, after []byte) (found []heldOne, last []byte, err error) {
	err = g.set.Line.View(func(txn store.Reader) error {
		looked := 0
		for row, err := range txn.Scan([]byte("k"), after) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if looked++; looked > subjects.MaxLooked {
				return nil
			}
			if last = bytes.Clone(row.Key); len(last) != 1+len(pseudonym.Pseudonym{}) {
				continue
			}
			p := pseudonym.Pseudonym(last[1:])
			s, err := g.set.Load(txn, p)
			if errors.Is(err, ErrDamaged) {
				continue // fsck lists who that is
			}
			if err != nil {
				return err
			}
			s.Wipe()
			if s.List.Consent != ([32]byte{}) {
				found = append(found, heldOne{p, s.List.Consent})
			}
		}
		last = nil
		return nil
	})
	return found, last, err
}

// eraseHeld erases those of found whom, when their turn comes, the same consent holds.
func (g *Gallery) eraseHeld(ctx context.Context, found []heldOne) (subjects int, err error) {
	for _, one := range found {
		_, err := g.eraseInTurn(ctx, []pseudonym.Pseudonym{one.p}, func(txn store.Reader) (pseudonym.Pseudonym, error) {
			s, err := g.set.Load(txn, one.p)
			if err != nil {
				return one.p, err
			}
			s.Wipe()
			if s.List.Consent != one.consent { // erased and enrolled anew meanwhile
				return one.p, ErrUnknownSubject
			}
			return one.p, nil
		})
		switch {
		case err == nil:
			subjects++
		case !errors.Is(err, ErrUnknownSubject):
			return subjects, err
		}
	}
	return subjects, nil
}
