package badgerfile_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/tamga-id/tamga/federation/ledger/badgerfile"
)

// store writes a few records and returns the bytes of a write-ahead log, before
// the store is closed, and of a table and the manifest, after.
func store(t testing.TB) (mem, table, manifest []byte) {
	t.Helper()
	dir := t.TempDir()
	db, err := badger.Open(badger.DefaultOptions(dir).WithCompression(options.None).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(3) {
		if err := db.Update(func(txn *badger.Txn) error { return txn.Set([]byte{'k', i}, bytes.Repeat([]byte{i}, 90)) }); err != nil {
			t.Fatal(err)
		}
	}
	mem = bytes.TrimRight(read(t, dir, ".mem"), "\x00")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return mem, read(t, dir, ".sst"), read(t, dir, badger.ManifestFilename)
}

func read(t testing.TB, dir, suffix string) []byte {
	t.Helper()
	paths, err := badgerfile.List(dir, suffix)
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v; want one file", paths, err)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func place(t testing.TB, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// order gives the records of store their place.
func order(key []byte) (uint64, bool) { return uint64(key[1]), key[0] == 'k' }

// TestScanEnds cuts a log everywhere: replay ends at the last whole transaction.
func TestScanEnds(t *testing.T) {
	mem, _, manifest := store(t)
	dir := t.TempDir()
	place(t, dir, badger.ManifestFilename, manifest[:8]) // no tables
	ends := make(map[int64]bool)
	for n := range len(mem) + 1 {
		place(t, dir, "00001.mem", mem[:n])
		s, err := badgerfile.Examine(context.Background(), dir, true, order)
		if err != nil || len(s.Logs) != 1 || s.Clean() {
			t.Fatalf("cut at %d: %+v, %v", n, s, err)
		}
		w := s.Logs[0]
		if w.Size != int64(n) || w.End > max(20, w.Size) {
			t.Errorf("cut at %d: %+v", n, w)
		}
		if (w.First == 0) != (w.End > 20) {
			t.Errorf("cut at %d: first %d with end %d", n, w.First, w.End)
		}
		ends[w.End] = true
	}
	if len(ends) != 4 || !ends[int64(len(mem))] {
		t.Errorf("ends %v, want the header and three transactions", ends)
	}
}

// FuzzExamine reads damaged files before Badger would: no panic, no end beyond
// the file, and nothing but damage reported.
func FuzzExamine(f *testing.F) {
	mem, table, manifest := store(f)
	f.Add(mem, table, manifest)
	f.Add(mem[:40], table[40:], manifest[:12])
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, mem, table, manifest []byte) {
		dir := t.TempDir()
		place(t, dir, "00001.mem", mem)
		place(t, dir, "000001.sst", table)
		place(t, dir, badger.ManifestFilename, manifest)
		safe := func(key []byte) (uint64, bool) { return 0, len(key) > 3 }
		s, err := badgerfile.Examine(t.Context(), dir, true, safe)
		if _, ok := errors.AsType[*badgerfile.Damage](err); err != nil && !ok {
			t.Errorf("%v, want damage", err)
		}
		for _, w := range s.Logs {
			if w.End > max(20, int64(len(mem))) {
				t.Errorf("log of %d bytes ends at %d", len(mem), w.End)
			}
		}
	})
}

// TestSurvey flips bits in every file: a survey lists those and no others, goes on after
// the first, and changes nothing.
func TestSurvey(t *testing.T) {
	dir := t.TempDir()
	opts := badger.DefaultOptions(dir).WithCompression(options.None).WithLogger(nil).
		WithValueThreshold(256).WithValueLogFileSize(1 << 20).WithMemTableSize(1 << 20)
	fill := func(from byte) *badger.DB {
		db, err := badger.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		for i := from; i < from+3; i++ {
			if err := db.Update(func(txn *badger.Txn) error { return txn.Set([]byte{'k', i}, bytes.Repeat([]byte{i}, 300*int(i%2)+90)) }); err != nil {
				t.Fatal(err)
			}
		}
		return db
	}
	if err := fill(1).Close(); err != nil {
		t.Fatal(err)
	}
	db := fill(4)
	left := t.TempDir()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files { // as a crash leaves it
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		place(t, left, f.Name(), b)
	}
	if found, err := badgerfile.Survey(t.Context(), dir, true, nil); err != nil || len(found) != 0 {
		t.Errorf("in use: %v, %v", found, err)
	}
	// A table that is being written is not damaged; one that is there is looked at.
	place(t, dir, "000999.sst", []byte{1})
	if found, err := badgerfile.Survey(t.Context(), dir, true, nil); err != nil || len(found) != 0 {
		t.Errorf("a table being written: %v, %v", found, err)
	}
	if err := os.Remove(filepath.Join(dir, "000999.sst")); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "000001.sst"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[10] ^= 1
	place(t, dir, "000001.sst", flipped)
	if found, err := badgerfile.Survey(t.Context(), dir, true, nil); err != nil || len(found) != 1 || found[0].Part != "table 000001.sst" {
		t.Errorf("a damaged table: %v, %v", found, err)
	}
	place(t, dir, "000001.sst", whole)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	survey := func() []badgerfile.Damage {
		t.Helper()
		found, err := badgerfile.Survey(t.Context(), left, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := survey(); len(found) != 0 {
		t.Fatalf("nothing changed: %v", found)
	}
	spoiled := make(map[string][]byte)
	for _, f := range files {
		at := map[string]int{".sst": 30, ".mem": 40, ".vlog": 40, "": 20}[filepath.Ext(f.Name())]
		if f.Name() == "LOCK" || f.Name() == "DISCARD" {
			continue
		}
		was, err := os.ReadFile(filepath.Join(left, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(was)
		bad[at] ^= 4
		place(t, left, f.Name(), bad)
		if found := survey(); len(found) != 1 {
			t.Errorf("%s: %v", f.Name(), found)
		}
		place(t, left, f.Name(), was)
		spoiled[f.Name()] = bad
	}
	for name, bad := range spoiled {
		place(t, left, name, bad)
	}
	if found := survey(); len(found) != len(spoiled) || len(found) < 5 {
		t.Errorf("all at once: %v, want %d", found, len(spoiled))
	}
}
