package membership

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/federation/trust/internal/disk"
)

// replace puts a file in its place whole: after a crash the old content or the new is there.
func replace(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// maxHeld is more than a dozen Anchors with the longest listings and histories of keys that
// are taken over.
const maxHeld = 64 << 20

// readHeld reads into f what writeHeld wrote; version is a field of f. found is false when
// there is no file yet.
func readHeld(path string, want int, f any, version *int) (found bool, err error) {
	b, err := disk.Read(path, maxHeld)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, f)
	}
	if err == nil && *version != want {
		err = errors.New("it is not of this version")
	}
	return err == nil, err
}

func writeHeld(path string, f any) error {
	b, err := json.Marshal(f)
	if err == nil && len(b) > maxHeld { // the node could not read it at its next start
		err = fmt.Errorf("%s would have over %d bytes", filepath.Base(path), maxHeld)
	}
	if err != nil {
		return fmt.Errorf("keeping listing: %w", err)
	}
	return replace(path, b)
}
