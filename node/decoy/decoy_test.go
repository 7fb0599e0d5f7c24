package decoy_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/rows"
)

var now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

type lent struct {
	store.Store
	err error
}

func (l *lent) Beside(f func(store.Store) error) error {
	if l.err != nil {
		return l.err
	}
	return f(l.Store)
}

func subject(value string) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: "KGZ", Type: pseudonym.IDPassport, Value: value}
}

func TestBook(t *testing.T) {
	s, err := store.OpenBadger(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := &lent{Store: s}
	defer l.Close()
	r, err := rows.New(l, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	b := decoy.New(r, nil)
	if err := b.Add(now, subject("AC 100"), subject("AC200")); err != nil {
		t.Fatal(err)
	}
	if err := b.Add(now.Add(time.Hour), subject("AC100")); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{"AC100": true, "AC200": true, "AC300": false} {
		if is, err := b.Touched(subject(value)); is != want || err != nil {
			t.Errorf("%s: touched %v, %v", value, is, err)
		}
	}
	list, err := b.List()
	if err != nil || len(list) != 2 || !list[0].Since.Equal(now) || !list[1].Since.Equal(now) {
		t.Errorf("listed %d: %v", len(list), err)
	}
	if err := b.Add(now, subject("AC400"), subject("A/C")); !errors.Is(err, pseudonym.ErrIdentifier) {
		t.Errorf("no identifier: %v", err)
	}
	if is, _ := b.Touched(subject("AC400")); is {
		t.Error("one of those that were refused together is there")
	}
	// One whose row somebody spoilt is answered, and raises the alarm, as before.
	if err := s.Update(func(txn store.Txn) error {
		for row, err := range txn.Scan([]byte{rows.Canaries}, nil) {
			if err := errors.Join(err, txn.Set(row.Key, []byte("spoilt"))); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{"AC100": true, "AC300": false} {
		if is, err := b.Touched(subject(value)); is != want || err != nil {
			t.Errorf("%s, spoilt: touched %v, %v", value, is, err)
		}
	}
	l.err = store.ErrUnavailable
	if _, err := b.Touched(subject("AC100")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with the store away: %v", err)
	}
}
