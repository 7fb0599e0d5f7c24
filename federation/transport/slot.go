package transport

import (
	"context"
	"sync"

	"github.com/tamga-id/tamga/federation/transport/fairqueue"
)

type slotKey struct{}

// withSlot gives a handler what [Yield] gives back, and what has to be called when it returned.
func withSlot(ctx context.Context, slot *fairqueue.Ticket) (context.Context, func()) {
	release := sync.OnceFunc(slot.Release)
	return context.WithValue(ctx, slotKey{}, release), release
}

// Yield gives back the slot of the handler that ctx is of, before the handler returns: to be called by one
// that from then on waits for longer than it works. How many wait so is bounded by Config.MaxStreamsPeer and
// Config.MaxRate. A ctx that is of no handler does nothing.
func Yield(ctx context.Context) {
	if release, ok := ctx.Value(slotKey{}).(func()); ok {
		release()
	}
}
