package tally

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// File keeps the last two tallies in two slots, written in turn, so that a
// torn write spoils one and leaves the other. It is written after the store's
// commit and not synced: the page cache outlives the process, and after a power cut
// the file is behind the store, never ahead of it. It also carries the folder's lock.
// It is for one goroutine at a time; Close it. A nil File knows nothing and keeps nothing.
type File struct {
	file     *os.File
	name     string // for messages
	readOnly bool
	fresh    bool // the file was not there, or was never written
	torn     bool // one of the slots does not hold
	next     int  // slot to write next
}

// OpenFile opens the file, new ones too, and with it takes the folder.
func OpenFile(dir string) (*File, error) {
	return openLocked(dir, os.O_RDWR|os.O_CREATE)
}

// OpenFileReadOnly opens a file that is there, on a disk that may be mounted read-only,
// and with it takes the folder.
func OpenFileReadOnly(dir string) (*File, error) {
	return openLocked(dir, os.O_RDONLY)
}

func openLocked(dir string, flag int) (*File, error) {
	f, err := os.OpenFile(filepath.Join(dir, Name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := store.Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{file: f, name: Name, readOnly: flag == os.O_RDONLY}, nil
}

// OpenOutside opens a file that lies elsewhere, new ones too, and takes that file: another
// copy of the folder is refused with [store.ErrLocked].
func OpenOutside(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := store.Lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("the file %q: %w", filepath.Base(path), err), f.Close())
	}
	return &File{file: f, name: filepath.Base(path)}, nil
}

// OpenOutsideReadOnly opens such a file, if it is there.
func OpenOutsideReadOnly(path string) (*File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &File{file: f, name: filepath.Base(path), readOnly: true}, nil
}

// Fresh reports that the file was not there, or was never written, as Read found.
func (t *File) Fresh() bool { return t != nil && t.fresh }

// Torn reports that Read found one of the slots damaged.
func (t *File) Torn() bool { return t.torn }

// Read returns the latest tally. A file without a valid one is of other keys, or
// damaged.
func (t *File) Read(k Key) (latest Tally, err error) {
	if t == nil {
		return Tally{}, nil
	}
	b, err := io.ReadAll(io.LimitReader(t.file, 2*Step))
	if err != nil {
		return Tally{}, fmt.Errorf("reading tally file %q: %w", t.name, err)
	}
	if len(b) == 0 {
		t.fresh = true
		return Tally{}, nil
	}
	valid := false
	for slot := range 2 {
		if len(b) < slot*Step+Size {
			break
		}
		one, ok := k.Open(b[slot*Step:][:Size])
		t.torn = t.torn || !ok
		if ok && (!valid || one.Commit > latest.Commit) {
			latest, valid, t.next = one, true, 1-slot
		}
	}
	if !valid {
		return Tally{}, fmt.Errorf("%w: the file %q does not hold", store.ErrDamaged, t.name)
	}
	return latest, nil
}

// Create makes the file of a new gallery durable before anything is enrolled, so
// that a store without it is always damage.
func (t *File) Create(k Key) error {
	for range 2 {
		if err := t.Write(k, Tally{}); err != nil {
			return err
		}
	}
	dir, err := os.Open(filepath.Dir(t.file.Name()))
	if err != nil {
		return err
	}
	return errors.Join(t.file.Sync(), dir.Sync(), dir.Close())
}

// Write makes now the latest. Another follows it in the file's other slot.
func (t *File) Write(k Key, now Tally) error {
	if t == nil {
		return nil
	}
	if _, err := t.file.WriteAt(k.Seal(now), int64(t.next)*Step); err != nil {
		return fmt.Errorf("writing tally file %q: %w", t.name, err)
	}
	t.next = 1 - t.next
	return nil
}

var _ io.Closer = (*File)(nil)

// Close syncs the file and gives the folder back.
func (t *File) Close() error {
	switch {
	case t == nil:
		return nil
	case t.readOnly:
		return t.file.Close()
	}
	return errors.Join(t.file.Sync(), t.file.Close())
}

// Restore makes the file of a gallery whose stored tally is sealed, without a key.
// One into which nobody was ever enrolled has none, and gets its file when it is opened.
func Restore(dir string, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for slot := range 2 {
		_, e := f.WriteAt(sealed, int64(slot)*Step)
		err = errors.Join(err, e)
	}
	return errors.Join(err, f.Sync(), f.Close())
}
