// Package disk is the little that the ledger asks of the operating system about
// a folder: to have it alone, to know how much still fits, to make changes of
// names durable. Where a system has no answer, Lock and Free allow everything.
package disk

import (
	"errors"
	"os"
	"path/filepath"
)

// ErrInUse means that somebody else holds the lock.
var ErrInUse = errors.New("folder is in use")

// SyncDir makes renames and creations in dir durable.
func SyncDir(dir string) error {
	f, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
