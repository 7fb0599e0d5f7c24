package alarms_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/alarms"
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

func open(t *testing.T) (*lent, *rows.Rows) {
	t.Helper()
	s, err := store.OpenBadger(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l := &lent{Store: s}
	r, err := rows.New(l, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return l, r
}

// ended has a book write what was raised.
func ended(t *testing.T, b *alarms.Book) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failure error
	if err := b.Run(ctx, func(err error) { failure = err }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return failure
}

func alarm(kind alarms.Kind, who string, i int) alarms.Alarm {
	return alarms.Alarm{Kind: kind, At: now.Add(time.Duration(i) * time.Second), Requester: who, Officer: "o-1", Purpose: "border_control", Query: fmt.Sprintf("%s/%d", who, i)}
}

func TestBook(t *testing.T) {
	l, r := open(t)
	b := alarms.New(r)
	b.Raise(alarm(alarms.Canary, "https://kaz.test", 1))
	b.Raise(alarm(alarms.Locked, "https://kaz.test", 2))
	b.Raise(alarm(alarms.Canary, "https://kaz.test", 1)) // the same once more, of a search with two canaries
	b.Raise(alarm("else", "https://kaz.test", 3))
	if got := b.Counts(); got["canary"] != 2 || got["locked"] != 1 || len(got) != 2 {
		t.Errorf("counted %v", got)
	}
	if err := ended(t, b); err != nil {
		t.Fatal(err)
	}
	if list, err := b.List(); err != nil || len(list) != 2 {
		t.Errorf("the book itself lists %v, %v", list, err)
	}
	// Another node of the store, or the next start, has them.
	list, err := alarms.New(r).List()
	if err != nil || len(list) != 2 || list[0] != alarm(alarms.Locked, "https://kaz.test", 2) || list[1] != alarm(alarms.Canary, "https://kaz.test", 1) {
		t.Errorf("listed %v, %v", list, err)
	}
	l.err = errors.New("away")
	b.Raise(alarm(alarms.Canary, "https://kaz.test", 4))
	if err := ended(t, b); !errors.Is(err, l.err) {
		t.Errorf("a store that is away: %v", err)
	}
	if _, err := b.List(); !errors.Is(err, l.err) {
		t.Errorf("listing then: %v", err)
	}
	l.err = nil
	if list, err := b.List(); err != nil || len(list) != 3 || list[0].Query != "https://kaz.test/4" {
		t.Errorf("one that is not written yet: %v, %v", list, err)
	}
	if err := ended(t, b); err != nil {
		t.Error(err)
	}
	if list, err := b.List(); err != nil || len(list) != 3 {
		t.Errorf("written when the store is back: %v, %v", list, err)
	}
	(*alarms.Book)(nil).Raise(alarm(alarms.Canary, "https://kaz.test", 5))
}

// TestFlood: who raises many hides none of another's.
func TestFlood(t *testing.T) {
	_, r := open(t)
	b := alarms.New(r)
	b.Raise(alarm(alarms.Canary, "https://tjk.test", 0))
	for i := range alarms.Max + 100 {
		b.Raise(alarm(alarms.Canary, "https://kaz.test", 1+i))
		if i%500 == 0 {
			if err := ended(t, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ended(t, b); err != nil {
		t.Fatal(err)
	}
	list, err := b.List()
	if err != nil || len(list) != alarms.Max {
		t.Fatalf("listed %d: %v", len(list), err)
	}
	if last := list[len(list)-1]; last.Requester != "https://tjk.test" {
		t.Errorf("the oldest is of %s", last.Requester)
	}
	if list[0] != alarm(alarms.Canary, "https://kaz.test", alarms.Max+100) {
		t.Errorf("the newest is %v", list[0])
	}
}
