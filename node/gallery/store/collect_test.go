package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// TestCollect: a value log that is mostly rows which are gone goes, and with it their
// bytes; the others are there, also when opened again.
func TestCollect(t *testing.T) {
	dir := t.TempDir()
	b, err := store.OpenBadger(dir)
	opened(t, b, err)
	mark := func(i int) string { return fmt.Sprintf("mark of row %03d;", i) }
	rows := make(map[string]string)
	for i := range 200 {
		rows[fmt.Sprintf("k%03d", i)] = string(bytes.Repeat([]byte(mark(i)), 200))
	}
	set(t, b, rows)
	var want []string
	for i := range 50 {
		k := fmt.Sprintf("k%03d", i)
		want = append(want, k+"="+rows[k])
	}
	reopen := func() {
		t.Helper()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b, err = store.OpenBadger(dir)
		opened(t, b, err)
	}
	reopen() // a log is written to its end before it can go
	if n, err := b.Collect(t.Context()); n != 0 || err != nil {
		t.Errorf("nothing is gone: %d logs, %v", n, err)
	}
	err = b.Update(func(txn store.Txn) error {
		for i := 50; i < 200; i++ {
			if err := txn.Delete(fmt.Appendf(nil, "k%03d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 6 { // enough tables for Badger to compact them
		set(t, b, map[string]string{"k000": rows["k000"]})
		reopen()
	}
	if err := b.Compact(); err != nil {
		t.Fatal(err)
	}
	if !holds(t, dir, mark(120)) {
		t.Fatal("the test looks for rows where they never were")
	}
	n, err := b.Collect(t.Context())
	for range 20 { // Badger compacts on its own, too, and then later
		if n > 0 || err != nil {
			break
		}
		set(t, b, map[string]string{"k000": rows["k000"]})
		reopen()
		if err := b.Compact(); err != nil {
			t.Fatal(err)
		}
		n, err = b.Collect(t.Context())
	}
	if n < 1 || err != nil {
		t.Errorf("%d logs, %v", n, err)
	}
	expect(t, "rows", all(t, b), want...)
	reopen()
	expect(t, "opened again", all(t, b), want...)
	if holds(t, dir, mark(120)) {
		t.Error("a row that is gone is still in a file")
	}
	if !holds(t, dir, mark(20)) {
		t.Error("a row that is there is in no file")
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := b.Collect(stopped); err == nil {
		t.Error("collected for a caller who is gone")
	}
}

// holds searches the files of a folder.
func holds(t *testing.T, dir, mark string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(mark)) {
			return true
		}
	}
	return false
}
