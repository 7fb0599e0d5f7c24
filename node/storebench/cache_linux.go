package storebench

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// dropCache has the files of dir read from the disk again, and reports whether that
// was to be had.
func dropCache(dir string) bool {
	files, err := os.ReadDir(dir)
	for _, file := range files {
		f, openErr := os.Open(filepath.Join(dir, file.Name()))
		if openErr != nil {
			return false
		}
		// Pages that are not on the disk yet stay.
		err = errors.Join(err, f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	}
	return err == nil
}
