package node_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/node"
)

// TestBeginning: a node that starts waits for the members that it asks, but not for long,
// and never goes on once one of them knew more.
func TestBeginning(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // when it comes about; 0: it does not
		what  func(node.Beginning)
		ctx   time.Duration
		took  time.Duration
		err   error
	}{
		"asked":        {100 * time.Millisecond, node.Beginning.Asked, time.Minute, 100 * time.Millisecond, nil},
		"behind":       {100 * time.Millisecond, node.Beginning.Behind, time.Minute, 100 * time.Millisecond, node.ErrBehind},
		"nobody-there": {0, nil, time.Minute, node.Patience, nil},
		"gone-away":    {0, nil, time.Second, time.Second, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := node.NewBeginning()
				if c.what != nil {
					time.AfterFunc(c.after, func() { c.what(b) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.ctx)
				defer cancel()
				start := time.Now()
				if err := b.Over(ctx); !errors.Is(err, c.err) {
					t.Errorf("got %v, want %v", err, c.err)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
				time.Sleep(time.Minute)
				want := c.err
				if errors.Is(want, context.DeadlineExceeded) {
					want = nil
				}
				if err := b.Over(t.Context()); !errors.Is(err, want) {
					t.Errorf("a minute later: got %v, want %v", err, want)
				}
			})
		})
	}
}
