package gallery_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
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
	addToFile(t, erasure.File(dir), make([]byte, erasure.Size-1))
	g = openGallery(t, dir)
	known(t, g, 1)
	erase(t, g, 1)
	closeGallery(t, g)
	known(t, openGallery(t, dir))
}

// TestEraseTornEnd: a power cut left the length of an entry and nothing, or a part, of
// what was written there. Nobody was told of that erasure, and everything else holds.
func TestEraseTornEnd(t *testing.T) {
	for _, kept := range []int{0, 1, 30, erasure.Size - 16} {
		dir := newDir(t)
		g := openGallery(t, dir)
		enrol(t, g, persons(0, 3)...)
		erase(t, g, 0)
		if err := g.ListErasure(passport(1)); err != nil {
			t.Fatal(err)
		}
		closeGallery(t, g)
		list, err := os.ReadFile(erasure.File(dir))
		if err != nil {
			t.Fatal(err)
		}
		clear(list[erasure.Size+kept:])
		write(t, erasure.File(dir), list)
		g = openGallery(t, dir)
		known(t, g, 1, 2)
		erase(t, g, 2)
		closeGallery(t, g)
		known(t, openGallery(t, dir), 1)
	}
}

func addToFile(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEraseLateList: a folder of before an erasure came back without the list, people
// were added to and keys wrapped anew, and then the list turned up. Whoever is on it was
// enrolled before the erasure and is erased, whatever was done to the subject since.
func TestEraseLateList(t *testing.T) {
	dir := newDir(t)
	old := filepath.Join(t.TempDir(), "old")
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 3)...)
	closeGallery(t, g)
	copyFolder(t, dir, old)
	g = openGallery(t, dir)
	for i := range 3 {
		erase(t, g, i)
	}
	closeGallery(t, g)
	list, err := os.ReadFile(erasure.File(dir))
	if err != nil {
		t.Fatal(err)
	}

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, old, dir)
	write(t, erasure.File(dir), nil)
	cfg := testConfig(t, dir)
	cfg.Ring = ringOf(t, 1, 2)
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	for i := 3; i < 6; i++ {
		enrol(t, g, person(i)) // so that numbers of commits run past the erasures'
	}
	more := person(0)
	more.Templates = []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: []byte("another finger")}}
	enrol(t, g, more)
	if n, err := g.RewrapAll(t.Context(), nil); err != nil || n.Subjects == 0 {
		t.Fatalf("rewrapped %+v, %v", n, err)
	}
	known(t, g, 0, 1, 2, 3, 4, 5)
	closeGallery(t, g)

	write(t, erasure.File(dir), list)
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	known(t, g, 3, 4, 5)
	enrol(t, g, person(1))
	closeGallery(t, g)
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	known(t, g, 1, 3, 4, 5)
	closeGallery(t, g)
}

// TestEraseOutside: with a copy of the list outside, a data folder that is put back whole,
// its list too, is refused, and once that is accepted holds nobody who was erased; nor
// does one restored without any list.
func TestEraseOutside(t *testing.T) {
	top := t.TempDir()
	dir, old := filepath.Join(top, "data", "gallery"), filepath.Join(top, "old")
	cfg := testConfig(t, dir)
	cfg.Outside = filepath.Join(top, "outside")
	list, tally := gallery.OutsideFiles(cfg.Outside)
	open := func() *gallery.Gallery {
		t.Helper()
		g, err := gallery.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := open()
	enrol(t, g, persons(0, 5)...)
	rows := allRows(t, g)
	closeGallery(t, g)
	copyFolder(t, filepath.Join(top, "data"), old)
	g = open()
	erase(t, g, 0)
	erase(t, g, 1)
	closeGallery(t, g)
	putBack := func() {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(top, "data")); err != nil {
			t.Fatal(err)
		}
	}
	accept := func() {
		t.Helper()
		if err := os.Remove(tally); err != nil {
			t.Fatal(err)
		}
	}

	putBack()
	copyFolder(t, old, filepath.Join(top, "data"))
	if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) || !strings.Contains(err.Error(), "put back") {
		t.Fatalf("a folder put back whole: %v", err)
	}
	if r, err := gallery.Fsck(t.Context(), cfg, nil); err != nil || !r.Behind {
		t.Fatalf("fsck of a folder put back whole: behind %v, %v", r.Behind, err)
	}
	accept()
	g = open()
	known(t, g, 2, 3, 4)
	erase(t, g, 2)
	closeGallery(t, g)

	putBack()
	if err := os.Mkdir(filepath.Join(top, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Restore(t.Context(), dir, rows); err != nil {
		t.Fatal(err)
	}
	accept()
	g = open()
	known(t, g, 3, 4)
	enrol(t, g, person(0))
	// The copy cannot be written: the erasure is not acknowledged before it can.
	if err := errors.Join(os.Remove(list), os.Mkdir(list, 0o700)); err != nil {
		t.Fatal(err)
	}
	closeGallery(t, g)
	if _, err := gallery.Open(cfg); err == nil {
		t.Fatal("opens with a folder in the place of the copy")
	}
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	g = open() // a copy that is lost is made anew
	known(t, g, 0, 3, 4)
	closeGallery(t, g)
	if a, err := os.Stat(list); err != nil || a.Size() != int64(3*erasure.Size) {
		t.Errorf("the copy: %v", err)
	}
	whole, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += erasure.Size / 3 { // in the middle, too, where the last entry's tag does not show it
		edited := bytes.Clone(whole)
		edited[i] ^= 1
		write(t, list, edited)
		if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) || !strings.Contains(err.Error(), filepath.Base(list)) {
			t.Fatalf("byte %d edited: %v", i, err)
		}
	}
	write(t, list, bytes.Repeat([]byte{7}, erasure.Size))
	if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("a foreign list: %v", err)
	}
	write(t, list, nil)
	write(t, tally, bytes.Repeat([]byte{7}, 8<<10))
	if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("a foreign tally: %v", err)
	}
}

// TestEraseForked: two machines went on from one backup, and each erased. Rows of the
// one, restored beside the list of the other, of the same length, hold nobody who was
// erased on either.
func TestEraseForked(t *testing.T) {
	dir, elsewhere := newDir(t), newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 5)...)
	erase(t, g, 0)
	backup := allRows(t, g)
	erase(t, g, 1)
	closeGallery(t, g)

	if err := snapshot.Restore(t.Context(), elsewhere, backup); err != nil {
		t.Fatal(err)
	}
	g = openGallery(t, elsewhere)
	known(t, g, 1, 2, 3, 4)
	erase(t, g, 2)
	rows := allRows(t, g)
	closeGallery(t, g)

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Restore(t.Context(), dir, rows); err != nil {
		t.Fatal(err)
	}
	g = openGallery(t, dir)
	known(t, g, 3, 4)
	erase(t, g, 3)
	closeGallery(t, g)
	g = openGallery(t, dir)
	known(t, g, 4)
	if list, err := os.ReadFile(erasure.File(dir)); err != nil || len(list) != 4*erasure.Size {
		t.Errorf("the list has %d bytes, want 4 entries; %v", len(list), err)
	}
}

// TestEraseInterrupted: a fault between the entry in the list and the commit. The
// erasure is made up for by the next commit, and asking again says that it stands.
func TestEraseInterrupted(t *testing.T) {
	for name, fault := range map[string]func(*gallery.Flaky){
		"error": func(f *gallery.Flaky) { f.Delete = func() error { return errors.New("no") } },
		"panic": func(f *gallery.Flaky) { f.Delete = func() error { panic("no") } },
	} {
		dir := newDir(t)
		cfg, store := testConfig(t, dir), new(gallery.Flaky)
		store.Break(&cfg)
		g, err := gallery.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		enrol(t, g, persons(0, 4)...)
		fault(store)
		for i := range 2 {
			if _, err := g.Erase(t.Context(), passport(i)); err == nil {
				t.Fatalf("%s: the fault does nothing", name)
			}
			store.Delete = nil
			if i == 0 {
				if n, err := g.Erase(t.Context(), passport(i)); n != 3 || err != nil {
					t.Errorf("%s: asked again: %d records, %v", name, n, err)
				}
				known(t, g, 1, 2, 3)
				fault(store)
			}
		}
		enrol(t, g, person(0)) // does it first
		known(t, g, 0, 2, 3)
		closeGallery(t, g)
		known(t, openGallery(t, dir), 0, 2, 3)
	}
}

// TestEraseDamaged: a subject whose keyring does not open can be erased, now or when an
// erasure is made up for at start; and it keeps no others from being rewrapped.
func TestEraseDamaged(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 5)...)
	closeGallery(t, g)
	cfg := testConfig(t, dir)
	cfg.Ring = ringOf(t, 1, 2)
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		_, keyring, _ := g.Keys(passport(i))
		spoil(t, g, keyring, i == 0)
		if _, err := g.References(passport(i), "face"); !errors.Is(err, gallery.ErrDamaged) {
			t.Fatalf("looking up: %v", err)
		}
	}
	if n, err := g.RewrapAll(t.Context(), nil); n.Subjects != 3 || !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("rewrapped %+v, %v; want the other 3 and ErrDamaged", n, err)
	}
	_, keyring, _ := g.Keys(passport(5))
	enrol(t, g, person(5))
	sound, err := g.Fsck(t.Context(), nil)
	if err != nil || len(sound.Damaged) != 2 {
		t.Fatalf("%d damaged, %v", len(sound.Damaged), err)
	}
	spoil(t, g, keyring, true)
	now, err := g.Fsck(t.Context(), nil)
	if err != nil || len(now.Damaged) != 3 {
		t.Fatalf("%d damaged, %v", len(now.Damaged), err)
	}
	for _, d := range now.Damaged {
		if slices.Contains(sound.Damaged, d) {
			continue
		}
		if err := g.EraseDamaged(t.Context(), d.Subject); err != nil {
			t.Errorf("by handle: %v", err)
		}
		if err := g.EraseDamaged(t.Context(), d.Subject); !errors.Is(err, gallery.ErrUnknownSubject) {
			t.Errorf("by handle again: %v", err)
		}
	}
	if err := g.EraseDamaged(t.Context(), g.Handle(passport(2))); !errors.Is(err, gallery.ErrSound) {
		t.Errorf("a sound subject by its handle: %v", err)
	}
	if _, err := g.Erase(t.Context(), passport(0)); err != nil {
		t.Errorf("erasing: %v", err)
	}
	if err := g.ListErasure(passport(1)); err != nil {
		t.Fatal(err)
	}
	closeGallery(t, g)
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	known(t, g, 2, 3, 4)
	if n, err := g.RewrapAll(t.Context(), nil); n.Subjects != 0 || err != nil {
		t.Errorf("rewrapped %+v, %v", n, err)
	}
	closeGallery(t, g)
	cfg.Ring = ringOf(t, 2)
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	for i := 2; i < 5; i++ {
		check(t, g, person(i))
	}
	closeGallery(t, g)
}

// spoil flips a bit in a row, or replaces it by what is no keyring.
func spoil(t *testing.T, g *gallery.Gallery, key []byte, whole bool) {
	t.Helper()
	err := g.DB().Update(func(txn store.Txn) error {
		v, err := txn.Get(key)
		if err != nil {
			return err
		}
		if v[len(v)-1] ^= 1; whole {
			v = []byte("no keyring")
		}
		return txn.Set(key, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEraseWinsOverImport: an import that began before an erasure, and is resumed or
// repeats its last records after it, does not bring the subject back. One that begins
// after the erasure does.
func TestEraseWinsOverImport(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	of := func(batch string, es ...gallery.Enrolment) []gallery.Enrolment {
		for i := range es {
			es[i].Batch = batch
		}
		return es
	}
	enrol(t, g, of("first", persons(0, 2)...)...)
	erase(t, g, 0)
	for range 2 {
		results, err := g.Enrol(t.Context(), of("first", persons(0, 3)...))
		if err != nil || !errors.Is(results[0].Err, gallery.ErrErased) || results[1].Change != gallery.Unchanged || results[2].Err != nil {
			t.Fatalf("%v, %v", results, err)
		}
		known(t, g, 1, 2)
		closeGallery(t, g)
		g = openGallery(t, dir)
	}
	enrol(t, g, of("second", person(0))...)
	known(t, g, 0, 1, 2)
	enrol(t, g, person(0))
}

// TestErasuresDamaged: a list that was edited or swapped is refused, not believed, and
// one that was cut is made up from the store.
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
	list, err := os.ReadFile(erasure.File(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2*erasure.Size {
		t.Fatalf("list has %d bytes", len(list))
	}
	swapped := append(bytes.Clone(list[erasure.Size:]), list[:erasure.Size]...)
	for name, put := range map[string][]byte{"cut": list[:erasure.Size], "gone": nil, "torn": append(bytes.Clone(list[:erasure.Size]), make([]byte, erasure.Size)...)} {
		write(t, erasure.File(dir), put)
		closeGallery(t, openGallery(t, dir)) // the store has it, too
		if now, err := os.ReadFile(erasure.File(dir)); err != nil || !bytes.Equal(now, list) {
			t.Errorf("%s: the list was not made up, %v", name, err)
		}
	}
	// The old folder has carried out nothing, so that all of the list is read.
	putBack := func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		copyFolder(t, old, dir)
	}
	cases := map[string][]byte{"swapped": swapped, "second alone": list[erasure.Size:]}
	for _, at := range []int{0, 20, erasure.Size - 1, erasure.Size, 2*erasure.Size - 1} {
		flipped := bytes.Clone(list)
		flipped[at] ^= 4
		cases[fmt.Sprintf("flipped at %d", at)] = flipped
	}
	for name, put := range cases {
		putBack()
		write(t, erasure.File(dir), put)
		if g, err := gallery.Open(testConfig(t, dir)); !errors.Is(err, gallery.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				g.Close()
			}
		}
	}
	putBack()
	write(t, erasure.File(dir), list)
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
	if err := snapshot.Restore(t.Context(), elsewhere, after); err != nil {
		t.Fatal(err)
	}
	known(t, openGallery(t, elsewhere), 1, 2)

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Restore(t.Context(), dir, before); err != nil {
		t.Fatal(err)
	}
	known(t, openGallery(t, dir), 1, 2)
}

func allRows(t *testing.T, g *gallery.Gallery) iter.Seq2[store.Row, error] {
	t.Helper()
	var rows []store.Row
	if _, err := g.Snapshot(t.Context(), func(r store.Row) error {
		rows = append(rows, store.Row{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return func(yield func(store.Row, error) bool) {
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
