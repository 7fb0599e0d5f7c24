package decoy_test

import (
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/rows"
)

// open opens the book of a store, with the list that lies beside a checkpoint file.
func open(t *testing.T, s store.Store, checkpoint string) *decoy.Book {
	t.Helper()
	r, err := rows.New(&lent{Store: s}, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	list, err := decoy.OpenList(checkpoint, [32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	return decoy.New(r, list)
}

// TestOutside: the alarm is raised also in a store from which somebody took the canaries, or
// that is from before them; and the list learns of those that another node made.
func TestOutside(t *testing.T) {
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	stores := make([]store.Store, 2)
	for i := range stores {
		s, err := store.OpenBadger(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		stores[i] = s
	}
	if err := open(t, stores[0], checkpoint).Add(now, subject("AC100")); err != nil {
		t.Fatal(err)
	}
	if err := open(t, stores[0], "").Add(now, subject("AC200")); err != nil { // by another node
		t.Fatal(err)
	}
	if missing, err := open(t, stores[0], checkpoint).Agree(); missing != 0 || err != nil {
		t.Fatal(missing, err)
	}
	b := open(t, stores[1], checkpoint)
	if missing, err := b.Agree(); missing != 2 || err != nil {
		t.Errorf("%d missing, %v", missing, err)
	}
	for value, want := range map[string]bool{"AC100": true, "AC200": true, "AC300": false} {
		if is, err := b.Touched(subject(value)); is != want || err != nil {
			t.Errorf("%s: touched %v, %v", value, is, err)
		}
	}
}
