//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock takes the folder, or file, for this use alone, until what it returns is closed. The
// lock is on the folder itself, so that taking it changes nothing in it, and is
// gone with the process that held it.
func Lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("locking folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking folder: %w", ErrInUse)
		}
		return nil, fmt.Errorf("locking folder: %w", err)
	}
	return f, nil
}
