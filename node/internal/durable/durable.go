// Package durable makes names in folders outlast a power cut, as Sync does with what is
// in a file (fsync(2): the entry in the folder needs one of its own).
package durable

import (
	"errors"
	"os"
)

// Folders flushes the names in folders, in the order given.
func Folders(dirs ...string) error {
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
