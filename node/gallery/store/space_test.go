//go:build linux

package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/internal/smalldisk"
)

// TestFull fills the disk under an open store, to the last byte, as other programs do,
// and opens, reads and closes it there. Processes of their own play the parts: the store
// must not end one.
func TestFull(t *testing.T) {
	smalldisk.Run(t, store.Reserve+64<<20, func(t *testing.T, dir string) {
		folder := filepath.Join(dir, "store")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"fill", "closed", "tight", "tight", "again"} {
			smalldisk.Process(t, "TestFullParts", "dir="+dir, "part="+part)
		}
	})
}

// TestFullParts is what TestFull has done in processes of its own.
func TestFullParts(t *testing.T) {
	dir, part := smalldisk.Given("dir"), smalldisk.Given("part")
	if part == "" {
		t.Skip("run by TestFull")
	}
	parts := map[string]func(*testing.T, string){"fill": fullFill, "closed": fullClosed, "tight": fullTight, "again": fullAgain}
	parts[part](t, dir)
}

func row(i int) (key, value []byte) {
	return fmt.Appendf(nil, "k%06d", i), bytes.Repeat([]byte{byte(i)}, 500+1000*(i%3))
}

// write updates in rows until it is refused, and returns how many are there.
func write(t *testing.T, s store.Store, from, to int) int {
	t.Helper()
	for i := from; i < to; i++ {
		err := s.Update(func(txn store.Txn) error {
			for j := range 50 {
				k, v := row(i*50 + j)
				if err := txn.Set(k, v); err != nil {
					return err
				}
			}
			return nil
		})
		if errors.Is(err, store.ErrFull) {
			return i
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// readBack fails unless exactly the rows of n updates are there.
func readBack(t *testing.T, s store.Store, n int) {
	t.Helper()
	err := s.View(func(r store.Reader) error {
		i := 0
		for got, err := range r.Scan([]byte("k"), nil) {
			if err != nil {
				return err
			}
			k, v := row(i)
			if !bytes.Equal(got.Key, k) || !bytes.Equal(got.Value, v) {
				return fmt.Errorf("row %d is another", i)
			}
			i++
		}
		if i != 50*n {
			return fmt.Errorf("%d rows, want %d", i, 50*n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func refused(t *testing.T, s store.Store) {
	t.Helper()
	err := s.Update(func(store.Txn) error { t.Error("the update was begun"); return nil })
	if !errors.Is(err, store.ErrFull) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

func leave(t *testing.T, dir string, free uint64) {
	t.Helper()
	if err := smalldisk.Leave(dir, free); err != nil {
		t.Fatal(err)
	}
}

func openFull(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := store.OpenBadger(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func count(t *testing.T, dir string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "count"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func keepCount(t *testing.T, dir string, n int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "count"), []byte(strconv.Itoa(n)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fullFill: the store stops by itself, then everything else takes the rest of the disk.
func fullFill(t *testing.T, dir string) {
	s := openFull(t, dir)
	keepCount(t, dir, 0)
	n := write(t, s, 0, 1<<20)
	if n < 50 {
		t.Errorf("only %d updates were taken", n)
	}
	keepCount(t, dir, n)
	refused(t, s)
	readBack(t, s, n)
	leave(t, dir, 0)
	refused(t, s)
	readBack(t, s, n)
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// fullClosed: it is not opened where opening would end the process.
func fullClosed(t *testing.T, dir string) {
	if s, err := store.OpenBadger(filepath.Join(dir, "store")); !errors.Is(err, store.ErrFull) {
		t.Errorf("opening: %v, %v, want ErrFull", s, err)
	}
	empty := filepath.Join(dir, "new")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenBadger(empty); !errors.Is(err, store.ErrFull) {
		t.Errorf("opening a new one: %v, want ErrFull", err)
	}
}

// fullTight: with a little room it serves reads; with more it goes on by itself, and
// stops again.
func fullTight(t *testing.T, dir string) {
	leave(t, dir, 96<<20)
	s := openFull(t, dir)
	n := count(t, dir)
	refused(t, s)
	readBack(t, s, n)
	leave(t, dir, store.Reserve+128<<20)
	more := write(t, s, n, 1<<20)
	if more == n {
		t.Error("no update was taken although there was room")
	}
	keepCount(t, dir, more)
	refused(t, s)
	readBack(t, s, more)
	leave(t, dir, 96<<20)
	refused(t, s)
	readBack(t, s, more)
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func fullAgain(t *testing.T, dir string) {
	leave(t, dir, store.Reserve+128<<20)
	s := openFull(t, dir)
	readBack(t, s, count(t, dir))
	if got := write(t, s, count(t, dir), count(t, dir)+3); got != count(t, dir)+3 {
		t.Errorf("%d updates", got)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}
