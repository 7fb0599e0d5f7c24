// Package files reads and makes the small files that commands are given and leave.
package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// WriteJSON writes v, indented, to a file that everybody may read, in the place of one that is there.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing file: %w", err)
	}
	return nil
}

// maxSize bounds what is read of plans, transcripts and identities.
const maxSize = 256 << 10

// ReadSmall reads a file of at most 256 KiB; what names it in errors.
func ReadSmall(file, what string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if len(b) > maxSize {
		return nil, fmt.Errorf("reading %s: longer than %d bytes: %w", what, maxSize, ceremony.ErrFormat)
	}
	return b, nil
}

// Create writes a new file, flushed, and never replaces one.
func Create(file string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: fmt.Errorf("writing %s: %w", filepath.Base(file), os.ErrExist)}
	} else if err != nil {
		return fmt.Errorf("writing file: %w", err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// WriteFresh writes a file that is not there yet.
func WriteFresh(path, token string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: err, Hint: "name another file with --out"}
	}
	if err != nil {
		return fmt.Errorf("writing file: %w", err)
	}
	_, err = io.WriteString(f, token+"\n")
	return errors.Join(err, f.Close())
}
