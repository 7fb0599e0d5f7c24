//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package disk

import (
	"fmt"
	"os"
)

// Lock leaves exclusion to Badger's own lock where there is no flock.
func Lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("locking folder: %w", err)
	}
	return f, nil
}
