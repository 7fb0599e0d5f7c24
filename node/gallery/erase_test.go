package gallery_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
)

func erase(t *testing.T, g *gallery.Gallery, i int) {
	t.Helper()
	if n, err := g.Erase(t.Context(), passport(i)); err != nil || n != 3 {
		t.Fatalf("erasing: %d records, %v", n, err)
	}
}

// known fails the test unless exactly the listed ones of the first six persons are enrolled.
func known(t *testing.T, g *gallery.Gallery, want ...int) {
	t.Helper()
	var got []int
	for i := range 6 {
		r, err := g.References(passport(i), "face")
		if err != nil {
			t.Fatal(err)
		}
		if r.Known {
			got = append(got, i)
		}
		r.Close()
	}
	if len(got) != len(want) || g.Subjects() != int64(len(want)) {
		t.Fatalf("enrolled are %v, %d subjects counted; want %v", got, g.Subjects(), want)
	}
	for k := range got {
		if got[k] != want[k] {
			t.Fatalf("enrolled are %v, want %v", got, want)
		}
	}
}

func TestErase(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 4)...)
	erase(t, g, 1)
	erase(t, g, 3)
	known(t, g, 0, 2)
	if _, err := g.Erase(t.Context(), passport(1)); !errors.Is(err, gallery.ErrUnknownSubject) {
		t.Errorf("again: %v", err)
	}
	closeGallery(t, g)
	g = openGallery(t, dir)
	known(t, g, 0, 2)
	enrol(t, g, person(1))
	closeGallery(t, g)
	g = openGallery(t, dir)
	known(t, g, 0, 1, 2) // enrolled anew, and not erased by what was
	check(t, g, person(1))
}

// TestErasePutBack puts folders of before an erasure back: it stays final, and does
// not reach what is enrolled afterwards.
func TestErasePutBack(t *testing.T) {
	dir := newDir(t)
	old := filepath.Join(t.TempDir(), "old")
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 3)...)
	closeGallery(t, g)
	copyFolder(t, dir, old)
	g = openGallery(t, dir)
	erase(t, g, 1)
	enrol(t, g, persons(3, 6)...)
	for range 5 {
		enrol(t, g, person(1)) // so that numbers of commits run far ahead of the copy's
		erase(t, g, 1)
	}
	closeGallery(t, g)

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, old, dir)
	g = openGallery(t, dir)
	known(t, g, 0, 2)
	enrol(t, g, person(1), person(4))
	closeGallery(t, g)
	g = openGallery(t, dir)
	known(t, g, 0, 1, 2, 4)
}

// TestEraseCutOff: an erasure that was listed and not carried out when the process died
// is carried out when the gallery is opened.
func TestEraseCutOff(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 2)...)
	if err := g.ListErasure(passport(0)); err != nil {
		t.Fatal(err)
	}
	closeGallery(t, g)
	// The next entry was begun.
	f, err := os.OpenFile(gallery.ErasuresFile(dir), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, gallery.ErasureSize-1)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	g = openGallery(t, dir)
	known(t, g, 1)
	erase(t, g, 1)
	closeGallery(t, g)
	known(t, openGallery(t, dir))
}

// TestErasuresDamaged: a list that was cut, edited or swapped is refused, not believed.
func TestErasuresDamaged(t *testing.T) {
	dir := newDir(t)
	old := filepath.Join(t.TempDir(), "old")
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 4)...)
	closeGallery(t, g)
	copyFolder(t, dir, old)
	g = openGallery(t, dir)
	erase(t, g, 1)
	erase(t, g, 2)
	closeGallery(t, g)
	list, err := os.ReadFile(gallery.ErasuresFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2*gallery.ErasureSize {
		t.Fatalf("list has %d bytes", len(list))
	}
	swapped := append(bytes.Clone(list[gallery.ErasureSize:]), list[:gallery.ErasureSize]...)
	for name, put := range map[string][]byte{"cut": list[:gallery.ErasureSize], "gone": nil} {
		write(t, gallery.ErasuresFile(dir), put)
		if _, err := gallery.Open(testConfig(t, dir)); !errors.Is(err, gallery.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The old folder has carried out nothing, so that all of the list is read.
	putBack := func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		copyFolder(t, old, dir)
	}
	cases := map[string][]byte{"swapped": swapped, "second alone": list[gallery.ErasureSize:]}
	for _, at := range []int{0, 20, gallery.ErasureSize - 1, gallery.ErasureSize, 2*gallery.ErasureSize - 1} {
		flipped := bytes.Clone(list)
		flipped[at] ^= 4
		cases[fmt.Sprintf("flipped at %d", at)] = flipped
	}
	for name, put := range cases {
		putBack()
		write(t, gallery.ErasuresFile(dir), put)
		if g, err := gallery.Open(testConfig(t, dir)); !errors.Is(err, gallery.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				g.Close()
			}
		}
	}
	putBack()
	write(t, gallery.ErasuresFile(dir), list)
	known(t, openGallery(t, dir), 0, 3)
}

// TestErasePastRestore: rows of before an erasure, restored beside the list of after
// it, hold nothing of the subject; rows of after it bring the list along.
func TestErasePastRestore(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 3)...)
	before := allRows(t, g)
	erase(t, g, 0)
	after := allRows(t, g)
	closeGallery(t, g)

	elsewhere := newDir(t)
	if err := gallery.Restore(t.Context(), elsewhere, after); err != nil {
		t.Fatal(err)
	}
	known(t, openGallery(t, elsewhere), 1, 2)

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := gallery.Restore(t.Context(), dir, before); err != nil {
		t.Fatal(err)
	}
	known(t, openGallery(t, dir), 1, 2)
}

func allRows(t *testing.T, g *gallery.Gallery) iter.Seq2[gallery.Row, error] {
	t.Helper()
	var rows []gallery.Row
	if _, err := g.Snapshot(t.Context(), func(r gallery.Row) error {
		rows = append(rows, gallery.Row{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return func(yield func(gallery.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
