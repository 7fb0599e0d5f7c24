package responder_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/responder"
)

// TestRestart: across a restart that loses the replay memory no Query is answered
// twice, whatever its time of issue, and one issued afterwards is answered. Time is
// the bubble's.
func TestRestart(t *testing.T) {
	for ahead := -3 * time.Second; ahead <= protocol.MaxSkew; ahead += 250 * time.Millisecond {
		for _, life := range []time.Duration{0, time.Millisecond, 400 * time.Millisecond, 999 * time.Millisecond, 2 * time.Second, 5 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.Responder = w.build(time.Now)
				time.Sleep(10 * time.Second)
				_, q := traveller()
				q.env.IssuedAt = time.Now().Add(ahead).Truncate(time.Second)
				q.env.ExpiresAt = q.env.IssuedAt.Add(time.Minute)
				p := q.pending(t)
				// The process dies after a while, in the middle of what it is doing.
				ctx, die := context.WithTimeout(t.Context(), life)
				first := w.code(t, ctx, p)
				die()
				time.Sleep(time.Until(time.Now().Truncate(time.Millisecond).Add(time.Millisecond)))
				w.replay.Replay = new(responder.ReplayMemory)
				w.Responder = w.build(time.Now)
				second := w.code(t, t.Context(), p)
				if first == protocol.CodeSubjectUnknown && second == protocol.CodeSubjectUnknown {
					t.Errorf("issued %v ahead, process lived %v: answered twice", ahead, life)
				}
				time.Sleep(time.Second)
				_, q = traveller()
				q.env.IssuedAt = time.Now().Truncate(time.Second)
				q.env.ExpiresAt = q.env.IssuedAt.Add(time.Minute)
				if c := w.code(t, t.Context(), q.pending(t)); c != protocol.CodeSubjectUnknown {
					t.Errorf("a new Query: %s", c)
				}
			})
		}
	}
}

// code handles p and returns the code that went into the ledger, empty when none did.
func (w *world) code(t *testing.T, ctx context.Context, p *protocol.Pending) protocol.Code {
	t.Helper()
	var leaf []byte
	w.ledger.under = ledgerFunc(func(ctx context.Context, l []byte) error {
		if ctx.Err() == nil {
			leaf = l
		}
		return ctx.Err()
	})
	if _, err := w.Handle(ctx, askerKey, p.Frame); err != nil {
		t.Fatal(err)
	}
	if leaf == nil {
		return ""
	}
	l, err := protocol.ParseLeaf(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return l.Code
}

// TestEarly: a Query from a clock that runs ahead waits until it is due, and no
// longer; one from a clock that runs behind does not wait.
func TestEarly(t *testing.T) {
	for name, c := range map[string]struct{ ahead, wait time.Duration }{
		"behind": {-20 * time.Second, 0},
		"exact":  {0, 0},
		"ahead":  {3 * time.Second, 3 * time.Second},
		"most":   {5 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.Responder = w.build(time.Now)
				time.Sleep(time.Minute)
				_, q := traveller()
				q.env.IssuedAt, q.env.ExpiresAt = time.Now().Add(c.ahead), time.Now().Add(c.ahead+time.Minute)
				begin := time.Now()
				if got := w.code(t, t.Context(), q.pending(t)); got != protocol.CodeSubjectUnknown {
					t.Errorf("got %s", got)
				}
				if took := time.Since(begin); took != c.wait {
					t.Errorf("took %v, want %v", took, c.wait)
				}
			})
		})
	}
}

// TestClockBack: a node whose clock was put back behind its own start cannot tell what was answered before it, says so, and
// goes on when the clock is right.
func TestClockBack(t *testing.T) {
	w := newWorld()
	w.Responder = w.build(w.clock.Now)
	for at, want := range map[time.Duration]protocol.Code{-time.Hour: protocol.CodeOverloaded, -2 * time.Second: protocol.CodeOverloaded,
		-time.Second / 2: protocol.CodeRestarted, time.Second: protocol.CodeSubjectUnknown} {
		w.logs.Reset()
		w.clock.set(start.Add(at))
		_, q := traveller()
		q.env.IssuedAt = start.Add(at).Truncate(time.Second)
		q.env.ExpiresAt = q.env.IssuedAt.Add(time.Minute)
		if got := w.code(t, t.Context(), q.pending(t)); got != want {
			t.Errorf("%v after the start: %s, want %s", at, got, want)
		}
		if want == protocol.CodeOverloaded && !strings.Contains(w.logs.String(), "set it right") {
			t.Errorf("the log does not say what to do: %s", w.logs.String())
		}
	}
}
