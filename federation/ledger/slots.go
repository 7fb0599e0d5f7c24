package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

const (
	// slotSize holds one checkpoint by as many keys as a signer has, whatever the
	// origin, in whole pages of 4 KiB; the rest of a slot is zero.
	slotSize = (lognote.MaxSigned + 4095) / 4096 * 4096
	// slotSyncEvery bounds what a power cut can take from the slots without
	// adding a sync to more than one append in so many.
	slotSyncEvery = 256
)

// slots is the file that remembers the latest checkpoint outside Badger. The two
// slots are written in turn, so that a torn write spoils one and leaves the one
// before; a slot needs no checksum because its content is signed.
//
// It is written after the Badger commit and synced lazily. After a crash it may
// therefore be behind the store, never ahead of it.
type slots struct {
	file   *os.File
	next   int
	writes int
}

// slotState is what reading the file found out.
type slotState struct {
	best    lognote.Checkpoint
	raw     []byte
	invalid int // slots that hold neither zeros nor a checkpoint of ours
	index   int // slot of best
}

// readSlots returns the newest checkpoint in the file. A file without one is
// damage, unless what it holds is signed by other keys or for another log.
func readSlots(path string, v lognote.Verifier) (slotState, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return slotState{}, tampered("checkpoint file", "missing")
	}
	if err != nil {
		return slotState{}, fmt.Errorf("reading checkpoint file: %w", err)
	}
	if len(b) != 2*slotSize {
		return slotState{}, tampered("checkpoint file", "%d bytes long, want %d", len(b), 2*slotSize)
	}
	s := slotState{index: -1}
	var foreign error
	for i := range 2 {
		raw := bytes.TrimRight(b[i*slotSize:(i+1)*slotSize], "\x00")
		c, err := v.Checkpoint(raw)
		switch {
		case err == nil && (s.index < 0 || c.Size > s.best.Size):
			s.best, s.raw, s.index = c, raw, i
		case err == nil && c.Size == s.best.Size && c.Root != s.best.Root:
			return slotState{}, tampered("checkpoint file", "two different trees of size %d are signed", c.Size)
		case err != nil && len(raw) > 0:
			s.invalid++
			if errors.Is(err, lognote.ErrOrigin) || errors.Is(err, lognote.ErrKey) {
				foreign = err
			}
		}
	}
	switch {
	case s.index >= 0:
		return s, nil
	case foreign != nil:
		return slotState{}, foreign
	}
	return slotState{}, tampered("checkpoint file", "neither slot holds a valid checkpoint")
}

// openSlots opens the file for writing, creating it if create is set; the slot
// that holds keep, if any, is overwritten last.
func openSlots(path string, create bool, keep int) (*slots, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening checkpoint file: %w", err)
	}
	next := 0
	if keep == 0 {
		next = 1
	}
	return &slots{file: f, next: next}, nil
}

// write puts a checkpoint into the older slot.
func (s *slots) write(raw []byte) error {
	if len(raw) > slotSize { // a signer signs none
		return fmt.Errorf("writing checkpoint file: checkpoint of %d bytes", len(raw))
	}
	b := make([]byte, slotSize)
	copy(b, raw)
	if _, err := s.file.WriteAt(b, int64(s.next*slotSize)); err != nil {
		return fmt.Errorf("writing checkpoint file: %w", err)
	}
	s.next = 1 - s.next
	if s.writes++; s.writes%slotSyncEvery == 0 {
		return s.sync()
	}
	return nil
}

// settle writes the checkpoint into both slots, one synced before the other is
// touched, as at the start and the orderly end of a log's use.
func (s *slots) settle(raw []byte) error {
	for range 2 {
		if err := s.write(raw); err != nil {
			return err
		}
		if err := s.sync(); err != nil {
			return err
		}
	}
	return nil
}

func (s *slots) sync() error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing checkpoint file: %w", err)
	}
	return nil
}

var _ io.Closer = (*slots)(nil)

// Close closes the file without syncing it.
func (s *slots) Close() error { return s.file.Close() }
