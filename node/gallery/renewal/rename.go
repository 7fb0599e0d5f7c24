package renewal

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Renamed is how far Rename has come.
type Renamed struct {
	Looked   uint64 // subjects that were looked at
	Subjects uint64 // of them, those that lay under another key
}

// Rename gives every subject the pseudonym under the key that new subjects get, and then has
// the store say that none lies under another, so that others can be destroyed. It returns the
// generation of that key. Nobody's identifier is asked for.
//
// Copies of the files from before hold the old pseudonyms, which can be tested against
// guessed identifiers by who has the old key.
func Rename(ctx context.Context, ss *subjects.Set, progress func(Renamed)) (generation uint32, total Renamed, err error) {
	release, err := ss.HoldStill(ctx)
	if err != nil {
		return 0, total, fmt.Errorf("renewing pseudonyms: %w", err)
	}
	defer release()
	target := ss.Names()
	if r := (renaming{ss}); target.Several() {
		if total, err = r.all(ctx, progress); err == nil {
			err = r.leave(ctx, target)
		}
	}
	if err != nil {
		return 0, total, fmt.Errorf("renewing pseudonyms: %w", err)
	}
	return target.Target(), total, nil
}

type renaming struct{ ss *subjects.Set }

func (r renaming) all(ctx context.Context, progress func(Renamed)) (total Renamed, err error) {
	var broken error
	for after := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		page, err := r.misnamed(after)
		broken = errors.Join(broken, page.broken)
		if err == nil {
			err = r.rename(ctx, page.found)
		}
		if errors.Is(err, store.ErrDamaged) {
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
func (r renaming) misnamed(after []byte) (page, error) {
	target := r.ss.Names().Target()
	return look(r.ss, after, func(txn store.Reader, row store.Row, next *page) (pseudonym.Pseudonym, bool, error) {
		naming, p, err := r.namingOf(txn, row.Key)
		if errors.Is(err, store.ErrDamaged) {
			next.broken = err
			return p, false, nil
		}
		return p, err == nil && naming != target, err
	})
}

// namingOf is the generation of the pseudonym key of the subject whose keyring has this key.
func (r renaming) namingOf(txn store.Reader, key []byte) (uint32, pseudonym.Pseudonym, error) {
	p, err := subjectOf(key)
	if err != nil {
		return 0, p, err
	}
	s, err := r.ss.Load(txn, p)
	if err != nil {
		return 0, p, err
	}
	s.Wipe()
	return s.List.Naming, p, nil
}

// rename commits the new pseudonyms of some subjects.
func (r renaming) rename(ctx context.Context, found []pseudonym.Pseudonym) error {
	jobs, err := await(ctx, r.ss, found, len(found)*keyring.MaxRow, keyringAlone, r.stage)
	for _, j := range jobs {
		if j.err != nil && !j.gone() {
			err = errors.Join(err, j.err)
		}
	}
	return err
}

// stage works out the keyring of a subject under its new pseudonym. Its records
// stay where they are and are sealed under the same key.
func (r renaming) stage(txn store.Reader, number uint32, p pseudonym.Pseudonym) (subjects.Staged, error) {
	s, err := r.ss.Load(txn, p)
	if err != nil {
		return subjects.Staged{}, err
	}
	defer func() { s.Wipe() }()
	n := r.ss.Names()
	if s.List.Naming == n.Target() {
		return subjects.Staged{}, nil
	}
	from := n.Key(s.List.Naming)
	element, err := n.Key(n.Target()).Update(from, s.List.Element)
	if errors.Is(err, pseudonym.ErrHolders) {
		return subjects.Staged{}, fmt.Errorf("renewing pseudonym: %w: %w", store.ErrUnavailable, err)
	}
	if err != nil {
		return subjects.Staged{}, store.Damaged("renewing pseudonym", err)
	}
	if _, err := keyring.FindStamp(txn, element.Pseudonym()); !errors.Is(err, keyring.ErrUnknown) {
		return subjects.Staged{}, store.Damaged("renewing pseudonym", errors.Join(err, errors.New("it is taken")))
	}
	if err := r.ss.Vault.Rename(&s, element, n.Target()); err != nil {
		return subjects.Staged{}, err
	}
	if err := r.ss.MayWrap(txn, s); err != nil {
		return subjects.Staged{}, err
	}
	moved, err := r.ss.Change(s, number, nil)
	moved.From = p
	moved.Drops = append(r.ss.Vault.ConsentRows(s.List.Consent, p), keyring.Row(p), keyring.StampRow(p))
	return moved, err
}

// leave has the store say that subjects lie under the first key alone, once it is
// sure that they do: of a store that stopped early over damage, a scan would not tell.
func (r renaming) leave(ctx context.Context, target *naming.Keys) error {
	err := r.ss.Line.View(func(txn store.Reader) error {
		t, err := r.ss.Tallies.Stored(txn)
		if err != nil {
			return store.Damaged("reading tally", err)
		}
		var seen uint64
		for row, err := range txn.Scan([]byte("k"), nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			naming, _, err := r.namingOf(txn, bytes.Clone(row.Key))
			if err != nil {
				return err
			}
			if naming != target.Target() {
				return subjects.ErrNamesChanged
			}
			seen++
		}
		if seen != t.Subjects {
			return fmt.Errorf("%w: subjects are missing from the store", store.ErrDamaged)
		}
		return nil
	})
	if err != nil {
		return err
	}
	changed := false
	err = r.ss.Line.InTurn(ctx, func() error {
		return r.ss.ChangeNames(func(n *naming.Keys, number uint32) (*naming.Keys, error) {
			if changed = n.Target() != target.Target(); changed || !n.Several() {
				return n, nil
			}
			return n.Only(number), nil
		})
	})
	if err == nil && changed {
		err = subjects.ErrNamesChanged
	}
	return err
}
