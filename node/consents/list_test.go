package consents_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/rows"
	"github.com/tamga-id/tamga/node/rows/outside"
)

// listed is a book in a store with a list beside.
func listed(t *testing.T, l *lent, path string, at time.Time) *consents.Book {
	t.Helper()
	r, err := rows.New(l, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	list, err := outside.Open(path, [32]byte{2}, at.Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return consents.New(r, list)
}

// TestListOutside: a withdrawal stands in a store that does not know of it, from the first
// moment and, once they agree, for who has no list; what the list has lost it gets back.
func TestListOutside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint-withdrawals")
	first := open(t, t.TempDir())
	b := listed(t, first, path, now)
	for _, id := range []string{"one", "two"} {
		if fresh, err := b.Withdraw(withdrawn(id), "token"); !fresh || err != nil {
			t.Fatal(fresh, err)
		}
	}
	older := open(t, t.TempDir()) // as before both
	b = listed(t, older, path, now)
	if err := b.Use(given("one", 3)); !errors.Is(err, consents.ErrWithdrawn) {
		t.Errorf("of a store put back: %v", err)
	}
	if is, err := b.Withdrawn(given("one", 3).Key()); !is || err != nil {
		t.Errorf("of a store put back: %v, %v", is, err)
	}
	if err := book(t, older).Use(given("one", 3)); err != nil {
		t.Errorf("without a list: %v", err)
	}
	broken := errors.New("not erased")
	if back, err := b.Agree(func() error { return broken }); back != 0 || !errors.Is(err, broken) {
		t.Errorf("%d put back: %v", back, err)
	}
	if err := book(t, older).Use(given("two", 3)); err != nil {
		t.Errorf("not put back, without a list: %v", err)
	}
	if back, err := b.Agree(func() error { return nil }); back != 2 || err != nil {
		t.Errorf("%d put back: %v", back, err)
	}
	for _, id := range []string{"one", "two"} {
		if err := book(t, older).Use(given(id, 3)); !errors.Is(err, consents.ErrWithdrawn) {
			t.Errorf("%s put back, for who has no list: %v", id, err)
		}
	}
	if err := b.Use(given("three", 1)); err != nil {
		t.Error(err)
	}
	// The list that was lost is made up from the store.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if back, err := listed(t, first, path, now).Agree(func() error { return nil }); back != 0 || err != nil {
		t.Error(back, err)
	}
	b = listed(t, open(t, t.TempDir()), path, now)
	for _, id := range []string{"one", "two"} {
		if err := b.Use(given(id, 3)); !errors.Is(err, consents.ErrWithdrawn) {
			t.Errorf("%s of a list made up: %v", id, err)
		}
	}
	// Nothing is kept longer than the artefact can live.
	info, err := os.Stat(path)
	if err != nil || info.Size() != 2*57 {
		t.Fatal(info, err)
	}
	listed(t, open(t, t.TempDir()), path, now.AddDate(10, 0, 0))
	if info, err = os.Stat(path); err != nil || info.Size() != 0 {
		t.Error(info, err)
	}
}

// TestListAgain: a withdrawal that is signed again and again takes no more room in the list, and
// is forgotten there when the store does.
func TestListAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	l := open(t, t.TempDir())
	b := listed(t, l, path, now)
	for i := range 50 {
		w := withdrawn("one")
		w.IssuedAt = w.IssuedAt.Add(time.Duration(i) * time.Hour)
		if _, err := b.Withdraw(w, "token"); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 57 {
		t.Fatal(info, err)
	}
	later := now.Add(consent.MaxLifetime + 25*time.Hour)
	if n, err := b.Forget(later); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if back, err := listed(t, l, path, later).Agree(func() error { return nil }); back != 0 || err != nil {
		t.Errorf("%d put back, %v", back, err)
	}
}

// TestListEdited: a list is refused wherever one bit is another one, and when an entry is
// taken out of it; the end of one that a crash cut off is forgotten.
func TestListEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	b := listed(t, open(t, t.TempDir()), path, now)
	for _, id := range []string{"one", "two", "three"} {
		if _, err := b.Withdraw(withdrawn(id), "token"); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte) error {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := outside.Open(path, [32]byte{2}, now)
		return err
	}
	for i := range whole {
		edited := append([]byte(nil), whole...)
		edited[i] ^= 1
		if err := try(edited); !errors.Is(err, outside.ErrEdited) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if err := try(whole[len(whole)/3:]); !errors.Is(err, outside.ErrEdited) {
		t.Errorf("without its first entry: %v", err)
	}
	if _, err := outside.Open(path, [32]byte{3}, now); !errors.Is(err, outside.ErrEdited) {
		t.Errorf("of another node: %v", err)
	}
	for name, torn := range map[string][]byte{"cut": whole[:len(whole)-5], "zeros": append(append([]byte(nil), whole...), make([]byte, len(whole)/3)...)} {
		if err := try(torn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b = listed(t, open(t, t.TempDir()), path, now)
		if _, err := b.Withdraw(withdrawn("four"), "token"); err != nil {
			t.Error(err)
		}
		b = listed(t, open(t, t.TempDir()), path, now)
		for _, id := range []string{"one", "two", "four"} {
			if err := b.Use(given(id, 1)); !errors.Is(err, consents.ErrWithdrawn) {
				t.Errorf("%s: %s: %v", name, id, err)
			}
		}
	}
}
