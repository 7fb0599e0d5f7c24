package renewal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Renewed is how far a renewal has come.
type Renewed struct {
	Looked   uint64 // subjects that were looked at
	Subjects uint64 // of them, those that had something of another generation
}

// Protection is what templates are protected by, as far as it renews them.
type Protection interface {
	// Covers reports whether templates of a modality and format are protected.
	Covers(modality, format string) bool
	// Current is the generation that Renew uses now.
	Current() uint32
	// Renew gives the stored form under the current generation of what a record holds, and
	// that generation. The caller wipes it.
	Renew(r keyring.Record, plain []byte) (stored []byte, generation uint32, err error)
	// Source tells a repeated import of a template that was not protected.
	Source(plain []byte) []byte
}

// Templates gives every covered record the current generation of the protection. When it
// returns nil, no record in the store is of another generation, so those can be destroyed.
//
// A record keeps its place, batch and key. Its older forms stay sealed in files that
// the store has not rewritten, and in backups.
func Templates(ctx context.Context, ss *subjects.Set, protection Protection, progress func(Renewed)) (total Renewed, err error) {
	if _, err := ss.Announce(ctx, subjects.LeastTemplates, protection.Current); err != nil {
		return total, fmt.Errorf("renewing templates: %w", err)
	}
	r := renewing{ss, protection}
	var broken error // the first
	for after := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return total, fmt.Errorf("renewing templates: %w", err)
		}
		page, err := r.outdated(after)
		if err == nil {
			err = r.renew(ctx, page.found)
		}
		switch {
		case errors.Is(err, store.ErrDamaged):
			broken = cmp.Or(broken, err)
		case err != nil:
			return total, fmt.Errorf("renewing templates: %w", err)
		}
		broken = cmp.Or(broken, page.broken)
		total.Looked += page.looked
		total.Subjects += uint64(len(page.found))
		if progress != nil {
			progress(total)
		}
		if page.last == nil {
			break
		}
		after = page.last
	}
	if broken == nil {
		broken = r.verify(ctx)
	}
	if broken != nil {
		return total, fmt.Errorf("renewing templates: %w", broken)
	}
	return total, nil
}

type renewing struct {
	ss         *subjects.Set
	protection Protection
}

// outdated looks at subjects after a key.
func (r renewing) outdated(after []byte) (page, error) {
	return look(r.ss, after, func(txn store.Reader, row store.Row, next *page) (pseudonym.Pseudonym, bool, error) {
		old, p, err := r.isOutdated(txn, row.Key)
		if errors.Is(err, store.ErrDamaged) {
			next.broken = cmp.Or(next.broken, err)
			return p, false, nil
		}
		return p, old, err
	})
}

// isOutdated looks at the subject whose keyring has this key.
func (r renewing) isOutdated(txn store.Reader, key []byte) (bool, pseudonym.Pseudonym, error) {
	p, err := subjectOf(key)
	if err != nil {
		return false, p, err
	}
	s, err := r.ss.Load(txn, p)
	if err != nil {
		return false, p, err
	}
	s.Wipe()
	current := r.protection.Current()
	for _, x := range s.List.Records {
		if r.protection.Covers(x.Modality, x.Format) && x.Generation != current {
			return true, p, nil
		}
	}
	return false, p, nil
}

// renew commits the renewal of some subjects.
func (r renewing) renew(ctx context.Context, found []pseudonym.Pseudonym) error {
	jobs, err := await(ctx, r.ss, found, subjects.MaxCommit, subjects.MaxSubject, r.stage)
	for _, j := range jobs {
		switch {
		case j.err == nil, j.gone():
		case err == nil, errors.Is(err, store.ErrDamaged) && !errors.Is(j.err, store.ErrDamaged):
			err = j.err
		}
	}
	return err
}

// stage works out the records of a subject under the current generation.
func (r renewing) stage(txn store.Reader, number uint32, p pseudonym.Pseudonym) (subjects.Staged, error) {
	s, err := r.ss.Load(txn, p)
	if err != nil {
		return subjects.Staged{}, err
	}
	defer s.Wipe()
	var writes []commit.Write
	for i := range s.List.Records {
		x := &s.List.Records[i]
		if !r.protection.Covers(x.Modality, x.Format) || x.Generation == r.protection.Current() {
			continue
		}
		w, err := r.record(txn, s, x)
		if err != nil {
			return subjects.Staged{}, err
		}
		writes = append(writes, w)
	}
	if len(writes) == 0 {
		return subjects.Staged{}, nil
	}
	return r.ss.Change(s, number, writes)
}

// record is the record that x names under the current generation, and has x say so.
func (r renewing) record(txn store.Reader, s keyring.Subject, x *keyring.Record) (commit.Write, error) {
	sealed, err := txn.Get(r.ss.Vault.RecordRow(s.Home(), x.Slot))
	if err != nil {
		return commit.Write{}, store.Damaged("reading record", err)
	}
	plain, err := r.ss.Vault.OpenRecord(s, *x, sealed)
	if err != nil {
		return commit.Write{}, err
	}
	defer clear(plain)
	stored, generation, err := r.protection.Renew(*x, plain)
	if err != nil {
		return commit.Write{}, store.Damaged("renewing record", err)
	}
	defer clear(stored)
	if x.Generation == 0 {
		x.Source = r.protection.Source(plain)
	}
	digest := sha256.Sum256(stored)
	x.Digest, x.Generation = digest[:], generation
	if sealed, err = r.ss.Vault.SealRecord(s, x, stored); err != nil {
		return commit.Write{}, err
	}
	return commit.Write{Key: r.ss.Vault.RecordRow(s.Home(), x.Slot), Value: sealed}, nil
}

// verify looks at every subject as of one moment: that none is outdated, and
// that all are there.
func (r renewing) verify(ctx context.Context) error {
	return r.ss.Line.View(func(txn store.Reader) error {
		t, err := r.ss.Tallies.Stored(txn)
		if err != nil {
			return store.Damaged("reading tally", err)
		}
		var seen uint64
		for row, err := range txn.Scan([]byte("k"), nil) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			old, _, err := r.isOutdated(txn, bytes.Clone(row.Key))
			if err != nil {
				return err
			}
			if old {
				return errors.New("a subject was written under another generation meanwhile; begin again")
			}
			seen++
		}
		if seen != t.Subjects {
			return fmt.Errorf("%w: subjects are missing from the store", store.ErrDamaged)
		}
		return nil
	})
}
