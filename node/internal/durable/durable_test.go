package durable_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/node/internal/durable"
)

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	if err := durable.Folders(dir, filepath.Dir(dir)); err != nil {
		t.Error(err)
	}
	if err := durable.Folders(dir, filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
