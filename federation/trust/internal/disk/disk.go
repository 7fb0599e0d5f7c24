// Package disk replaces and reads small files so that a crash leaves the old or the new.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write replaces a file: after it returns, and after a crash at any moment,
// the old content or the new is there, never a part of either.
func Write(path string, b []byte) error { return replace(path, b, 0o600) }

// Publish is Write of a file that everybody may read.
func Publish(path string, b []byte) error { return replace(path, b, 0o644) }

func replace(path string, b []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", filepath.Base(path), err)
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func Read(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is over %d bytes", filepath.Base(path), limit)
	}
	return os.ReadFile(path)
}
