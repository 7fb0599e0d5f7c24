package rows_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/rows"
)

// db lends a store and can be told to fail.
type db struct {
	store.Store
	err     error
	updates atomic.Int64
}

func (d *db) Beside(f func(store.Store) error) error {
	if d.err != nil {
		return d.err
	}
	return f(d)
}

func (d *db) Update(f func(store.Txn) error) error {
	d.updates.Add(1)
	return d.Store.Update(f)
}

func open(t *testing.T, dir string) *db {
	t.Helper()
	s, err := store.OpenBadger(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &db{Store: s}
}

func on(t *testing.T, d *db, fill byte) *rows.Rows {
	t.Helper()
	r, err := rows.New(d, [32]byte(bytes.Repeat([]byte{fill}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get(r *rows.Rows, name string) (value string, err error) {
	err = r.View(func(v rows.Reader) error {
		b, err := v.Get(rows.Consents, []byte(name))
		value = string(b)
		return err
	})
	return value, err
}

func set(r *rows.Rows, name, value string) error {
	return r.Update(func(t rows.Txn) error {
		t.Set(rows.Consents, []byte(name), []byte(value))
		return nil
	})
}

func TestRows(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	r := on(t, d, 1)
	if _, err := get(r, "a"); !errors.Is(err, rows.ErrNone) {
		t.Errorf("before: %v", err)
	}
	if err := set(r, "a", "one"); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := r.Update(func(txn rows.Txn) error {
		txn.Set(rows.Consents, []byte("a"), []byte("two"))
		if b, err := txn.Get(rows.Consents, []byte("a")); string(b) != "two" || err != nil {
			t.Errorf("what an update staged itself: %q, %v", b, err)
		}
		return broken
	})
	if v, _ := get(r, "a"); !errors.Is(err, broken) || v != "one" {
		t.Errorf("an update that failed: %v, and left %q", err, v)
	}
	if _, err := get(on(t, d, 2), "a"); !errors.Is(err, rows.ErrNone) {
		t.Errorf("under another key: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, dir)
	defer d.Close()
	r = on(t, d, 1)
	if v, err := get(r, "a"); v != "one" || err != nil {
		t.Errorf("after a restart: %q, %v", v, err)
	}
	var keys []rows.Key
	err = r.View(func(v rows.Reader) error {
		return v.Each(rows.Consents, func(k rows.Key, b []byte) error { keys = append(keys, k); return nil })
	})
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d rows: %v", len(keys), err)
	}
	if err := r.Update(func(txn rows.Txn) error { txn.Delete(keys[0]); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := get(r, "a"); !errors.Is(err, rows.ErrNone) {
		t.Errorf("deleted: %v", err)
	}
	d.err = store.ErrClosed
	if err := set(r, "a", "x"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("with the store closed: %v", err)
	}
}

// TestSealed finds neither name nor value on disk, and no row that was moved or changed.
func TestSealed(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	r := on(t, d, 1)
	if err := errors.Join(set(r, "NAME-OF-A", "VALUE-OF-A"), set(r, "b", "VALUE-OF-B")); err != nil {
		t.Fatal(err)
	}
	var all []store.Row
	err := d.View(func(v store.Reader) error {
		for row, err := range v.Scan(nil, nil) {
			if err != nil {
				return err
			}
			if bytes.Contains(append(row.Key, row.Value...), []byte("-OF-")) {
				t.Error("a row says what it is of")
			}
			all = append(all, store.Row{Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)})
		}
		return nil
	})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d rows: %v", len(all), err)
	}
	swap := func(v []byte) {
		if err := d.Store.Update(func(txn store.Txn) error { return txn.Set(all[0].Key, v) }); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string][]byte{"moved": all[1].Value, "empty": {}, "changed": append(bytes.Clone(all[0].Value[:5]), 0)} {
		swap(value)
		_, a := get(r, "NAME-OF-A")
		_, b := get(r, "b")
		if !errors.Is(errors.Join(a, b), store.ErrDamaged) {
			t.Errorf("%s: %v, %v", name, a, b)
		}
	}
}

// TestTogether counts, from two processes of one store at once, without losing any, and
// in fewer commits than updates.
func TestTogether(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	sides := []*rows.Rows{on(t, d, 1), on(t, d, 1)}
	const each = 100
	var wg sync.WaitGroup
	for i := range each {
		for _, r := range sides {
			wg.Add(1)
			go func() {
				defer wg.Done()
				err := r.Update(func(txn rows.Txn) error {
					if i%10 == 0 {
						return errors.New("not this one")
					}
					n := 0
					b, err := txn.Get(rows.Consents, []byte("n"))
					if err == nil {
						_, err = fmt.Sscan(string(b), &n)
					} else if errors.Is(err, rows.ErrNone) {
						err = nil
					}
					txn.Set(rows.Consents, []byte("n"), fmt.Append(nil, n+1))
					return err
				})
				if (err != nil) != (i%10 == 0) {
					t.Errorf("update %d: %v", i, err)
				}
			}()
		}
	}
	wg.Wait()
	if v, err := get(sides[0], "n"); v != fmt.Sprint(2*each*9/10) || err != nil {
		t.Errorf("counted %s: %v", v, err)
	}
	if d.updates.Load() >= 2*each {
		t.Errorf("%d updates took %d commits", 2*each, d.updates.Load())
	}
}

func BenchmarkUpdate(b *testing.B) {
	s, err := store.OpenBadger(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	d := &db{Store: s}
	defer d.Close()
	r, err := rows.New(d, [32]byte{1})
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := set(r, "a", "one"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/float64(d.updates.Load()), "updates/commit")
}

// TestForget: what is over goes, and a row that was renewed while it was looked for stays.
func TestForget(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	r := on(t, d, 1)
	for name, value := range map[string]string{"a": "old", "b": "old, and renewed", "c": "new"} {
		if err := set(r, name, value); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := r.Forget(rows.Consents, func(value []byte) (bool, error) {
		if string(value) == "old, and renewed" {
			if err := set(r, "b", "new"); err != nil {
				t.Error(err)
			}
		}
		return bytes.HasPrefix(value, []byte("old")), nil
	})
	if gone != 1 || err != nil {
		t.Errorf("%d gone, %v; want 1", gone, err)
	}
	for name, want := range map[string]string{"a": "", "b": "new", "c": "new"} {
		if got, err := get(r, name); got != want || (want == "") != errors.Is(err, rows.ErrNone) {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	failed := errors.New("no value of these")
	if gone, err := r.Forget(rows.Consents, func([]byte) (bool, error) { return false, failed }); gone != 0 || !errors.Is(err, failed) {
		t.Errorf("with a value that cannot be read: %d, %v", gone, err)
	}
}
