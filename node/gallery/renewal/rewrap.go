package renewal

import (
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Rewrapped is how far Rewrap has come.
type Rewrapped struct {
	Generation uint32 // of the KEK that keys are wrapped under, or a later one, when it is done
	Looked     uint64 // subjects that were looked at
	Subjects   uint64 // of them, those whose key was wrapped under an older KEK
}

// Rewrap wraps the key of every subject under the current generation of the ring. When it
// returns nil, no key of a subject in the store is wrapped by an older generation, or ever
// will be by who shares it. So those can be destroyed as soon as nobody is behind: see
// [subjects.Set.Behind].
func Rewrap(ctx context.Context, ss *subjects.Set, progress func(Rewrapped)) (total Rewrapped, err error) {
	// Another may become current any time.
	if total.Generation, err = ss.Announce(ctx, subjects.LeastKEK, ss.Vault.Current); err != nil {
		return total, fmt.Errorf("rewrapping keys: %w", err)
	}
	r := rewrapping{ss}
	for after := []byte(nil); ; {
		page, err := r.stale(after, total.Generation)
		if err == nil {
			err = errors.Join(r.rewrap(ctx, page.found, &total.Subjects), ctx.Err())
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
	if err := r.verify(ctx, total.Generation); err != nil {
		return total, fmt.Errorf("rewrapping keys: %w", err)
	}
	return total, nil
}

type rewrapping struct{ ss *subjects.Set }

// rewrap commits the rewrapping of some subjects and counts them. It passes over the
// damaged ones.
func (r rewrapping) rewrap(ctx context.Context, found []pseudonym.Pseudonym, total *uint64) error {
	jobs, err := await(ctx, r.ss, found, len(found)*keyring.MaxRow, keyringAlone, r.stage)
	for _, j := range jobs {
		switch {
		case j.done && j.err == nil:
			*total++
		case errors.Is(j.err, store.ErrDamaged), j.gone():
			if errors.Is(err, store.ErrDamaged) && errors.Is(j.err, store.ErrDamaged) {
				err = nil // it is this one's; the results of the others stand
			}
		default:
			return errors.Join(err, j.err)
		}
	}
	return err
}

// stale lists subjects after a key whose DEK is wrapped by an older generation than the
// given one, as far as can be read.
func (r rewrapping) stale(after []byte, current uint32) (page, error) {
	return look(r.ss, after, func(_ store.Reader, row store.Row, _ *page) (p pseudonym.Pseudonym, is bool, _ error) {
		if generation, err := keyring.GenerationOf(row); err == nil && generation < current {
			return pseudonym.Pseudonym(row.Key[1:]), true, nil
		}
		return p, false, nil
	})
}

// errStale: somebody else who shares the store still uses an older generation.
var errStale = errors.New("a subject was written under another generation meanwhile; begin again")

// verify looks at every keyring as of one moment: that none is under an older generation,
// and that all are there.
func (r rewrapping) verify(ctx context.Context, current uint32) error {
	return r.ss.Line.View(func(txn store.Reader) error {
		t, err := r.ss.Tallies.Stored(txn)
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
				err = r.ss.Readable(txn, pseudonym.Pseudonym(row.Key[1:]))
			}
			switch {
			case err == nil && generation > current: // another of the store's has gone on
				continue
			case err == nil:
				return errStale
			case !errors.Is(err, store.ErrDamaged):
				return err
			}
			broken++
		}
		switch {
		case seen != t.Subjects:
			return fmt.Errorf("%w: %d of %d subjects are missing from the store", store.ErrDamaged, t.Subjects-seen, t.Subjects)
		case broken > 0:
			return fmt.Errorf("%w: %d of %d subjects cannot be read", store.ErrDamaged, broken, t.Subjects)
		}
		return nil
	})
}

// stage works out the keyring of a subject under the current generation.
func (r rewrapping) stage(txn store.Reader, number uint32, p pseudonym.Pseudonym) (subjects.Staged, error) {
	s, err := r.ss.Load(txn, p)
	if err != nil {
		return subjects.Staged{}, err
	}
	defer func() { s.Wipe() }()
	if s.Generation() >= r.ss.Vault.Current() {
		return subjects.Staged{}, nil
	}
	if err := r.ss.Vault.Rewrap(&s); err != nil {
		return subjects.Staged{}, err
	}
	if err := r.ss.MayWrap(txn, s); err != nil {
		return subjects.Staged{}, err
	}
	return r.ss.Change(s, number, nil)
}
