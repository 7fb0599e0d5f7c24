package requester_test

import (
	"context"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
)

// TestLeavesPeerAlone: a peer at its limit gets no other Query before the time it named, and one then (TMG-T-006).
func TestLeavesPeerAlone(t *testing.T) {
	own, foreign := books(t)
	w := newWorld(own, foreign)
	now := start
	w.clock = func() time.Time { return now }
	busy := true
	w.peer = func(_ context.Context, a asked) ([]byte, error) {
		if busy {
			return protocol.Overloaded(1500 * time.Millisecond), nil
		}
		return w.answer(a, verdict(protocol.CodeMatched)), nil
	}
	for _, c := range []struct {
		at    time.Duration
		sent  int
		after time.Duration
	}{{0, 1, 1500 * time.Millisecond}, {time.Second, 1, 500 * time.Millisecond}, {1499 * time.Millisecond, 1, time.Millisecond}} {
		now = start.Add(c.at)
		res, err := w.Verify(t.Context(), request())
		if err != nil || res.Code != protocol.CodeOverloaded || res.Outcome != protocol.Unavailable || res.RetryAfter != c.after || len(w.sent) != c.sent {
			t.Errorf("after %v: %+v for %v, %v; %d sent, want %d", c.at, res.Verdict, res.RetryAfter, err, len(w.sent), c.sent)
		}
	}
	busy, now = false, start.Add(1500*time.Millisecond)
	if res, err := w.Verify(t.Context(), request()); err != nil || res.Code != protocol.CodeMatched || len(w.sent) != 2 {
		t.Errorf("when it may ask again: %+v, %v; %d sent", res.Verdict, err, len(w.sent))
	}
}
