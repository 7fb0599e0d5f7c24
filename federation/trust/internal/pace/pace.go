// Package pace repeats background work at intervals that vary.
package pace

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Repeat calls do at once and then at intervals that vary by a tenth either way, so
// that nodes started together do not ask the same Anchor at the same moment.
func Repeat(ctx context.Context, every time.Duration, do func()) error {
	if every < time.Second {
		return errors.New("refreshing: interval is under a second")
	}
	for ctx.Err() == nil {
		do()
		jitter := time.Duration(rand.Int64N(int64(every)/5+1)) - every/10
		timer := time.NewTimer(every + jitter)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
	return ctx.Err()
}
