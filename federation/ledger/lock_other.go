//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package ledger

import (
	"fmt"
	"os"
)

// lockDir leaves exclusion to Badger's own lock where there is no flock.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("locking ledger folder: %w", err)
	}
	return f, nil
}
