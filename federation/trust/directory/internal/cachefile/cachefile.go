// Package cachefile is the file in which a directory keeps what it knows: tokens only, so
// that nothing in it is believed that a signature does not cover.
package cachefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tamga-id/tamga/federation/trust/internal/disk"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

const (
	version = 3
	// maxSize bounds the file: some 200 members at most chain size, or
	// thousands at the usual one.
	maxSize = 64 << 20
)

// File is what it holds.
type File struct {
	Version int      `json:"version"`
	Members []Member `json:"members"`
	// Former are members no longer whose peer IDs are kept for them.
	Former []Member `json:"former,omitempty"`
}

// Member is one chain. Checked is not signed: whoever can write the file can make
// a chain look fresher than it is, and no longer than until it expires.
type Member struct {
	Chain   []string  `json:"chain"`
	Checked time.Time `json:"checked"`
	// IDs are those of the peer IDs in the chain that belong to the member. Not signed either:
	// it can take some from a member, and give it none.
	IDs   []string             `json:"ids"`
	Marks []trustmark.Evidence `json:"marks,omitempty"`
}

// Read reads the file; one that is not there, or has no path, holds nothing.
func Read(path string) (File, error) {
	if path == "" {
		return File{}, nil
	}
	b, err := disk.Read(path, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil
	}
	if err != nil {
		return File{}, fmt.Errorf("reading snapshot: %w", err)
	}
	var f File
	if err := json.Unmarshal(b, &f); err != nil || f.Version != version {
		return File{}, errors.New("reading snapshot: not a snapshot of this version; delete the file to start without one")
	}
	return f, nil
}

// Write replaces the file, unless it has no path.
func (f File) Write(path string) error {
	if path == "" {
		return nil
	}
	f.Version = version
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encoding snapshot: %w", err)
	}
	return disk.Write(path, b)
}
