package erasure_test

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/store"
)

func key(t *testing.T) cipher.AEAD {
	t.Helper()
	root, err := custody.NewRoot(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	k, err := erasure.Key(root)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func person(n byte) pseudonym.Pseudonym { return pseudonym.Pseudonym{n} }

// open is the list at path with its entries learned.
func open(t *testing.T, path string) *erasure.List {
	t.Helper()
	l, err := erasure.Open(path, key(t), os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := l.Learn(0); err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t *testing.T, l *erasure.List, entries ...erasure.Entry) {
	t.Helper()
	for _, x := range entries {
		if _, err := l.Add(x); err != nil {
			t.Fatal(err)
		}
	}
}

func entries(t *testing.T, l *erasure.List) (out []erasure.Entry) {
	t.Helper()
	if err := l.From(0, func(x erasure.Entry) error { out = append(out, x); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func equal(a, b []erasure.Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// three are entries, of which the last is of somebody who was erased before.
var three = []erasure.Entry{{Commit: 3, Subject: person(1)}, {Commit: 5, Subject: person(2)}, {Commit: 9, Subject: person(1)}}

func TestListComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	l := open(t, path)
	add(t, l, three...)
	last := l.Last()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	if got := entries(t, l); !equal(got, three) || l.Len() != 3 || l.Last() != last {
		t.Fatalf("got %d entries, want the three that were added", len(got))
	}
	if commit, ok := l.Latest(person(1)); !ok || commit != 9 {
		t.Errorf("latest entry of a subject erased twice: got %d %v, want 9", commit, ok)
	}
	if _, ok := l.Latest(person(4)); ok {
		t.Error("somebody who was never erased is on the list")
	}
}

// TestTornEnd: what a crash cuts off was told nobody; anything else is damage.
func TestTornEnd(t *testing.T) {
	for kept := range erasure.Size {
		path := filepath.Join(t.TempDir(), "list")
		l := open(t, path)
		add(t, l, three...)
		if err := os.Truncate(path, int64(2*erasure.Size+kept)); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, open(t, path)); !equal(got, three[:2]) {
			t.Fatalf("cut after %d bytes of the third entry: got %d entries, want 2", kept, len(got))
		}
	}
}

func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	l := open(t, path)
	add(t, l, three...)
	n, last := l.Len(), l.Last()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := erasure.Check(path, key(t), n, last); err != nil {
		t.Fatalf("checking a sound list: %v", err)
	}
	put := func(b []byte) error {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return erasure.Check(path, key(t), n, last)
	}
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1
		if err := put(b); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("byte %d flipped: got %v, want damage", at, err)
		}
	}
	one, two := whole[:erasure.Size], whole[erasure.Size:2*erasure.Size]
	for name, b := range map[string][]byte{
		"swapped":     bytes.Join([][]byte{two, one, whole[2*erasure.Size:]}, nil),
		"first-gone":  whole[erasure.Size:],
		"second-gone": bytes.Join([][]byte{one, whole[2*erasure.Size:]}, nil),
	} {
		if err := put(b); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: got %v, want damage", name, err)
		}
	}
	if err := put(whole[:2*erasure.Size]); err != nil {
		t.Errorf("fewer entries than were carried out: got %v; that is told from the length", err)
	}
	other := filepath.Join(t.TempDir(), "other")
	add(t, open(t, other), three...)
	if err := erasure.Check(other, key(t), n, last); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("another list that says the same: got %v, want damage", err)
	}
}

// TestPut: a list goes on as another does after what both begin with.
func TestPut(t *testing.T) {
	ours := open(t, filepath.Join(t.TempDir(), "ours"))
	first, err := ours.Add(three[0])
	if err != nil {
		t.Fatal(err)
	}
	tag, err := erasure.TagOf(first)
	if err != nil || tag != ours.Last() {
		t.Fatalf("tag of the entry as written: %v, %v", tag == ours.Last(), err)
	}
	add(t, ours, three[1])
	next := ours.After(1)
	next.Seal(three[2])
	if next.Len() != 2 {
		t.Fatalf("a continuation of one entry by one has length %d", next.Len())
	}
	if err := ours.Put(next); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, ours); !equal(got, []erasure.Entry{three[0], three[2]}) {
		t.Fatalf("got %d entries, want the first and the third", len(got))
	}
	if _, ok := ours.Latest(person(2)); ok {
		t.Error("an entry that was replaced still counts")
	}
	if err := ours.After(0).Take(first[:erasure.Size-1]); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("taking an entry that is cut: got %v, want damage", err)
	}
	if err := ours.After(1).Take(first); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("taking an entry out of its place: got %v, want damage", err)
	}
}

// TestCopy: whichever of the two was put back, both end up with all entries.
func TestCopy(t *testing.T) {
	dir := t.TempDir()
	path, beside := filepath.Join(dir, "list"), filepath.Join(dir, "copy")
	l := open(t, path)
	add(t, l, three[:2]...)
	c, err := erasure.OpenCopy(beside, key(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Adopt(c), c.Follow(l), c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(erasure.Size)); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	add(t, l, three[2]) // before it met the copy
	if c, err = erasure.OpenCopy(beside, key(t)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Adopt(c), c.Follow(l), c.Close()); err != nil {
		t.Fatal(err)
	}
	want := []erasure.Entry{three[0], three[2], three[1]}
	if got := entries(t, l); !equal(got, want) {
		t.Errorf("list: got %v, want %v", got, want)
	}
	if got := entries(t, open(t, beside)); !equal(got, want) {
		t.Errorf("copy: got %v, want %v", got, want)
	}
}

// TestRestoredKeepsWhatIsThere: a list that lies there already knows better.
func TestRestoredKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	from := open(t, filepath.Join(dir, "from"))
	first, err := from.Add(three[0])
	if err != nil {
		t.Fatal(err)
	}
	restore := func(path string) {
		t.Helper()
		r, err := erasure.CreateRestored(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Add(first), r.Close(), r.Place()); err != nil {
			t.Fatal(err)
		}
	}
	empty, there := filepath.Join(dir, "empty"), filepath.Join(dir, "there")
	add(t, open(t, there), three[1:]...)
	restore(empty)
	restore(there)
	if got := entries(t, open(t, empty)); !equal(got, three[:1]) {
		t.Errorf("restored list: got %d entries, want the one", len(got))
	}
	if got := entries(t, open(t, there)); !equal(got, three[1:]) {
		t.Errorf("list that was there: got %d entries, want its own two", len(got))
	}
}
