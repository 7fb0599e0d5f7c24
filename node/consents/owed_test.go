package consents_test

import (
	"testing"
)

// TestOwed: a withdrawal of what one entity is both sides of leaves an erasure owing until
// it is settled, also after a restart.
func TestOwed(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	b := book(t, l)
	w := withdrawn("own")
	w.Requester = w.Controller
	for _, want := range []bool{true, false} {
		if fresh, err := b.Withdraw(w, "token"); fresh != want || err != nil {
			t.Fatal(fresh, err)
		}
	}
	if _, err := b.Withdraw(withdrawn("between two"), "token"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	defer l.Close()
	b = book(t, l)
	owed, err := b.Owed()
	if err != nil || len(owed) != 1 || owed[0].Consent != w.Key() {
		t.Fatalf("owed: %v, %v", owed, err)
	}
	if err := b.Settled(owed[0]); err != nil {
		t.Fatal(err)
	}
	if owed, err := b.Owed(); err != nil || len(owed) != 0 {
		t.Errorf("settled: %v, %v", owed, err)
	}
	// Who is there still may say so again.
	if fresh, err := b.Withdraw(w, "token"); fresh || err != nil {
		t.Error(fresh, err)
	}
	if owed, err := b.Owed(); err != nil || len(owed) != 1 {
		t.Errorf("said again: %v, %v", owed, err)
	}
}

// TestOwedOwn: what is withdrawn between two, as a member hands it on, is not what somebody was
// enrolled by, whatever its id; and keeps no withdrawal of that from having the person erased.
func TestOwedOwn(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l)
	if _, err := b.Withdraw(withdrawn("same"), "token"); err != nil {
		t.Fatal(err)
	}
	w := withdrawn("same")
	w.Requester = w.Controller
	if is, err := b.WithdrawnOwn(w.Key()); is || err != nil {
		t.Errorf("withdrawn by what a member handed on: %v, %v", is, err)
	}
	if fresh, err := b.Withdraw(w, "token"); !fresh || err != nil {
		t.Errorf("fresh %v, %v", fresh, err)
	}
	if is, err := b.WithdrawnOwn(w.Key()); !is || err != nil {
		t.Errorf("withdrawn: %v, %v", is, err)
	}
	if owed, err := b.Owed(); len(owed) != 1 || owed[0].Consent != w.Key() || err != nil {
		t.Errorf("owed: %v, %v", owed, err)
	}
}
