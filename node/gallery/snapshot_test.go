package gallery_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
)

func rowsOf(rows []gallery.Row) iter.Seq2[gallery.Row, error] {
	return func(yield func(gallery.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// TestSnapshot: a gallery made from rows taken while others enrol is the gallery of
// that moment; with a row missing it does not open, or says so when it is read.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	g := openGallery(t, filepath.Join(dir, "a"))
	enrol(t, g, persons(0, 3)...)
	var rows []gallery.Row
	n, err := g.Snapshot(t.Context(), func(r gallery.Row) error {
		if len(rows) == 2 {
			enrol(t, g, person(7)) // does not show
		}
		rows = append(rows, gallery.Row{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		return nil
	})
	if err != nil || n != 3 {
		t.Fatalf("%d subjects, %v", n, err)
	}
	restore := func(name string, rows []gallery.Row) string {
		t.Helper()
		made := filepath.Join(dir, name)
		if err := gallery.Restore(t.Context(), made, rowsOf(rows)); err != nil {
			t.Fatal(err)
		}
		return made
	}
	b := openGallery(t, restore("b", rows))
	if b.Subjects() != 3 {
		t.Errorf("%d subjects, want 3", b.Subjects())
	}
	for i := range 3 {
		check(t, b, person(i))
	}
	enrol(t, b, person(8))
	if err := gallery.Restore(t.Context(), filepath.Join(dir, "b"), rowsOf(rows)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("restoring over a gallery: %v", err)
	}
	for i, row := range rows {
		made := restore(fmt.Sprint(i), slices.Delete(slices.Clone(rows), i, i+1))
		_, err := gallery.Open(testConfig(t, made))
		if noticed := row.Key[0] == 'v' || row.Key[0] == 'm'; noticed && !errors.Is(err, gallery.ErrDamaged) {
			t.Errorf("without row %d (%c): %v", i, row.Key[0], err)
		}
	}
	openGallery(t, restore("empty", nil))
}
