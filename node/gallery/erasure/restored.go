package erasure

import (
	"errors"
	"os"
)

// Restored is a list made of entries that were kept elsewhere. It needs no key and
// cannot tell what they say.
type Restored struct {
	path string
	file *os.File
}

// CreateRestored begins one that is to lie at path. Close it, and then Place it.
func CreateRestored(path string) (*Restored, error) {
	f, err := os.OpenFile(path+".restored", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return &Restored{path, f}, err
}

// Add appends an entry as it was kept.
func (r *Restored) Add(entry []byte) error {
	_, err := r.file.Write(entry)
	return err
}

// Close makes durable what was added.
func (r *Restored) Close() error { return errors.Join(r.file.Sync(), r.file.Close()) }

// Place puts the closed list where it is to lie, unless there is one, which is kept.
func (r *Restored) Place() error {
	if _, err := os.Stat(r.path); err == nil {
		return os.Remove(r.file.Name())
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(os.Rename(r.file.Name(), r.path), syncFolder(r.path))
}
