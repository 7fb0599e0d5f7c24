// Package slots keeps the latest checkpoint of a log in a file of two slots outside its
// store, which are written in turn: a torn write spoils one and leaves the one before. It
// holds nothing else; whether the store agrees with it is its caller's to say.
package slots

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

const (
	// size holds one checkpoint by as many keys as a signer has, whatever the
	// origin, in whole pages of 4 KiB; the rest of a slot is zero.
	size = (lognote.MaxSigned + 4095) / 4096 * 4096
	// syncEvery bounds what a power cut can take from the slots without
	// adding a sync to more than one append in so many.
	syncEvery = 256
)

// File remembers the latest checkpoint outside Badger. A slot needs no checksum
// because its content is signed. It is not safe for concurrent use.
//
// It is written after the Badger commit and synced lazily. After a crash it may
// therefore be behind the store, never ahead of it.
type File struct {
	file   *os.File
	next   int
	writes int
}

// State is what reading the file found out.
type State struct {
	// Best is the newest checkpoint, and Raw its signed note.
	Best lognote.Checkpoint
	Raw  []byte
	// Invalid counts slots that hold neither zeros nor a checkpoint of the log.
	Invalid int
	// Index is the slot of Best; negative when nothing was read.
	Index int
}

// Damage says how the file is not one of two slots with a checkpoint.
type Damage struct{ Rule string }

// Error gives the rule.
func (d *Damage) Error() string { return "checkpoint file: " + d.Rule }

func damaged(format string, args ...any) error {
	return &Damage{Rule: fmt.Sprintf(format, args...)}
}

// Read returns the newest checkpoint in the file. A file without one is a *[Damage],
// unless what it holds is signed by other keys or for another log ([lognote.ErrKey],
// [lognote.ErrOrigin]).
func Read(path string, v lognote.Verifier) (State, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return State{}, damaged("missing")
	}
	if err != nil {
		return State{}, fmt.Errorf("reading checkpoint file: %w", err)
	}
	if len(b) != 2*size {
		return State{}, damaged("%d bytes long, want %d", len(b), 2*size)
	}
	s := State{Index: -1}
	var foreign error
	for i := range 2 {
		raw := bytes.TrimRight(b[i*size:(i+1)*size], "\x00")
		c, err := v.Checkpoint(raw)
		switch {
		case err == nil && (s.Index < 0 || c.Size > s.Best.Size):
			s.Best, s.Raw, s.Index = c, raw, i
		case err == nil && c.Size == s.Best.Size && c.Root != s.Best.Root:
			return State{}, damaged("two different trees of size %d are signed", c.Size)
		case err != nil && len(raw) > 0:
			s.Invalid++
			if errors.Is(err, lognote.ErrOrigin) || errors.Is(err, lognote.ErrKey) {
				foreign = err
			}
		}
	}
	switch {
	case s.Index >= 0:
		return s, nil
	case foreign != nil:
		return State{}, foreign
	}
	return State{}, damaged("neither slot holds a valid checkpoint")
}

// Open opens the file for writing, creating it if create is set; the slot
// that holds keep, if any, is overwritten last.
func Open(path string, create bool, keep int) (*File, error) {
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
	return &File{file: f, next: next}, nil
}

// Write puts a checkpoint into the older slot.
func (s *File) Write(raw []byte) error {
	if len(raw) > size { // a signer signs none
		return fmt.Errorf("writing checkpoint file: checkpoint of %d bytes", len(raw))
	}
	b := make([]byte, size)
	copy(b, raw)
	if _, err := s.file.WriteAt(b, int64(s.next*size)); err != nil {
		return fmt.Errorf("writing checkpoint file: %w", err)
	}
	s.next = 1 - s.next
	if s.writes++; s.writes%syncEvery == 0 {
		return s.sync()
	}
	return nil
}

// Settle writes the checkpoint into both slots, one synced before the other is
// touched, as at the start and the orderly end of a log's use.
func (s *File) Settle(raw []byte) error {
	for range 2 {
		if err := s.Write(raw); err != nil {
			return err
		}
		if err := s.sync(); err != nil {
			return err
		}
	}
	return nil
}

func (s *File) sync() error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing checkpoint file: %w", err)
	}
	return nil
}

var _ io.Closer = (*File)(nil)

// Close closes the file without syncing it.
func (s *File) Close() error { return s.file.Close() }
