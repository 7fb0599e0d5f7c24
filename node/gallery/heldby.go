package gallery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Who is held by a consent alone is erased when it is withdrawn. Which consent that is lies
// in the subject's sealed list; a row for each says where to look.

// heldOne is a subject who is held by a consent.
type heldOne struct {
	p       pseudonym.Pseudonym
	consent [32]byte
}

// EraseHeldBy erases, as [Gallery.Erase] does, everybody who is held by a consent alone, and
// returns how many that were. None is no error. Before somebody is erased, first says so; its
// error keeps it from being done. Who is damaged keeps nobody else from it.
func (g *Gallery) EraseHeldBy(ctx context.Context, consent [32]byte, first func(context.Context) error) (subjects int, err error) {
	if consent == ([32]byte{}) {
		return 0, nil
	}
	looked := make(map[pseudonym.Pseudonym]bool)
	for err == nil {
		var found []heldOne
		if found, err = g.heldBy(ctx, consent); err != nil {
			break
		}
		// Who got another pseudonym meanwhile is found the next time, under that.
		found = slices.DeleteFunc(found, func(one heldOne) bool { return looked[one.p] })
		if len(found) == 0 {
			return subjects, nil
		}
		for _, one := range found {
			looked[one.p] = true
		}
		var n int
		n, err = g.eraseHeld(ctx, found, first)
		subjects += n
	}
	return subjects, fmt.Errorf("erasing who is held by a consent: %w", err)
}

// heldBy are those of whom rows say that the consent holds them.
func (g *Gallery) heldBy(ctx context.Context, consent [32]byte) (found []heldOne, err error) {
	prefix := g.set.Vault.ConsentPrefix(consent)
	err = g.set.Line.View(func(txn store.Reader) error {
		if err := g.set.Line.Current(txn); err != nil { // in one that is behind they may be missing
			return err
		}
		found, err = carried(ctx, txn, prefix, consent)
		return err
	})
	return found, err
}

func carried(ctx context.Context, txn store.Reader, prefix []byte, consent [32]byte) (found []heldOne, err error) {
	for row, err := range txn.Scan(prefix, nil) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		if p, ok := bytes.CutPrefix(row.Key, prefix); ok && len(p) == len(pseudonym.Pseudonym{}) {
			found = append(found, heldOne{pseudonym.Pseudonym(p), consent})
		}
	}
	return found, nil
}

// EraseHeldByAny does what EraseHeldBy does with every consent that is withdrawn, looking at
// everybody: for when withdrawals became known otherwise than one by one.
func (g *Gallery) EraseHeldByAny(ctx context.Context, withdrawn func(consent [32]byte) (bool, error), first func(context.Context) error) (subjects int, err error) {
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
		n, err = g.eraseHeld(ctx, gone, first)
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
func (g *Gallery) eraseHeld(ctx context.Context, found []heldOne, first func(context.Context) error) (subjects int, err error) {
	var damaged error
	for _, one := range found {
		is, err := g.eraseOne(ctx, one, first)
		switch {
		case is:
			subjects++
		case errors.Is(err, ErrDamaged):
			damaged = err // fsck lists who that is; the others have a right to it as well
		case err != nil:
			return subjects, err
		}
	}
	return subjects, damaged
}

func (g *Gallery) eraseOne(ctx context.Context, one heldOne, first func(context.Context) error) (is bool, err error) {
	held := func(txn store.Reader) error {
		s, err := g.set.Load(txn, one.p)
		if err != nil {
			return err
		}
		s.Wipe()
		if s.List.Consent != one.consent { // erased and enrolled anew meanwhile
			return ErrUnknownSubject
		}
		return nil
	}
	still := g.set.Line.View(held)
	if still == nil {
		if err := first(ctx); err != nil {
			return false, err
		}
	} else if !errors.Is(still, ErrUnknownSubject) {
		return false, still
	}
	_, err = g.eraseInTurn(ctx, []pseudonym.Pseudonym{one.p}, func(txn store.Reader) (pseudonym.Pseudonym, error) {
		if still != nil { // for one that was begun and failed
			return one.p, still
		}
		return one.p, held(txn)
	})
	if errors.Is(err, ErrUnknownSubject) {
		return false, nil
	}
	return err == nil, err
}
