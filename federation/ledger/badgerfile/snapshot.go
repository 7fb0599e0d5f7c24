package badgerfile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	badger "github.com/dgraph-io/badger/v4"
)

// Snapshot lays the examined store out in the empty folder scratch so that
// Badger can open it read-only without touching the original: tables, which are
// never written again, as links, the rest as copies, write-ahead logs cut where
// replay would stop anyway, value logs as links if values are kept there. Discard
// statistics and key registry are left out, they hold nothing of ours.
func (s Store) Snapshot(scratch string, valueLogs ...string) error {
	for _, path := range slices.Concat(s.Tables, valueLogs) {
		target, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(scratch, filepath.Base(path))); err != nil {
			return err
		}
	}
	for _, w := range s.Logs {
		if w.empty() {
			continue
		}
		if err := copyFile(w.Path, scratch, w.End); err != nil {
			return err
		}
	}
	return copyFile(s.Manifest, scratch, math.MaxInt64)
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

// Tidy removes what could only hurt on the way up: value log, its statistics and
// key registry, which Badger makes anew and in which nothing of ours is kept, the
// ends of write-ahead logs that replay does not use but Badger would allocate
// memory for, and logs without a byte: the process died between making one and giving
// it its length, and Badger would not open.
func (s Store) Tidy(dir string) error {
	junk, err := List(dir, ".vlog")
	if err != nil {
		return fmt.Errorf("tidying store: %w", err)
	}
	junk = append(junk, filepath.Join(dir, "DISCARD"), filepath.Join(dir, badger.KeyRegistryFileName))
	for _, path := range junk {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("tidying store: %w", err)
		}
	}
	for _, w := range s.Logs {
		if w.Size == 0 {
			if err := os.Remove(w.Path); err != nil {
				return fmt.Errorf("tidying store: %w", err)
			}
		}
		if w.End < w.Size {
			if err := os.Truncate(w.Path, w.End); err != nil {
				return fmt.Errorf("tidying store: %w", err)
			}
		}
	}
	return nil
}
