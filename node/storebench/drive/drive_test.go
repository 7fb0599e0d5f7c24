package drive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/storebench/drive"
)

// fake counts what is asked of it and refuses to read whom it does not have.
type fake struct {
	mu              sync.Mutex
	have            map[int]bool
	twice           bool
	settled, closed bool
}

func (f *fake) Fill(_ context.Context, first, n int) error {
	for i := first; i < first+n; i++ {
		f.have[i] = true
	}
	return nil
}

func (f *fake) Write(_ context.Context, subject int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.twice = f.twice || f.have[subject]
	f.have[subject] = true
	time.Sleep(100 * time.Microsecond)
	return nil
}

func (f *fake) Read(_ context.Context, subject int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.have[subject] {
		return errors.New("absent")
	}
	return nil
}

func (f *fake) Settle() error { f.settled = true; return nil }

func (f *fake) Close() error { f.closed = true; return nil }

func serve(t *testing.T, f *fake, held int, orders string) []drive.Reply {
	t.Helper()
	var out bytes.Buffer
	if err := drive.Serve(t.Context(), strings.NewReader(orders), &out, drive.Opened{Store: f, Version: "fake", Held: held}); err != nil {
		t.Fatal(err)
	}
	var replies []drive.Reply
	for d := json.NewDecoder(&out); d.More(); {
		var r drive.Reply
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		replies = append(replies, r)
	}
	if !f.closed {
		t.Error("the store was not closed")
	}
	return replies
}

// TestServe: subjects are written once each, those read are there, and every call is timed.
func TestServe(t *testing.T) {
	f := &fake{have: map[int]bool{}}
	r := serve(t, f, 0, `{"do":"fill","n":100}
{"do":"write","workers":4,"seconds":0.02}
{"do":"read","workers":4,"seconds":0.02}
{"do":"look"}
`)
	if len(r) != 5 || r[0].Version != "fake" {
		t.Fatalf("%d replies, the first of version %q", len(r), r[0].Version)
	}
	for i, one := range r {
		if one.Err != "" {
			t.Errorf("reply %d: %s", i, one.Err)
		}
	}
	if !f.settled {
		t.Error("the store was not settled after it was filled")
	}
	if f.twice || len(f.have) != 100+len(r[2].Micros) || len(r[2].Micros) == 0 || len(r[3].Micros) == 0 {
		t.Errorf("%d subjects after %d writes and %d reads; one of them twice: %v", len(f.have), len(r[2].Micros), len(r[3].Micros), f.twice)
	}
}

// TestServeHeld: what an earlier process stored is not written again.
func TestServeHeld(t *testing.T) {
	f := &fake{have: map[int]bool{0: true, 1: true}}
	r := serve(t, f, 2, `{"do":"read","workers":1,"seconds":0.01}
{"do":"write","workers":1,"seconds":0.01}
`)
	if r[1].Err != "" || r[2].Err != "" || f.twice {
		t.Errorf("replies %q %q, written twice: %v", r[1].Err, r[2].Err, f.twice)
	}
}

// TestServeErrors: what a store refuses, and orders there are not, are told.
func TestServeErrors(t *testing.T) {
	f := &fake{have: map[int]bool{}}
	r := serve(t, f, 0, `{"do":"read","workers":1,"seconds":0.01}
{"do":"dance"}
`)
	if r[1].Err == "" || r[2].Err == "" {
		t.Errorf("replies %q %q, want errors", r[1].Err, r[2].Err)
	}
	f = &fake{have: map[int]bool{}}
	if r := serve(t, f, 5, `{"do":"read","workers":2,"seconds":5}`); !strings.Contains(r[1].Err, "absent") {
		t.Errorf("reply %q", r[1].Err)
	}
}

// TestRows: rows are of the sizes asked for, and of their subject alone.
func TestRows(t *testing.T) {
	s := drive.Spec{Entries: []drive.Entry{{Family: "k", Size: 300}, {Family: "r", Size: 2076}}}
	a, b := drive.Rows(s, 1), drive.Rows(s, 2)
	if len(a) != 2 || len(a[0].Value) != 300 || len(a[1].Value) != 2076 || len(a[0].Key) != 33 || a[1].Key[0] != 'r' {
		t.Errorf("rows of other sizes: %d", len(a))
	}
	if bytes.Equal(a[0].Key, b[0].Key) || bytes.Equal(a[0].Value, b[0].Value) || !bytes.Equal(a[0].Key, drive.Keys(s, 1)[0]) {
		t.Error("rows of two subjects are alike, or of one are not")
	}
}
