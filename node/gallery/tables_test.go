package gallery_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
)

// TestUnlistedTable: what a process that died was still writing is no damage.
func TestUnlistedTable(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, person(0))
	closeGallery(t, g)
	half := filepath.Join(dir, "000099.sst")
	if err := os.WriteFile(half, []byte{1, 2, 3}, 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, openGallery(t, dir), person(0))
	if _, err := os.Stat(half); err == nil {
		t.Error("the half table is still there")
	}
}

// TestEmptyLogs: a log that a process died over before it had a length is no damage,
// and one that held something and was emptied is.
func TestEmptyLogs(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, crashed("one"))
	closeGallery(t, g)
	for _, name := range []string{"000099.vlog", "00099.mem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g = openGallery(t, dir)
	enrol(t, g, crashed("two"))
	closeGallery(t, g)
	logs, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("%d logs, %v", len(logs), err)
	}
	for _, name := range logs {
		if err := os.Truncate(name, 0); err != nil {
			t.Fatal(err)
		}
	}
	g, err = gallery.Open(testConfig(t, dir))
	if err == nil {
		// Keys lie in the tables; what they point to is gone, and reading it says so.
		_, err = look(g, crashed("one").Subject, "finger")
		closeGallery(t, g)
	}
	if !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("emptied: %v", err)
	}
}
