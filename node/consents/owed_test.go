package consents_test

import (
	"testing"
	"time"
)

// TestOwed: a withdrawal of what one entity is both sides of leaves an erasure owing until
// it is settled, also after a restart.
func TestOwed(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	b := book(t, l)
	w := withdrawn("own")
	w.Requester = w.Controller
	for i, want := range []bool{true, false} {
		if fresh, err := b.Withdraw(w, "token", now.Add(time.Duration(i)*time.Hour)); fresh != want || err != nil {
			t.Fatal(fresh, err)
		}
	}
	if _, err := b.Withdraw(withdrawn("between two"), "token", now); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	defer l.Close()
	b = book(t, l)
	owed, err := b.Owed()
	if err != nil || len(owed) != 1 || owed[0].Consent != w.Key() || !owed[0].Since.Equal(now) {
		t.Fatalf("owed: %v, %v", owed, err)
	}
	if err := b.Settled(owed[0]); err != nil {
		t.Fatal(err)
	}
	if owed, err := b.Owed(); err != nil || len(owed) != 0 {
		t.Errorf("settled: %v, %v", owed, err)
	}
}
