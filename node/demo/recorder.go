package demo

import (
	"context"
	"sync/atomic"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/node/requester"
)

// recorder stands on a node's way out as an insider would. It lets exchanges
// through; while again is set it drops the first reply and sends the frame twice.
type recorder struct {
	under requester.Exchanger // immutable once the node is open
	again atomic.Bool
}

func (r *recorder) Exchange(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
	reply, err := r.under.Exchange(ctx, to, addrs, protocol, frame)
	if err == nil && r.again.Load() {
		return r.under.Exchange(ctx, to, addrs, protocol, frame)
	}
	return reply, err
}
