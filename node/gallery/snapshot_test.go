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
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
)

func rowsOf(rows []store.Row) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// TestCensus: a snapshot says which KEKs its rows need, and no others.
func TestCensus(t *testing.T) {
	g := openGallery(t, newDir(t))
	census := func(want ...uint32) {
		t.Helper()
		c, err := g.Snapshot(t.Context(), func(store.Row) error { return nil })
		if err != nil || !slices.Equal(c.KEKs, want) {
			t.Errorf("%v, %v; want %v", c.KEKs, err, want)
		}
	}
	census()
	enrol(t, g, smalls(0, 3)...)
	g.UseRing(ringOf(t, 3, 1, 2)) // 3 is prepared
	census(1)
	enrol(t, g, smalls(3, 5)...)
	census(1, 2)
	if _, err := g.RewrapAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	census(2)
}

// TestSnapshot: a gallery made from rows taken while others enrol is the gallery of
// that moment; with a row missing it does not open, or says so when it is read.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	g := openGallery(t, filepath.Join(dir, "a"))
	enrol(t, g, persons(0, 3)...)
	var rows []store.Row
	c, err := g.Snapshot(t.Context(), func(r store.Row) error {
		if len(rows) == 2 {
			enrol(t, g, person(7)) // does not show
		}
		rows = append(rows, store.Row{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		return nil
	})
	if err != nil || c.Subjects != 3 || !slices.Equal(c.KEKs, []uint32{1}) || !slices.Equal(c.Pseudonyms, []uint32{1}) {
		t.Fatalf("%+v, %v", c, err)
	}
	restore := func(name string, rows []store.Row) string {
		t.Helper()
		made := filepath.Join(dir, name)
		if err := snapshot.Restore(t.Context(), made, rowsOf(rows)); err != nil {
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
	if err := snapshot.Restore(t.Context(), filepath.Join(dir, "b"), rowsOf(rows)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("restoring over a gallery: %v", err)
	}
	for i, row := range rows {
		made := restore(fmt.Sprint(i), slices.Delete(slices.Clone(rows), i, i+1))
		g, err := gallery.Open(testConfig(t, made))
		switch row.Key[0] {
		case 'm':
			if !errors.Is(err, gallery.ErrDamaged) {
				t.Errorf("without row %d (m): %v, want damage", i, err)
			}
		case 'v': // follows from the others, and is put back
			if err != nil || g.Subjects() != 3 {
				t.Errorf("without row %d (v): %v, want three subjects", i, err)
			}
		}
		if err == nil {
			closeGallery(t, g)
		}
	}
	openGallery(t, restore("empty", nil))
}
