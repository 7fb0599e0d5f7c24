package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/internal/pgtest"
)

// postgres is the cluster of the tests that need one.
var postgres pgtest.One

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.Stop()
	os.Exit(code)
}

// place is where a store lies: it can be opened again, and crash.
type place struct {
	open  func(t *testing.T) store.Store
	crash func(t *testing.T) // with the store still open
}

// engines make new places.
func engines() map[string]func(t *testing.T) place {
	return map[string]func(t *testing.T) place{
		"badger": func(t *testing.T) place {
			dir := t.TempDir()
			return place{
				open: func(t *testing.T) store.Store {
					s, err := store.OpenBadger(dir)
					return opened(t, s, err)
				},
				crash: func(t *testing.T) {
					// What a crash leaves is the files as they are; the old process keeps its own.
					copied := filepath.Join(t.TempDir(), "crashed")
					if err := os.CopyFS(copied, os.DirFS(dir)); err != nil && !errors.Is(err, fs.ErrExist) {
						t.Fatal(err)
					}
					dir = copied
				},
			}
		},
		"postgres": func(t *testing.T) place {
			cluster := postgres.Start(t)
			dsn := cluster.Database(t)
			return place{
				open: func(t *testing.T) store.Store {
					s, err := store.OpenPostgres(t.Context(), dsn)
					return opened(t, s, err)
				},
				crash: func(t *testing.T) {
					cluster.Crash()
					cluster.Start(t)
				},
			}
		},
	}
}

func opened(t *testing.T, s store.Store, err error) store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestContract asks of every engine what [store.Store] promises.
func TestContract(t *testing.T) {
	checks := map[string]func(*testing.T, place){
		"read": checkRead, "pages": checkPages, "update": checkUpdate, "moment": checkMoment, "turns": checkTurns,
		"crash": checkCrash, "load": checkLoad, "load-error": checkLoadError, "sizes": checkSizes,
	}
	for name, make := range engines() {
		t.Run(name, func(t *testing.T) {
			for name, check := range checks {
				t.Run(name, func(t *testing.T) { check(t, make(t)) })
			}
		})
	}
}

func set(t *testing.T, s store.Store, rows map[string]string) {
	t.Helper()
	err := s.Update(func(txn store.Txn) error {
		for k, v := range rows {
			if err := txn.Set([]byte(k), []byte(v)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// scan is a Scan as text.
func scan(t *testing.T, r store.Reader, prefix, after []byte) (out []string) {
	t.Helper()
	for row, err := range r.Scan(prefix, after) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s=%s", row.Key, row.Value))
	}
	return out
}

func all(t *testing.T, s store.Store) (out []string) {
	t.Helper()
	if err := s.View(func(r store.Reader) error { out = scan(t, r, nil, nil); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func checkRead(t *testing.T, p place) {
	s := p.open(t)
	expect(t, "new", all(t, s))
	set(t, s, map[string]string{"a": "1", "b\x00": "2", "b\xff": "3", "b\xff\xff": "4", "c": "", "\xff\xff": "5", "ba": "6"})
	err := s.View(func(r store.Reader) error {
		expect(t, "all", scan(t, r, nil, nil), "a=1", "b\x00=2", "ba=6", "b\xff=3", "b\xff\xff=4", "c=", "\xff\xff=5")
		expect(t, "prefix", scan(t, r, []byte("b"), nil), "b\x00=2", "ba=6", "b\xff=3", "b\xff\xff=4")
		expect(t, "after", scan(t, r, []byte("b"), []byte("ba")), "b\xff=3", "b\xff\xff=4")
		expect(t, "after-before", scan(t, r, []byte("b"), []byte("a")), "b\x00=2", "ba=6", "b\xff=3", "b\xff\xff=4")
		expect(t, "after-last", scan(t, r, []byte("b"), []byte("b\xff\xff")))
		expect(t, "prefix-ff", scan(t, r, []byte("b\xff"), nil), "b\xff=3", "b\xff\xff=4")
		expect(t, "prefix-end", scan(t, r, []byte("\xff"), nil), "\xff\xff=5")
		expect(t, "none", scan(t, r, []byte("d"), nil))
		for row, err := range r.Scan(nil, nil) { // a Get during a Scan, and a Scan that is left
			if v, e := r.Get([]byte("ba")); err != nil || e != nil || string(v) != "6" || string(row.Key) != "a" {
				t.Errorf("during a scan: %q, %v, %v", v, err, e)
			}
			break
		}
		if err := r.Fetch([]byte("a"), []byte("zz")); err != nil {
			return err
		}
		for key, want := range map[string]string{"a": "1", "c": "", "\xff\xff": "5"} {
			v, err := r.Get([]byte(key))
			if err != nil || string(v) != want {
				t.Errorf("%q: %q, %v", key, v, err)
			}
			if len(v) > 0 {
				v[0] = 'x' // the caller's to keep
			}
			if v, err := r.Get([]byte(key)); err != nil || string(v) != want {
				t.Errorf("%q again: %q, %v", key, v, err)
			}
		}
		for _, key := range []string{"zz", "b", "aa"} {
			if v, err := r.Get([]byte(key)); !errors.Is(err, store.ErrNotFound) || v != nil {
				t.Errorf("%q: %q, %v", key, v, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	wish := errors.New("wish")
	if err := s.View(func(store.Reader) error { return wish }); !errors.Is(err, wish) {
		t.Errorf("got %v, want the function's error", err)
	}
}

// checkPages scans more than an engine reads at once.
func checkPages(t *testing.T, p place) {
	s := p.open(t)
	rows := make(map[string]string)
	var want []string
	for i := range 1100 {
		k := fmt.Sprintf("k%04d", i)
		rows[k] = fmt.Sprint(i)
		want = append(want, k+"="+rows[k])
	}
	set(t, s, rows)
	set(t, s, map[string]string{"j": "", "l": ""})
	err := s.View(func(r store.Reader) error {
		expect(t, "prefix", scan(t, r, []byte("k"), nil), want...)
		expect(t, "after", scan(t, r, []byte("k"), []byte("k0511")), want[512:]...)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func checkUpdate(t *testing.T, p place) {
	s := p.open(t)
	set(t, s, map[string]string{"a": "1", "b": "2", "c": "3"})
	wish := errors.New("wish")
	stage := func(txn store.Txn) error {
		err := errors.Join(txn.Fetch([]byte("a"), []byte("b"), []byte("d")),
			txn.Set([]byte("a"), []byte("10")), txn.Delete([]byte("b")), txn.Set([]byte("d"), []byte("4")),
			txn.Delete([]byte("nothing")), txn.Set([]byte("e"), []byte("5")), txn.Delete([]byte("e")),
			txn.Delete([]byte("c")), txn.Set([]byte("c"), []byte("30")))
		if err != nil {
			return err
		}
		for key, want := range map[string]string{"a": "10", "c": "30", "d": "4"} {
			if v, err := txn.Get([]byte(key)); err != nil || string(v) != want {
				t.Errorf("staged %s: %q, %v", key, v, err)
			}
		}
		for _, key := range []string{"b", "e"} {
			if _, err := txn.Get([]byte(key)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("staged removal of %s: %v", key, err)
			}
		}
		expect(t, "staged", scan(t, txn, nil, nil), "a=10", "c=30", "d=4")
		return txn.Set([]byte("f"), []byte("6"))
	}
	if err := s.Update(func(txn store.Txn) error { return errors.Join(stage(txn), wish) }); !errors.Is(err, wish) {
		t.Errorf("got %v, want the function's error", err)
	}
	expect(t, "given up", all(t, s), "a=1", "b=2", "c=3")
	if err := s.Update(stage); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(func(store.Txn) error { return nil }); err != nil {
		t.Fatal(err)
	}
	expect(t, "done", all(t, s), "a=10", "c=30", "d=4", "f=6")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, "opened again", all(t, p.open(t)), "a=10", "c=30", "d=4", "f=6")
}

// checkMoment: a View does not see what is updated after it began to read.
func checkMoment(t *testing.T, p place) {
	s := p.open(t)
	set(t, s, map[string]string{"a": "1"})
	err := s.View(func(r store.Reader) error {
		expect(t, "before", scan(t, r, nil, nil), "a=1")
		set(t, s, map[string]string{"a": "2", "b": "2"})
		expect(t, "meanwhile", scan(t, r, nil, nil), "a=1")
		if _, err := r.Get([]byte("b")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a row of the future: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	expect(t, "after", all(t, s), "a=2", "b=2")
}

// checkTurns: updates that read what they change lose nothing of each other, also when
// they come from several processes' stores.
func checkTurns(t *testing.T, p place) {
	stores := []store.Store{p.open(t)}
	if stores[0].Shared() {
		stores = append(stores, p.open(t), p.open(t))
	}
	const writers, each = 6, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				err := stores[w%len(stores)].Update(func(txn store.Txn) error {
					v, err := txn.Get([]byte("n"))
					if errors.Is(err, store.ErrNotFound) {
						v, err = make([]byte, 8), nil
					}
					if err != nil {
						return err
					}
					return txn.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(v)+1))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	expect(t, "count", all(t, stores[0]), "n="+string(binary.BigEndian.AppendUint64(nil, writers*each)))
}

// checkCrash: what Update returned nil of is there after a crash, and an update that was
// being made is not.
func checkCrash(t *testing.T, p place) {
	s := p.open(t)
	var want []string
	for i := range 20 {
		k := fmt.Sprintf("k%02d", i)
		set(t, s, map[string]string{k: string(bytes.Repeat([]byte{byte('a' + i)}, 1<<(i%13)))})
		want = append(want, k+"="+string(bytes.Repeat([]byte{byte('a' + i)}, 1<<(i%13))))
	}
	wish := errors.New("wish")
	err := s.Update(func(txn store.Txn) error {
		err := txn.Set([]byte("k00"), nil)
		_ = scan(t, txn, nil, nil) // has it sent, where it is sent
		p.crash(t)
		return errors.Join(err, wish)
	})
	if !errors.Is(err, wish) {
		t.Errorf("got %v", err)
	}
	expect(t, "after the crash", all(t, p.open(t)), want...)
}

func rowsOf(rows map[string]string) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for _, k := range slices.Backward(slices.Sorted(maps.Keys(rows))) { // in no particular order
			if !yield(store.Row{Key: []byte(k), Value: []byte(rows[k])}, nil) {
				return
			}
		}
	}
}

func checkLoad(t *testing.T, p place) {
	s := p.open(t)
	if err := s.Load(rowsOf(map[string]string{"a": "1", "b": "", "c": "3"})); err != nil {
		t.Fatal(err)
	}
	expect(t, "loaded", all(t, s), "a=1", "b=", "c=3")
	if err := s.Load(rowsOf(map[string]string{"d": "1"})); err == nil {
		t.Error("loaded into a store that has rows")
	}
	expect(t, "loaded twice", all(t, s), "a=1", "b=", "c=3")
	_ = s.Close()
	expect(t, "opened again", all(t, p.open(t)), "a=1", "b=", "c=3")
}

func checkLoadError(t *testing.T, p place) {
	wish := errors.New("wish")
	err := p.open(t).Load(func(yield func(store.Row, error) bool) {
		_ = yield(store.Row{Key: []byte("a"), Value: []byte("1")}, nil) && yield(store.Row{}, wish)
	})
	if !errors.Is(err, wish) {
		t.Errorf("got %v, want the rows' error", err)
	}
}

// checkSizes stages as much as may be, in one row and in many.
func checkSizes(t *testing.T, p place) {
	s := p.open(t)
	const n = 8000
	err := s.Update(func(txn store.Txn) error {
		for i := range n {
			k := binary.BigEndian.AppendUint32([]byte("k"), uint32(i))
			if err := txn.Set(k, bytes.Repeat([]byte{byte(i)}, store.MaxUpdate/n/2)); err != nil {
				return err
			}
		}
		return txn.Set([]byte("large"), bytes.Repeat([]byte("x"), store.MaxUpdate/2-n*5-16))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(all(t, s)); got != n+1 {
		t.Errorf("%d rows, want %d", got, n+1)
	}
}

// TestTwice opens a store that is open: refused, or shared.
func TestTwice(t *testing.T) {
	dir := t.TempDir()
	first, err := store.OpenBadger(dir)
	opened(t, first, err)
	set(t, first, map[string]string{"a": "1"})
	if _, err := store.OpenBadger(dir); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	expect(t, "meanwhile", all(t, first), "a=1")
}
