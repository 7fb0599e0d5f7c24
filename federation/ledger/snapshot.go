package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/tamga-id/tamga/federation/ledger/badgerfile"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// scratchSuffix marks the folder in which Open rehearses a replay.
const scratchSuffix = ".replay"

// withSnapshot opens a read-only snapshot below parent (the system's temporary
// folder when empty) and removes it afterwards.
func withSnapshot(parent string, files badgerfile.Store, f func(*badger.Txn) error) (err error) {
	scratch, err := os.MkdirTemp(parent, "*"+scratchSuffix)
	if err != nil {
		return fmt.Errorf("making scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := files.Snapshot(scratch); err != nil {
		return fmt.Errorf("copying store: %w", err)
	}
	db, err := openStore(storeOptions(scratch).WithReadOnly(true))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, guard("store", db.Close)) }()
	return view(db, f)
}

// rehearse examines the store before Badger may write to it, so that a refused
// folder stays the evidence it is: it opens a snapshot, replaying on it what an
// unclean stop left, and compares the outcome with what is known to have been
// acknowledged. Only then it cuts off what replay would not use.
func rehearse(ctx context.Context, dir, store string, v lognote.Verifier, known lognote.Checkpoint) error {
	if _, err := os.Stat(store); errors.Is(err, os.ErrNotExist) {
		if known.Size > 0 {
			return rolledBack(0, known.Size)
		}
		return nil
	}
	left, err := badgerfile.List(dir, scratchSuffix)
	if err != nil {
		return fmt.Errorf("removing scratch folder: %w", err)
	}
	for _, path := range left { // of a rehearsal that was killed
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing scratch folder: %w", err)
		}
	}
	files, err := examine(ctx, store, false)
	if err != nil {
		return err
	}
	if files.Manifest == "" {
		if known.Size > 0 {
			return rolledBack(0, known.Size)
		}
		return nil
	}
	err = withSnapshot(dir, files, func(txn *badger.Txn) error {
		return checkReplay(ctx, txn, files, v, known)
	})
	if err != nil {
		return err
	}
	return files.Tidy(store)
}

// checkReplay checks the head, and every entry that came from a write-ahead log:
// a damaged log that is not the newest leaves a hole behind a sound head. After
// a torn manifest any table may be missing, so everything is checked.
func checkReplay(ctx context.Context, txn *badger.Txn, files badgerfile.Store, v lognote.Verifier, known lognote.Checkpoint) error {
	h, err := checkHead(txn, v, known)
	if err != nil {
		return err
	}
	from := h.size
	for _, w := range files.Logs {
		from = min(from, w.First)
	}
	if files.Torn {
		from = 0
	}
	if from > 0 {
		if _, err := entry(txn, from-1); err != nil {
			return err
		}
	}
	_, err = auditEntries(ctx, txn, from, h.size, nil)
	return err
}
