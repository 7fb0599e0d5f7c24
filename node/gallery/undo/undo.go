// Package undo takes back what one batch brought to a gallery, and nothing else.
package undo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Done is what taking a batch back did.
type Done struct {
	Subjects int // of whom nothing was left, and who are not enrolled any more
	Reduced  int // of whom something was left
	Records  int // removed from both
}

// pageSize is how many subjects are looked at in one read of the store.
const pageSize = 1024

// maxEntry is more than a row of the list of erasures takes.
const maxEntry = erasure.Size + 16

// Batch takes back what enrolments under batch added: records, absences and holder
// keys. A subject of whom nothing is left loses keyring and key. Everything that other
// batches brought stays. It goes on while others enrol; run again after an error it
// does the rest, and the count is of the rest. What it returns stands on disk.
//
// Who is not enrolled any more is on the list of erasures, and stays erased. What
// was removed from the others is gone from the store, and still in files that Badger has not
// rewritten and in backups, sealed: an older copy put back has it again.
func Batch(ctx context.Context, ss *subjects.Set, batch string) (Done, error) {
	var total Done
	if batch == "" {
		return total, errors.New("undoing batch: no batch named")
	}
	u := undoing{ss}
	release, err := ss.HoldStill(ctx) // a subject that gets another pseudonym meanwhile would be passed over
	if err != nil {
		return total, fmt.Errorf("undoing batch: %w", err)
	}
	defer release()
	for after, more := []byte(nil), true; more; {
		page, last, err := u.members(ctx, batch, after)
		if err == nil && len(page) > 0 {
			err = u.undo(ctx, batch, page, &total)
		}
		if err != nil {
			return total, fmt.Errorf("undoing batch: %w", err)
		}
		after, more = last, last != nil
	}
	return total, nil
}

// undoing takes batches back from a gallery.
type undoing struct{ ss *subjects.Set }

// members finds, after a stamp's key, who of the next subjects has a part in batch,
// and the key after which to go on; nil at the end.
func (u undoing) members(ctx context.Context, batch string, after []byte) (found []pseudonym.Pseudonym, last []byte, err error) {
	err = u.ss.Line.View(func(txn store.Reader) error {
		seen := 0
		for row, err := range txn.Scan([]byte("v"), after) {
			if seen++; seen > pageSize {
				return nil
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			last = bytes.Clone(row.Key)
			p := pseudonym.Pseudonym(last[1:])
			s, err := u.ss.Load(txn, p)
			if err != nil {
				return err
			}
			s.Wipe()
			if s.List.Any(batch) {
				found = append(found, p)
			}
		}
		last = nil
		return nil
	})
	return found, last, err
}

// undo commits the removal from the given subjects.
func (u undoing) undo(ctx context.Context, batch string, page []pseudonym.Pseudonym, total *Done) error {
	return u.ss.Line.InTurn(ctx, func() error { return u.undoInTurn(batch, page, total) })
}

func (u undoing) undoInTurn(batch string, page []pseudonym.Pseudonym, total *Done) error {
	for len(page) > 0 {
		var done Done
		var taken int
		err := u.ss.Line.Update(nil, func(b *commit.Bundle) error {
			done, taken = Done{}, 0
			var gone []erasure.Entry
			for _, p := range page {
				if b.Size()+keyring.MaxRow+len(gone)*maxEntry > subjects.MaxCommit {
					break
				}
				former := u.ss.Former(b.Txn, p) // an older copy has the subject under one of those
				whole, err := u.remove(b, p, batch, &done)
				if err != nil {
					return err
				}
				if taken++; !whole {
					continue
				}
				for _, p := range append(former, p) {
					gone = append(gone, erasure.Entry{Commit: b.Commit(), Subject: p})
				}
			}
			return b.ListAfter(gone...)
		})
		if err == nil && done.Subjects > 0 {
			err = u.ss.Line.FollowOutside()
		}
		if err != nil {
			return err
		}
		total.add(done)
		page = page[taken:]
	}
	return nil
}

func (d *Done) add(more Done) {
	d.Subjects += more.Subjects
	d.Reduced += more.Reduced
	d.Records += more.Records
}

// remove stages the removal from one subject, as it is by now, and reports whether nothing
// of it is left.
func (u undoing) remove(b *commit.Bundle, p pseudonym.Pseudonym, batch string, done *Done) (whole bool, err error) {
	s, err := u.ss.Load(b.Txn, p)
	if errors.Is(err, keyring.ErrUnknown) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer s.Wipe()
	if !s.List.Any(batch) {
		return false, nil
	}
	gone := s.List.Take(batch)
	for _, slot := range gone {
		if err := b.Drop(u.ss.Vault.RecordRow(s.Home(), slot)); err != nil {
			return false, err
		}
	}
	done.Records += len(gone)
	if len(s.List.Records) == 0 && len(s.List.Absent) == 0 && s.List.Holder == "" {
		done.Subjects++
		b.Forget(p, s.Stamp)
		for _, row := range u.ss.Vault.ConsentRows(s.List.Consent, p) {
			if err := b.Drop(row); err != nil {
				return false, err
			}
		}
		return true, errors.Join(b.Drop(keyring.Row(p)), b.Drop(keyring.StampRow(p)))
	}
	done.Reduced++
	kept, err := u.ss.Change(s, b.Commit(), nil)
	if err != nil {
		return false, err
	}
	return false, kept.Put(b)
}
