package presence_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/store"
)

func open(t *testing.T) store.Store {
	t.Helper()
	db, err := store.OpenBadger(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func board(t *testing.T, db store.Store, key byte, host, file string) *presence.Board {
	t.Helper()
	b, err := presence.New(db, [32]byte{key}, host, file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func file(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "presence")
}

// clone copies a file.
func clone(t *testing.T, from string) string {
	t.Helper()
	b, err := os.ReadFile(from)
	to := file(t)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func beat(t *testing.T, b *presence.Board, current uint32) {
	t.Helper()
	if err := b.Beat(presence.Keys{"kek": {Oldest: 1, Current: current}}); err != nil {
		t.Fatal(err)
	}
}

// others are the current generations of those that b sees.
func others(t *testing.T, b *presence.Board, at time.Time) (out []uint32) {
	t.Helper()
	all, err := b.Others(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		out = append(out, o.Keys["kek"].Current)
	}
	return out
}

func rows(t *testing.T, db store.Store) (out []store.Row) {
	t.Helper()
	err := db.View(func(r store.Reader) error {
		for row, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			out = append(out, store.Row{Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBoard(t *testing.T) {
	db := open(t)
	a, b := board(t, db, 1, "alpha", file(t)), board(t, db, 1, "alpha", file(t))
	stranger := board(t, db, 2, "gamma", file(t))
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	if got := others(t, a, at); got != nil {
		t.Errorf("alone, it sees %v", got)
	}
	beat(t, a, 7)
	beat(t, b, 1)
	beat(t, stranger, 9)
	if got := others(t, a, at); len(got) != 1 || got[0] != 1 {
		t.Errorf("sees %v, want the other one", got)
	}
	for _, row := range rows(t, db) {
		if bytes.Contains(row.Value, []byte("alpha")) {
			t.Error("the host lies in clear")
		}
	}
	beat(t, b, 2)
	if got := others(t, a, at.Add(presence.Lease-1)); len(got) != 1 || got[0] != 2 {
		t.Errorf("sees %v", got)
	}
	// It is the beat that counts, not how long ago it was first seen.
	if got := others(t, a, at.Add(2*presence.Lease-2)); len(got) != 1 {
		t.Errorf("sees %v", got)
	}
	if got := others(t, a, at.Add(2*presence.Lease)); got != nil {
		t.Errorf("sees %v, which has not moved", got)
	}
	if n := len(rows(t, db)); n != 1 {
		t.Errorf("%d rows, want its own", n)
	}
	beat(t, b, 3) // it was only slow
	if got := others(t, a, at.Add(2*presence.Lease)); len(got) != 1 || got[0] != 3 {
		t.Errorf("sees %v", got)
	}
	if err := b.Leave(); err != nil {
		t.Fatal(err)
	}
	if got := others(t, a, at.Add(2*presence.Lease)); got != nil {
		t.Errorf("sees %v, which has left", got)
	}
}

// TestStartedAgain: a process goes on with the row that it left when it was killed.
func TestStartedAgain(t *testing.T) {
	db := open(t)
	mine := file(t)
	a, b := board(t, db, 1, "alpha", file(t)), board(t, db, 1, "beta", mine)
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for range 3 {
		beat(t, b, 1)
	}
	others(t, a, at)
	b = board(t, db, 1, "beta", mine)
	beat(t, b, 2)
	if got := others(t, a, at.Add(presence.Lease)); len(got) != 1 || got[0] != 2 {
		t.Errorf("sees %v", got)
	}
}

// TestMoved: a row under another name, or an older one put back, is no sign of life.
func TestMoved(t *testing.T) {
	db := open(t)
	a, b := board(t, db, 1, "alpha", file(t)), board(t, db, 1, "beta", file(t))
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	beat(t, b, 1)
	old := rows(t, db)[0]
	beat(t, b, 2)
	others(t, a, at)
	moved := append(bytes.Clone(old.Key[:len(old.Key)-1]), old.Key[len(old.Key)-1]^1)
	if err := db.Update(func(txn store.Txn) error { return errors.Join(txn.Set(old.Key, old.Value), txn.Set(moved, old.Value)) }); err != nil {
		t.Fatal(err)
	}
	if got := others(t, a, at.Add(1)); len(got) != 1 {
		t.Errorf("sees %v", got)
	}
	if got := others(t, a, at.Add(presence.Lease)); got != nil {
		t.Errorf("sees %v", got)
	}
}

// TestCloned: copies of a machine, made while it ran or while it stood, do not count as one.
func TestCloned(t *testing.T) {
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, running := range map[string]bool{"running": true, "stopped": false} {
		t.Run(name, func(t *testing.T) {
			db, fileA := open(t), file(t)
			a, look := board(t, db, 1, "alpha", fileA), board(t, db, 1, "other", file(t))
			beat(t, a, 1)
			fileB := clone(t, fileA)
			if !running { // it is started again after it was copied
				a = board(t, db, 1, "alpha", fileA)
				beat(t, a, 1)
			}
			b := board(t, db, 1, "alpha", fileB)
			beat(t, b, 2)
			if running {
				beat(t, a, 1) // finds the other in its row
			}
			see := func(who *presence.Board, want ...uint32) {
				t.Helper()
				if got := others(t, who, at); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
					t.Errorf("sees %v, want %v", got, want)
				}
			}
			see(look, 1, 2)
			see(a, 2)
			see(b, 1)
			// Each goes on with its own, past a start.
			a, b = board(t, db, 1, "alpha", fileA), board(t, db, 1, "alpha", fileB)
			beat(t, b, 4)
			beat(t, a, 3)
			beat(t, b, 4)
			see(look, 3, 4)
			if err := a.Leave(); err != nil {
				t.Fatal(err)
			}
			see(look, 4)
			if n := len(rows(t, db)); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// TestLeaveOfAnother: who leaves does not take the row of its clone along.
func TestLeaveOfAnother(t *testing.T) {
	db, mine := open(t), file(t)
	a := board(t, db, 1, "alpha", mine)
	beat(t, a, 1)
	b := board(t, db, 1, "alpha", clone(t, mine))
	beat(t, b, 2)
	if err := a.Leave(); err != nil {
		t.Fatal(err)
	}
	if n := len(rows(t, db)); n != 1 {
		t.Errorf("%d rows, want the clone's", n)
	}
}

// TestFileThatCannotBeWritten: a process whose folder is full is there all the same.
func TestFileThatCannotBeWritten(t *testing.T) {
	db := open(t)
	a := board(t, db, 1, "alpha", file(t))
	b := board(t, db, 1, "alpha", filepath.Join(t.TempDir(), "absent", "presence"))
	beat(t, b, 1)
	beat(t, b, 2)
	if got := others(t, a, time.Unix(0, 0)); len(got) != 1 || got[0] != 2 {
		t.Errorf("sees %v", got)
	}
}
