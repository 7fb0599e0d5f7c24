//go:build !unix

package enrol_test

import "os"

// makePipe makes something else that is not a regular file.
func makePipe(path string) error { return os.Mkdir(path, 0o700) }
