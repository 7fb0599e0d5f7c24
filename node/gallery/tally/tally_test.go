package tally_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

var one = tally.Tally{Commit: 1 << 30, Subjects: 1 << 40, Sum: 1 << 63, Bound: 1 << 62, Erasures: 7, Last: [16]byte{15: 1}}

func TestSealed(t *testing.T) {
	k := tally.NewKey([32]byte{1}, "https://node.example")
	b := k.Seal(one)
	if got, ok := k.Open(b); !ok || got != one || len(b) != tally.Size {
		t.Fatalf("got %+v %v, want what was sealed", got, ok)
	}
	for at := range b {
		b[at] ^= 1
		if got, ok := k.Open(b); ok || got != (tally.Tally{}) {
			t.Errorf("byte %d flipped: it opens", at)
		}
		b[at] ^= 1
	}
	for name, other := range map[string]tally.Key{
		"node": tally.NewKey([32]byte{1}, "https://other.example"),
		"root": tally.NewKey([32]byte{2}, "https://node.example"),
	} {
		if _, ok := other.Open(b); ok {
			t.Errorf("it opens under another %s", name)
		}
	}
	if _, ok := k.Open(b[:len(b)-1]); ok {
		t.Error("it opens without its last byte")
	}
	if string(k.Tag("a", b)) == string(k.Tag("b", b)) {
		t.Error("what is said of one thing holds of another")
	}
}

// reopen closes f and opens the file anew.
func reopen(t *testing.T, f *tally.File, dir string, k tally.Key) (*tally.File, tally.Tally, error) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := tally.OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Read(k)
	return f, got, err
}

func TestFile(t *testing.T) {
	dir, k := t.TempDir(), tally.NewKey([32]byte{1}, "https://node.example")
	f, err := tally.OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := tally.OpenFile(dir); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("opening a folder that is in use: got %v, want ErrLocked", err)
	}
	if _, err := f.Read(k); err != nil || !f.Fresh() {
		t.Fatalf("a new file: %v, fresh %v", err, f.Fresh())
	}
	if err := f.Create(k); err != nil {
		t.Fatal(err)
	}
	for n := range uint32(5) {
		if err := f.Write(k, tally.Tally{Commit: n + 1}); err != nil {
			t.Fatal(err)
		}
		var got tally.Tally
		if f, got, err = reopen(t, f, dir, k); err != nil || got.Commit != n+1 || f.Fresh() || f.Torn() {
			t.Fatalf("after commit %d: got %d, %v", n+1, got.Commit, err)
		}
	}
	path := filepath.Join(dir, tally.Name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 // the slot of commit 5, the odd ones
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, got, err := reopen(t, f, dir, k)
	if err != nil || got.Commit != 4 || !f.Torn() {
		t.Errorf("latest slot torn: got commit %d, torn %v, %v, want 4", got.Commit, f.Torn(), err)
	}
	b[tally.Step] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, _, err = reopen(t, f, dir, k); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("both slots torn: got %v, want damage", err)
	}
}

// TestReadOnly: a check of a folder on a disk mounted read-only takes it all the same.
func TestReadOnly(t *testing.T) {
	dir, k := t.TempDir(), tally.NewKey([32]byte{1}, "https://node.example")
	if _, err := tally.OpenFileReadOnly(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("no file: got %v", err)
	}
	if err := tally.Restore(dir, k.Seal(one)); err != nil {
		t.Fatal(err)
	}
	f, err := tally.OpenFileReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := f.Read(k); err != nil || got != one || f.Torn() {
		t.Errorf("restored file: got %+v, torn %v, %v", got, f.Torn(), err)
	}
	if err := f.Write(k, one); err == nil || !strings.Contains(err.Error(), tally.Name) {
		t.Errorf("writing: got %v, want an error that names the file", err)
	}
	if _, err := tally.OpenFile(dir); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opening it meanwhile: got %v, want ErrLocked", err)
	}
}

// TestOutsideTaken: two copies of a folder have one file outside.
func TestOutsideTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outside")
	f, err := tally.OpenOutside(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tally.OpenOutside(path); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opened twice: %v, want ErrLocked", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
