package membership

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tamga-id/tamga/federation/trust/internal/disk"
)

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
	return disk.Publish(path, b)
}
