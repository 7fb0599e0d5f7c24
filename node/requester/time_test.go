package requester_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
)

// TestRetry: after TMG-QRY-0011 one new Query, in the next second, and no third.
func TestRetry(t *testing.T) {
	own, foreign := books(t)
	const again = protocol.CodeRestarted
	for name, c := range map[string]struct {
		replies []protocol.Code // in turn
		want    protocol.Code
	}{
		"then-answered": {[]protocol.Code{again, protocol.CodeMatched}, protocol.CodeMatched},
		"and-again":     {[]protocol.Code{again, again}, again},
		"replay":        {[]protocol.Code{protocol.CodeReplay}, protocol.CodeReplay},
		"not-matched":   {[]protocol.Code{protocol.CodeNotMatched}, protocol.CodeNotMatched},
		"overloaded":    {[]protocol.Code{protocol.CodeOverloaded}, protocol.CodeOverloaded},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(own, foreign)
			now := start.Add(300 * time.Millisecond)
			w.clock = func() time.Time { return now }
			w.SetAfter(func(d time.Duration) <-chan time.Time {
				if d != time.Second {
					t.Errorf("waits %v", d)
				}
				now = now.Add(d)
				fired := make(chan time.Time, 1)
				fired <- now
				return fired
			})
			var issued []time.Time
			w.peer = func(_ context.Context, a asked) ([]byte, error) {
				issued = append(issued, a.q.IssuedAt)
				return w.answer(a, verdict(c.replies[len(w.sent)-1])), nil
			}
			res, err := w.Verify(t.Context(), request())
			if err != nil || res.Code != c.want || len(w.sent) != len(c.replies) || len(w.leaves) != 2*len(c.replies) {
				t.Fatalf("got %+v, %v; %d sent, %d entries", res.Verdict, err, len(w.sent), len(w.leaves))
			}
			if len(w.sent) == 1 {
				return
			}
			if w.leaves[0].Query == w.leaves[2].Query || res.Query != w.leaves[3].Query {
				t.Error("the second Query is the first, or the result is not about it")
			}
			if issued[1] != issued[0].Add(time.Second) {
				t.Errorf("issued at %v", issued)
			}
			if res.Took != time.Second {
				t.Errorf("took %v", res.Took)
			}
		})
	}
	t.Run("given-up", func(t *testing.T) {
		w := newWorld(own, foreign)
		ctx, cancel := context.WithCancel(t.Context())
		w.SetAfter(func(time.Duration) <-chan time.Time { cancel(); return nil })
		w.peer = func(_ context.Context, a asked) ([]byte, error) { return w.answer(a, verdict(again)), nil }
		res, err := w.Verify(ctx, request())
		if err != nil || res.Code != again || len(w.sent) != 1 {
			t.Errorf("got %+v, %v; %d sent", res.Verdict, err, len(w.sent))
		}
	})
}

// TestSilentPeer: a peer that takes the Query and says nothing costs the officer ten
// seconds, and is recorded.
func TestSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		begin := time.Now()
		w.peer = func(ctx context.Context, _ asked) ([]byte, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("waiting for reply: %w", transport.ErrTimeout)
		}
		res, err := w.Verify(t.Context(), request())
		if err != nil || res.Code != protocol.CodeTimeout || res.Outcome != protocol.Unavailable {
			t.Errorf("got %+v, %v", res.Verdict, err)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
		w.entries(t, res)
	})
}

// TestGivenUp: a caller who leaves while the peer works gets no verdict, and both
// entries are there; one who has left before asks nothing.
func TestGivenUp(t *testing.T) {
	w := newWorld()
	ctx, leave := context.WithCancel(t.Context())
	w.peer = func(ctx context.Context, _ asked) ([]byte, error) {
		leave()
		<-ctx.Done()
		return nil, fmt.Errorf("waiting for reply: %w", ctx.Err())
	}
	res, err := w.Verify(ctx, request())
	if err != nil || res.Code != protocol.CodeTimeout || res.Outcome != protocol.Unavailable {
		t.Errorf("got %+v, %v", res.Verdict, err)
	}
	w.entries(t, res)
	before := len(w.sent)
	res, err = w.Verify(ctx, request())
	if err != nil || res.Outcome != protocol.Unavailable || res.Query != (protocol.Hash{}) || len(w.sent) != before || len(w.leaves) != 2 {
		t.Errorf("got %+v, %v; %d sent, %d entries", res.Verdict, err, len(w.sent)-before, len(w.leaves))
	}
}

// TestAnsweredAfterLeaving: the peer's Answer arrives although the caller has gone;
// what is recorded is what it said.
func TestAnsweredAfterLeaving(t *testing.T) {
	own, foreign := books(t)
	w := newWorld(own, foreign)
	ctx, leave := context.WithCancel(t.Context())
	w.peer = func(_ context.Context, a asked) ([]byte, error) {
		leave()
		return w.answer(a, matched()), nil
	}
	res, err := w.Verify(ctx, request())
	if err != nil || res.Verdict != matched() {
		t.Errorf("got %+v, %v", res.Verdict, err)
	}
	w.entries(t, res)
}
