package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	badger "github.com/dgraph-io/badger/v4"
)

// scratchSuffix marks the folder in which Open rehearses a replay.
const scratchSuffix = ".replay"

// snapshot lays the examined store out in the empty folder scratch so that
// Badger can open it read-only without touching the original: tables, which are
// never written again, as links, the rest as copies, write-ahead logs cut where
// replay would stop anyway. Value log, discard statistics and key registry are
// left out, they hold nothing of ours.
func snapshot(files storeFiles, scratch string) error {
	for _, path := range files.tables {
		target, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(scratch, filepath.Base(path))); err != nil {
			return err
		}
	}
	for _, w := range files.wals {
		if w.end <= walHeader {
			continue
		}
		if err := copyFile(w.path, scratch, w.end); err != nil {
			return err
		}
	}
	return copyFile(files.manifest, scratch, math.MaxInt64)
}

func copyFile(path, dir string, limit int64) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, filepath.Base(path)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, limit))
	return errors.Join(err, out.Close())
}

// withSnapshot opens a read-only snapshot below parent (the system's temporary
// folder when empty) and removes it afterwards.
func withSnapshot(parent string, files storeFiles, f func(*badger.Txn) error) (err error) {
	scratch, err := os.MkdirTemp(parent, "*"+scratchSuffix)
	if err != nil {
		return fmt.Errorf("making scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := snapshot(files, scratch); err != nil {
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
func rehearse(ctx context.Context, dir, store string, v Verifier, known Checkpoint) error {
	if _, err := os.Stat(store); errors.Is(err, os.ErrNotExist) {
		if known.Size > 0 {
			return rolledBack(0, known.Size)
		}
		return nil
	}
	left, err := list(dir, scratchSuffix)
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
	if files.manifest == "" {
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
	return tidy(store, files)
}

// checkReplay checks the head, and every entry that came from a write-ahead log:
// a damaged log that is not the newest leaves a hole behind a sound head. After
// a torn manifest any table may be missing, so everything is checked.
func checkReplay(ctx context.Context, txn *badger.Txn, files storeFiles, v Verifier, known Checkpoint) error {
	h, err := checkHead(txn, v, known)
	if err != nil {
		return err
	}
	from := h.size
	for _, w := range files.wals {
		from = min(from, w.first)
	}
	if files.torn {
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

// tidy removes what could only hurt on the way up: value log, its statistics and
// key registry, which Badger makes anew and in which nothing of ours is kept, and
// the ends of write-ahead logs that replay does not use but Badger would allocate
// memory for.
func tidy(store string, files storeFiles) error {
	junk, err := list(store, ".vlog")
	if err != nil {
		return fmt.Errorf("tidying store: %w", err)
	}
	junk = append(junk, filepath.Join(store, "DISCARD"), filepath.Join(store, badger.KeyRegistryFileName))
	for _, path := range junk {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("tidying store: %w", err)
		}
	}
	for _, w := range files.wals {
		if w.end < w.size {
			if err := os.Truncate(w.path, w.end); err != nil {
				return fmt.Errorf("tidying store: %w", err)
			}
		}
	}
	return nil
}
