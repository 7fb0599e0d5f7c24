package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/requester"
)

var matched = requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched}}

func keyed(key, body string) *http.Request {
	r := newRequest("POST", "/v1/verifications", body)
	r.Header.Set("Idempotency-Key", key)
	return r
}

func TestReplay(t *testing.T) {
	n := &fake{}
	now := time.Date(2026, time.March, 21, 6, 0, 0, 0, time.UTC)
	h := api.NewAt(n, func() time.Time { return now })
	first, want := send(t, h, keyed("key-0001", asking))
	if first.Header.Get("Idempotent-Replayed") != "" {
		t.Error("the first response says it is a replay")
	}
	now = now.Add(24*time.Hour - time.Second)
	again, got := send(t, h, keyed("key-0001", asking))
	if d := cmp.Diff(want, got); d != "" || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replayed %q, (-want +got)\n%s", again.Header.Get("Idempotent-Replayed"), d)
	}
	first.Header.Set("Idempotent-Replayed", "true")
	if d := cmp.Diff(first.Header, again.Header); d != "" {
		t.Errorf("headers differ: %s", d)
	}
	res, body := send(t, h, keyed("key-0001", strings.Replace(asking, "1234567", "1234568", 1)))
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body["detail"].(string), "another body") {
		t.Errorf("another body: %d %v", res.StatusCode, body)
	}
	if n.asked != 1 {
		t.Errorf("asked %d times, want 1", n.asked)
	}
	send(t, h, keyed("key-0002", asking))
	send(t, h, newRequest("POST", "/v1/verifications", asking))
	now = now.Add(time.Second)
	send(t, h, keyed("key-0001", asking))
	if n.asked != 4 {
		t.Errorf("asked %d times after another key, no key and 24 hours, want 4", n.asked)
	}
}

// TestReplayIsPerOperation: one key on two addresses is two requests.
func TestReplayIsPerOperation(t *testing.T) {
	n := &fake{}
	h := api.Handler(n)
	send(t, h, keyed("key-0001", asking))
	r := newRequest("POST", "/v1/enrolments", enrolling)
	r.Header.Set("Idempotency-Key", "key-0001")
	if res, _ := send(t, h, r); res.StatusCode != http.StatusOK || n.enroled != 1 {
		t.Errorf("status %d, %d enrolled", res.StatusCode, n.enroled)
	}
}

// TestFailuresAreNotKept: what failed may be sent again with its key.
func TestFailuresAreNotKept(t *testing.T) {
	fail := true
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		if fail {
			return requester.Result{}, errors.New("no")
		}
		return matched, nil
	}}
	h := api.Handler(n)
	if res, _ := send(t, h, keyed("key-0001", asking)); res.StatusCode != 500 {
		t.Fatalf("status %d", res.StatusCode)
	}
	if res, _ := send(t, h, keyed("key-0001", `{}`)); res.StatusCode != 422 {
		t.Fatalf("status %d", res.StatusCode)
	}
	fail = false
	if res, _ := send(t, h, keyed("key-0001", asking)); res.StatusCode != 200 || res.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestPassingIsNotKept: every outcome is kept but unavailable, which may be another
// one a second later, and an enrolment that failed inside.
func TestPassingIsNotKept(t *testing.T) {
	for _, e := range protocol.Registry() {
		if e.Outcome == "" {
			continue
		}
		n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
			return requester.Result{Verdict: protocol.Verdict{Outcome: e.Outcome, Code: e.Code}}, nil
		}}
		h := api.Handler(n)
		send(t, h, keyed("key-0001", asking))
		res, _ := send(t, h, keyed("key-0001", asking))
		if kept := res.Header.Get("Idempotent-Replayed") == "true"; kept != (e.Outcome != protocol.Unavailable) || kept != (n.asked == 1) {
			t.Errorf("%s, %s: kept %v, asked %d times", e.Code, e.Outcome, kept, n.asked)
		}
	}
	for name, c := range map[string]struct {
		result gallery.Result
		kept   bool
	}{
		"inner": {gallery.Result{Change: gallery.Failed, Err: errors.New("disk")}, false},
		"rule":  {gallery.Result{Change: gallery.Failed, Err: gallery.ErrTooMuch}, true},
	} {
		h := api.Handler(&fake{enrol: func(context.Context, []gallery.Enrolment) ([]gallery.Result, error) {
			return []gallery.Result{c.result}, nil
		}})
		var last *http.Response
		for range 2 {
			r := newRequest("POST", "/v1/enrolments", enrolling)
			r.Header.Set("Idempotency-Key", "key-0001")
			last, _ = send(t, h, r)
		}
		if kept := last.Header.Get("Idempotent-Replayed") == "true"; kept != c.kept {
			t.Errorf("enrolment, %s: kept %v", name, kept)
		}
	}
}

// TestPanicIsNotKept: an operation that ends in a panic leaves its key free.
func TestPanicIsNotKept(t *testing.T) {
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) { panic(http.ErrAbortHandler) }}
	h := api.Handler(n)
	func() {
		defer func() { _ = recover() }()
		send(t, h, keyed("key-0001", asking))
	}()
	if responses, size, flying := h.(*guard.Guard).Kept(); responses != 0 || size != 0 || flying != 0 {
		t.Errorf("kept %d responses of %d bytes, %d in flight", responses, size, flying)
	}
}

func TestInFlight(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		close(started)
		<-release
		return matched, nil
	}}
	h := api.Handler(n)
	done := make(chan int)
	go func() {
		res, _ := send(t, h, keyed("key-0001", asking))
		done <- res.StatusCode
	}()
	<-started
	if res, _ := send(t, h, keyed("key-0001", asking)); res.StatusCode != http.StatusConflict {
		t.Errorf("in flight: status %d, want 409", res.StatusCode)
	}
	close(release)
	if got := <-done; got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if res, _ := send(t, h, keyed("key-0001", asking)); res.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("not replayed afterwards")
	}
}

// TestMemoryIsBounded: by count and by bytes, the oldest go first.
func TestMemoryIsBounded(t *testing.T) {
	reply := ""
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		return requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched}, Reply: reply}, nil
	}}
	h := api.NewAt(n, at(time.Unix(1, 0)))
	for i := range guard.MaxKept + 10 {
		send(t, h, keyed(fmt.Sprintf("key-%05d", i), asking))
	}
	if responses, _, flying := h.(*guard.Guard).Kept(); responses != guard.MaxKept || flying != 0 {
		t.Errorf("%d responses are kept, want %d; %d in flight", responses, guard.MaxKept, flying)
	}
	before := n.asked
	send(t, h, keyed("key-00009", asking))
	send(t, h, keyed(fmt.Sprintf("key-%05d", guard.MaxKept+9), asking))
	if n.asked != before+1 {
		t.Errorf("asked %d times for a forgotten and a kept key, want 1", n.asked-before)
	}
	reply = strings.Repeat("x", 8<<20)
	for i := range 6 {
		send(t, h, keyed(fmt.Sprintf("large-%03d", i), asking))
	}
	if responses, size, _ := h.(*guard.Guard).Kept(); size > 32<<20 || responses != 3 {
		t.Errorf("%d responses of %d bytes are kept", responses, size)
	}
}
