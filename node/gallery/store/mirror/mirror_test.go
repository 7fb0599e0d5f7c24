package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/store/mirror"
)

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := store.OpenBadger(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// put makes a store hold the rows and no others.
func put(t rapid.TB, s store.Store, rows map[string]string) {
	t.Helper()
	have := content(t, s)
	err := s.Update(func(txn store.Txn) error {
		for k := range have {
			if err := txn.Delete([]byte(k)); err != nil {
				return err
			}
		}
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

func content(t rapid.TB, s store.Store) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	err := s.View(func(r store.Reader) error {
		for row, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			rows[string(row.Key)] = string(row.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func kept(key []byte) bool { return key[0] != 'x' }

func copyInto(ctx context.Context, s store.Store, rows map[string]string) (mirror.Counts, error) {
	m := mirror.New(s, kept, nil)
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		if err := m.Take(store.Row{Key: []byte(k), Value: []byte(rows[k])}); err != nil {
			return m.Done(), err
		}
	}
	if err := m.Finish(ctx); err != nil {
		return m.Done(), err
	}
	return m.Done(), m.Check(ctx)
}

// TestMirror: whatever was there, afterwards it is what was taken, and beside it only
// what is not to be looked at; no row is written that was right.
func TestMirror(t *testing.T) {
	s := open(t)
	rows := rapid.MapOf(rapid.StringMatching(`[abx][a-d]{0,2}`), rapid.StringMatching(`[01]?`))
	rapid.Check(t, func(t *rapid.T) {
		was, want := rows.Draw(t, "was"), rows.Draw(t, "want")
		put(t, s, was)
		done, err := copyInto(t.Context(), s, want)
		if err != nil {
			t.Fatal(err)
		}
		var expect mirror.Counts
		result := make(map[string]string)
		for k, v := range want {
			if !kept([]byte(k)) {
				continue
			}
			result[k] = v
			expect.Rows++
			if old, ok := was[k]; !ok || old != v {
				expect.Written++
			}
		}
		for k, v := range was {
			if !kept([]byte(k)) {
				result[k] = v
			} else if _, ok := want[k]; !ok {
				expect.Removed++
			}
		}
		if got := content(t, s); !maps.Equal(got, result) || done != expect {
			t.Errorf("%v, %+v; want %v, %+v", got, done, result, expect)
		}
	})
}

// TestLarge takes more rows than fit into a page, and more bytes than into an update.
func TestLarge(t *testing.T) {
	s := open(t)
	rows := make(map[string]string)
	for i := range 1500 {
		rows[fmt.Sprintf("a%05d", i)] = fmt.Sprintf("%02000d", i)
	}
	if done, err := copyInto(t.Context(), s, rows); err != nil || done != (mirror.Counts{Rows: 1500, Written: 1500}) {
		t.Errorf("%+v, %v", done, err)
	}
	for i := range 700 {
		delete(rows, fmt.Sprintf("a%05d", 2*i))
	}
	rows["a00001"] = "other"
	if done, err := copyInto(t.Context(), s, rows); err != nil || done != (mirror.Counts{Rows: 800, Written: 1, Removed: 700}) {
		t.Errorf("%+v, %v", done, err)
	}
	if !maps.Equal(content(t, s), rows) {
		t.Error("the rows are others")
	}
}

// TestFails: what the store does not take, or does not keep, is told.
func TestFails(t *testing.T) {
	rows := map[string]string{"a": "1", "b": "2"}
	if _, err := copyInto(t.Context(), broken{Store: open(t), err: store.ErrUnavailable}, rows); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if _, err := copyInto(t.Context(), broken{Store: open(t)}, rows); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := copyInto(ended, open(t), rows); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

// broken fails to update, or pretends to.
type broken struct {
	store.Store
	err error
}

func (b broken) Update(func(store.Txn) error) error { return b.err }
