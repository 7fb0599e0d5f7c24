//go:build !linux

package locked

import "errors"

// allocate has nothing better than the heap here.
func allocate(int) ([]byte, bool) { return nil, false }

func release([]byte) {}

// HideProcess is not possible on this system.
func HideProcess() error { return errors.ErrUnsupported }

// Hidden reports whether HideProcess took effect.
func Hidden() bool { return false }
