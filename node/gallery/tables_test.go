package gallery_test

import (
	"os"
	"path/filepath"
	"testing"
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
