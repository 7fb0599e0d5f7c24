//go:build !unix

package enrol

import "os"

// lockFile opens a file; nothing here keeps a second import away from it, whose
// repeats the gallery finds unchanged.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
