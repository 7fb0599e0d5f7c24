package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/tamga-id/tamga/federation/ledger/internal/disk"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/tamga-id/tamga/federation/ledger/internal/slots"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// The file at Config.Outside has the form of the checkpoint file and lies outside
// the log's folder, so that putting the whole folder back to an earlier state does
// not put it back. It is written after the checkpoint file: never ahead of the
// store, and behind it only by what a power cut takes.

// recalled reads the checkpoint kept outside the folder. A log that is new has
// none; one that has entries must have one.
func (l *Log) recalled(known lognote.Checkpoint) (slots.State, error) {
	s, err := recall(l.outside, l.identity.Load().verifier)
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, lognote.ErrOrigin):
		// It is of a log that began after this one was left.
		return slots.State{}, fmt.Errorf("%w: it is of another log than this folder", ErrOutdated)
	case !errors.Is(err, ErrTampered):
		return slots.State{}, err
	}
	if _, statErr := os.Lstat(l.outside); errors.Is(statErr, os.ErrNotExist) && known.Size == 0 {
		return slots.State{Index: -1}, nil
	}
	return slots.State{}, fmt.Errorf("%w: %s", ErrForgotten, filepath.Base(l.outside))
}

// checkOutside refuses a store that does not contain the tree that was known
// outside of its folder.
func checkOutside(txn *badger.Txn, h *head, outside slots.State) error {
	c := outside.Best
	if c.Size > h.size {
		return fmt.Errorf("%w: it ends at %d entries, %d were signed", ErrOutdated, h.size, c.Size)
	}
	if outside.Index < 0 {
		return nil
	}
	root, err := merkle.RootAt(c.Size, storedNodes(txn))
	if err != nil {
		return err
	}
	if [merkle.HashSize]byte(root) != c.Root {
		return fmt.Errorf("%w: at %d entries it is not the tree that was signed", ErrOutdated, c.Size)
	}
	return nil
}

// openOutside opens the file for writing, and makes it for a log that is new.
func (l *Log) openOutside(s slots.State) error {
	if l.outside == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(l.outside), 0o700); err != nil {
		return fmt.Errorf("opening checkpoint file: %w", err)
	}
	var err error
	if l.memory, err = slots.Open(l.outside, true, s.Index); err != nil {
		return err
	}
	if err := l.lockOutside(); err != nil { // a file that is new
		return errors.Join(err, l.memory.Close())
	}
	err = errors.Join(l.memory.Settle(l.head.Load().checkpoint), disk.SyncDir(filepath.Dir(l.outside)))
	if err != nil {
		return errors.Join(err, l.memory.Close())
	}
	return nil
}

// lockOutside takes the file, if it is there, for as long as the log is open. Otherwise two
// copies of the folder could be run at once, and sign different trees of one size.
func (l *Log) lockOutside() error {
	if l.outside == "" || l.outsideLock != nil {
		return nil
	}
	f, err := disk.Lock(l.outside)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case errors.Is(err, disk.ErrInUse):
		return fmt.Errorf("%w: another copy of it uses the checkpoint file %s", ErrLocked, filepath.Base(l.outside))
	case err != nil:
		return err
	}
	l.outsideLock = f
	return nil
}

func (l *Log) closeOutside() error {
	if l.memory == nil {
		return nil
	}
	return errors.Join(l.memory.Settle(l.head.Load().checkpoint), l.memory.Close())
}

// ReadOutside returns the newest checkpoint in the file of a Config.Outside.
func ReadOutside(path string, v lognote.Verifier) ([]byte, error) {
	s, err := recall(path, v)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint kept outside the ledger: %w", err)
	}
	return s.Raw, nil
}
