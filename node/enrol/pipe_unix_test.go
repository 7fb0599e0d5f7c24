//go:build unix

package enrol_test

import "syscall"

// makePipe makes a named pipe, which nobody ever writes to.
func makePipe(path string) error { return syscall.Mkfifo(path, 0o600) }
