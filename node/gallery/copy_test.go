package gallery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// TestCopy moves a gallery to PostgreSQL while it is used, goes on there, and moves it
// back into its folder; who was erased on the way stays so.
func TestCopy(t *testing.T) {
	cluster := postgres.Start(t)
	dsn := cluster.Database(t)
	dir := newDir(t)
	inFolder, inDatabase := home{cfg: testConfig(t, dir)}, home{cfg: inPostgres(t, dsn)}
	inDatabase.cfg.Dir = dir
	g := inFolder.open(t)
	enrol(t, g, persons(0, 5)...)
	var es []gallery.Enrolment
	for i := range 600 {
		es = append(es, small(fmt.Sprint("C", i)))
	}
	enrol(t, g, es...)
	if _, err := g.Erase(t.Context(), passport(4)); err != nil {
		t.Fatal(err)
	}
	database := func() store.Store {
		s, err := store.OpenPostgres(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}()

	// Cut off, it is no gallery; begun again, it is completed.
	ctx := &dying{Context: t.Context(), left: 900}
	if _, err := g.CopyTo(ctx, database, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("cut off: %v", err)
	}
	other := inDatabase.cfg
	other.Dir = newDir(t)
	if _, err := gallery.Open(other); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("an unfinished copy opens: %v", err)
	}
	done, err := g.CopyTo(t.Context(), database, nil)
	if want := uint64(604*2 + 4*3 + 600 + 2); err != nil || done.Subjects != 604 || done.Rows != want || done.Removed != 0 || done.Written == 0 {
		t.Fatalf("%+v, %v; want %d rows", done, err, want)
	}

	older := imageOf(t, dir)
	// What changes meanwhile is taken over by the next run.
	enrol(t, g, person(6))
	if _, err := g.Erase(t.Context(), passport(0)); err != nil {
		t.Fatal(err)
	}
	done, err = g.CopyTo(t.Context(), database, nil)
	if want := (snapshot.Copied{Subjects: 604, Rows: done.Rows, Written: 5 + 1, Removed: 5}); err != nil || done != want {
		t.Errorf("%+v, %v; want %+v", done, err, want)
	}
	done, err = g.CopyTo(t.Context(), database, nil)
	if err != nil || done.Written != 0 || done.Removed != 0 {
		t.Errorf("nothing to do: %+v, %v", done, err)
	}
	closeGallery(t, g)
	// An older copy of the folder does not undo that.
	old := newDir(t)
	older.restore(t, old, "", nil)
	list, err := os.ReadFile(erasure.File(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(erasure.File(old), list[:erasure.Size], 0o600); err != nil {
		t.Fatal(err)
	}
	stale := openGallery(t, old)
	if _, err := stale.CopyTo(t.Context(), database, nil); !errors.Is(err, snapshot.ErrNotEmpty) {
		t.Errorf("from an older folder: %v, want ErrNotEmpty", err)
	}
	closeGallery(t, stale)

	g = inDatabase.open(t)
	enrol(t, g, person(7))
	if _, err := g.Erase(t.Context(), passport(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.CopyTo(t.Context(), database, nil); !errors.Is(err, snapshot.ErrSameStore) {
		t.Errorf("onto itself: %v, want ErrSameStore", err)
	}
	// The folder has fallen behind; it does not open, and is brought up.
	folder, err := store.OpenBadger(dir)
	if err != nil {
		t.Fatal(err)
	}
	done, err = g.CopyTo(t.Context(), folder, nil)
	if err != nil || done.Subjects != 604 || done.Removed == 0 {
		t.Errorf("back: %+v, %v", done, err)
	}
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	closeGallery(t, g)
	g = inFolder.open(t)
	for i, known := range []bool{false, false, true, true, false, false, true, true} {
		h, err := look(g, passport(i), "face")
		if err != nil || h.known != known {
			t.Errorf("person %d: known %v, %v; want %v", i, h.known, err, known)
		}
		if known {
			check(t, g, person(i))
		}
	}
	for _, e := range es {
		check(t, g, e)
	}
	// The database has fallen behind in turn.
	enrol(t, g, person(8))
	closeGallery(t, g)
	if _, err := gallery.Open(inDatabase.cfg); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("a store that has fallen behind opens: %v", err)
	}
}

// TestCopyRefused: nothing but an earlier copy is written over.
func TestCopyRefused(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, person(0))
	cfg := testConfig(t, newDir(t))
	cfg.Pseudonyms = testPseudonyms(t, 9)
	other, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	enrol(t, other, person(1))
	closeGallery(t, other)
	foreign := newDir(t)
	for name, dir := range map[string]string{"another-gallery": cfg.Dir, "something-else": foreign} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := store.OpenBadger(dir)
		if err != nil {
			t.Fatal(err)
		}
		if dir == foreign {
			entries{t, s}.set([]byte("key"), []byte("value"))
		}
		if _, err := g.CopyTo(t.Context(), s, nil); !errors.Is(err, snapshot.ErrNotEmpty) {
			t.Errorf("%s: %v, want ErrNotEmpty", name, err)
		}
		_ = s.Close()
	}
	if other, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	check(t, other, person(1))
	closeGallery(t, other)
}

// TestCopyChecked: a store that does not keep what it was given is found out.
func TestCopyChecked(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, persons(0, 3)...)
	dir := newDir(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenBadger(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := g.CopyTo(t.Context(), forgetful{s}, nil); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
}

// forgetful stores other records than it is told to.
type forgetful struct{ store.Store }

func (f forgetful) Update(do func(store.Txn) error) error {
	return f.Store.Update(func(txn store.Txn) error { return do(forgets{txn}) })
}

type forgets struct{ store.Txn }

func (f forgets) Set(key, value []byte) error {
	if key[0] == 'r' {
		value = append(bytes.Clone(value), 0)
	}
	return f.Txn.Set(key, value)
}
