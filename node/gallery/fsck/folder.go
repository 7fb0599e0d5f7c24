package fsck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Folder checks the gallery in dir, kept by Badger, which nobody may have open. The tally
// file outside of it, empty for none, may know more than the one beside the store. It
// changes nothing.
func (c Checker) Folder(ctx context.Context, dir, outside string, root custody.Root, progress Progress) (r Report, err error) {
	if _, err := os.Stat(dir); err != nil {
		return r, err
	}
	beside, known, err := c.beside(dir, &r)
	if beside != nil {
		defer func() { err = errors.Join(err, beside.Close()) }()
	}
	if err == nil {
		known, err = c.outside(outside, known, &r)
	}
	if err != nil {
		return r, err
	}
	e, err := store.Examine(ctx, dir, progress.Bytes())
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	r.Faults = append(r.Faults, e.Faults...)
	err = e.View(func(txn store.Reader) error { return c.Rows(ctx, txn, &r, known, progress) })
	if errors.Is(err, store.ErrDamaged) {
		r.Unreadable, err = true, nil
	}
	if err != nil {
		return r, err
	}
	return r, erasures(dir, root, &r)
}

// beside reads the file beside the store, and with it takes the folder.
func (c Checker) beside(dir string, r *Report) (f *tally.File, known tally.Tally, err error) {
	fault := func(rule string, torn bool) {
		r.Faults = append(r.Faults, store.Fault{Where: "file " + tally.Name, Rule: rule, Torn: torn})
	}
	f, err = tally.OpenFileReadOnly(dir)
	if errors.Is(err, os.ErrNotExist) {
		fault("missing", false)
		return nil, known, nil
	}
	if err != nil {
		return nil, known, err
	}
	known, err = f.Read(c.Tallies)
	switch {
	case errors.Is(err, store.ErrDamaged), err == nil && f.Fresh():
		fault("damaged, or of other keys", false)
		return f, tally.Tally{}, nil
	case err == nil && f.Torn():
		fault("one of its two copies is damaged", true)
	}
	return f, known, err
}

// outside is what the tally file outside knows, when that is more than known.
func (c Checker) outside(path string, known tally.Tally, r *Report) (tally.Tally, error) {
	f, err := tally.OpenOutsideReadOnly(path)
	if err != nil {
		return known, err
	}
	later, err := f.Read(c.Tallies)
	switch err = errors.Join(err, f.Close()); {
	case errors.Is(err, store.ErrDamaged):
		r.Faults = append(r.Faults, store.Fault{Where: "file " + filepath.Base(path), Rule: "damaged, or of other keys"})
		return known, nil
	case err == nil && !known.Has(later):
		return later, nil
	}
	return known, err
}

// erasures reads the list of erasures.
func erasures(dir string, root custody.Root, r *Report) error {
	fault := func(rule string) {
		r.Faults = append(r.Faults, store.Fault{Where: "list of erasures", Rule: rule})
	}
	info, err := os.Stat(erasure.File(dir))
	if errors.Is(err, os.ErrNotExist) {
		fault("missing")
		return nil
	}
	if err != nil {
		return err
	}
	if n := uint64(info.Size()) / uint64(erasure.Size); n < r.Carried.Erasures {
		fault(fmt.Sprintf("%d entries are missing from its end", r.Carried.Erasures-n))
	}
	key, err := erasure.Key(root)
	if err != nil {
		return err
	}
	return r.Erasures(erasure.Check(erasure.File(dir), key, r.Carried.Erasures, r.Carried.Last))
}
