//go:build unix

package custody

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps others from changing the custody files in the folder of path until unlock is called or the process
// ends. It does not wait: [ErrBusy].
func lock(path string) (unlock func(), err error) {
	f, err := os.Open(filepath.Dir(path)) // the folder itself, so that no file is left to be removed under a lock
	if err != nil {
		return nil, fmt.Errorf("locking keys: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrBusy
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking keys: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// queueFor waits until no other attempt to open the root file at path is under way.
func queueFor(path string) (leave func(), err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return func() {}, nil // The attempt says so itself.
	}
	if err != nil {
		return nil, fmt.Errorf("opening root key: %w", err)
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening root key: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
