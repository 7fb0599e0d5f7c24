// Package snapshot reads the rows of a gallery as of one moment, makes a gallery of such rows
// again, and keeps another store the same.
//
// [Take] hands over rows, [Restore] makes a folder of them, [Copy] compares another store with
// the gallery and writes what it lacks. The rows are ciphertext under names that say nothing,
// and no key is needed for them. Whether they are complete and of this node shows when the
// gallery is opened with them. The package encrypts nothing and writes no file format: that is
// node/backup.
package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"

	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Census says of the rows of a gallery how many subjects they hold and which
// generations of keys they need.
type Census struct {
	Subjects   uint64
	KEKs       []uint32 // That subjects' keys are wrapped under, in order.
	Pseudonyms []uint32 // Of the keys of the pseudonyms that subjects may lie under, in order.
}

// Take yields every row of the gallery as of one moment, in the order of the
// keys, while enrolments go on.
func Take(ctx context.Context, ss *subjects.Set, visit func(store.Row) error) (c Census, err error) {
	// A key that went into use, or out of it, around the moment is one of these or those.
	pseudonyms := ss.PseudonymGenerations()
	keks := make(map[uint32]bool)
	err = ss.Line.View(func(txn store.Reader) error {
		pseudonyms = append(pseudonyms, ss.PseudonymGenerations()...)
		t, err := ss.Tallies.Stored(txn)
		if err != nil {
			return store.Damaged("reading tally", err)
		}
		var counted uint64
		for row, err := range txn.Scan(nil, nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			switch row.Key[0] {
			case 'v':
				counted++
			case 'k':
				if n, err := keyring.GenerationOf(row); err == nil { // what is damaged needs none any more
					keks[n] = true
				}
			}
			if err := visit(row); err != nil {
				return err
			}
		}
		// A store may lose rows to damage without saying so.
		if c.Subjects = t.Subjects; counted != c.Subjects {
			return fmt.Errorf("%w: subjects are missing from the store", store.ErrDamaged)
		}
		return nil
	})
	if err != nil {
		return Census{}, fmt.Errorf("reading gallery: %w", err)
	}
	slices.Sort(pseudonyms)
	c.KEKs, c.Pseudonyms = slices.Sorted(maps.Keys(keks)), slices.Compact(pseudonyms)
	return c, nil
}

// Restore makes in dir, which must not exist, the gallery whose rows [Take] gave. A list of erasures that lies beside dir already is kept, and what it has beyond
// the rows' is carried out when the gallery is opened. It needs no key and cannot tell
// what the rows hold: that they are complete and of this node shows when the gallery
// is opened. Errors of rows are returned.
func Restore(ctx context.Context, dir string, rows iter.Seq2[store.Row, error]) error {
	if err := restore(ctx, dir, rows); err != nil {
		return fmt.Errorf("restoring gallery: %w", err)
	}
	return nil
}

func restore(ctx context.Context, dir string, rows iter.Seq2[store.Row, error]) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	db, err := store.OpenBadger(dir)
	if err != nil {
		return err
	}
	var sealed []byte
	list, err := erasure.CreateRestored(erasure.File(dir))
	if err != nil {
		return errors.Join(err, db.Close())
	}
	err = db.Load(func(yield func(store.Row, error) bool) {
		for row, err := range rows {
			err = errors.Join(err, ctx.Err())
			if err == nil && len(row.Key) > 0 && row.Key[0] == commit.ErasuresBegin {
				err = list.Add(row.Value)
			}
			if string(row.Key) == string(tally.Row()) {
				sealed = bytes.Clone(row.Value)
			}
			if !yield(row, err) {
				return
			}
		}
	})
	if err = errors.Join(err, db.Close(), list.Close()); err != nil {
		return err
	}
	if err := list.Place(); err != nil {
		return err
	}
	return tally.Restore(dir, sealed)
}
