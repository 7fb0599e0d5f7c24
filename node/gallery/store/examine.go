package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/tamga-id/tamga/federation/ledger/badgerfile"
)

// Fault is something wrong with a file of a store.
type Fault struct {
	Where string // the file
	Rule  string
	// Torn: at the end of what was written last, where it may be no more than a write that
	// a crash cut off.
	Torn bool
}

// Survey reads every file of the open store that is not being written.
func (b *Badger) Survey(ctx context.Context, progress func(done, total int64)) ([]Fault, error) {
	return survey(ctx, b.dir, true, progress)
}

func survey(ctx context.Context, dir string, inUse bool, progress func(done, total int64)) ([]Fault, error) {
	found, err := badgerfile.Survey(ctx, dir, inUse, progress)
	var faults []Fault
	for _, d := range found {
		faults = append(faults, Fault{Where: d.Part, Rule: d.Rule, Torn: d.Torn})
	}
	return faults, err
}

// Examination is a Badger store that is not opened: opening repairs what is damaged, by
// forgetting it. Close it.
type Examination struct {
	// Faults are those of the files.
	Faults []Fault
	// Unreadable is why the rows cannot be read at all, nil when they can.
	Unreadable error

	lock    *os.File
	scratch string
	db      *badger.DB
}

// Examine reads every file of the store in dir, which nobody may have open, and lays a copy
// out of what of the rows is left, as Badger would; large files are not copied. It changes
// nothing in dir, and needs no leave to. Damage is no error.
func Examine(ctx context.Context, dir string, progress func(done, total int64)) (_ *Examination, err error) {
	lock, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		lock, err = os.Open(dir) // nobody who has the store open has not made it
	}
	if err != nil {
		return nil, err
	}
	e := &Examination{lock: lock}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if err := Lock(lock); err != nil {
		return nil, err
	}
	if e.Faults, err = survey(ctx, dir, false, progress); err != nil {
		return nil, err
	}
	if e.scratch, err = os.MkdirTemp("", "tamga-gallery-*"); err != nil {
		return nil, err
	}
	e.Unreadable = e.open(ctx, dir)
	return e, ctx.Err()
}

// open opens the copy, read-only.
func (e *Examination) open(ctx context.Context, dir string) error {
	files, err := badgerfile.Examine(ctx, dir, false, func([]byte) (uint64, bool) { return 0, false })
	if err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if files.Manifest == "" {
		return fmt.Errorf("%w: there is no store in the folder", ErrDamaged)
	}
	logs, err := badgerfile.List(dir, ".vlog")
	if err != nil {
		return err
	}
	if err := files.Snapshot(e.scratch, logs...); err != nil {
		return err
	}
	return guard(func() (err error) {
		if e.db, err = badger.Open(badgerOptions(e.scratch).WithReadOnly(true)); err != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, err)
		}
		return err
	})
}

// View runs f on the rows that are left.
func (e *Examination) View(f func(Reader) error) error {
	if e.Unreadable != nil {
		return e.Unreadable
	}
	return guard(func() error {
		return e.db.View(func(txn *badger.Txn) error { return f(badgerTxn{txn}) })
	})
}

// Close removes the copy and gives the folder back.
func (e *Examination) Close() error {
	var err error
	if e.db != nil {
		err = guard(e.db.Close)
	}
	if e.scratch != "" {
		err = errors.Join(err, os.RemoveAll(e.scratch))
	}
	return errors.Join(err, e.lock.Close())
}
