package transport_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

// TestPeerChangesItsKey: a peer replaces its libp2p key, twice, where it stands: it drains, closes and listens at the
// same addresses under the next one. Whoever knows it by both IDs goes on asking, under the one that is out of use, too,
// and no question fails.
func TestPeerChangesItsKey(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b 1", "b 2")
		one, two := peerID(t, "b 1"), peerID(t, "b 2")
		a := start(t, "a", m, nil, func(c *transport.Config) {
			c.Also = func(p transport.PeerID) []transport.PeerID {
				return map[transport.PeerID][]transport.PeerID{one: {two}, two: {one}}[p]
			}
		})
		slow := func(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
			time.Sleep(20 * time.Millisecond)
			return frame, nil
		}
		b := start(t, "b 1", m, map[string]transport.Handler{transport.ProtocolQuery: slow}, nil)
		addrs := only(b, kind)
		listen := b.Listening()
		ctx, stop := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		var answered atomic.Int64
		for _, id := range []transport.PeerID{one, two} {
			asking.Go(func() {
				for ctx.Err() == nil {
					if _, err := a.Exchange(t.Context(), id, addrs, transport.ProtocolQuery, []byte("x")); err != nil {
						t.Errorf("asking under %s: %v", id, err)
					}
					answered.Add(1)
				}
			})
		}
		for _, name := range []string{"b 2", "b 1"} {
			before := answered.Load()
			eventually(t, "questions before", func() bool { return answered.Load() >= before+10 })
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			b = start(t, name, m, map[string]transport.Handler{transport.ProtocolQuery: slow}, func(c *transport.Config) { c.Listen = listen })
			before = answered.Load()
			eventually(t, "questions afterwards", func() bool { return answered.Load() >= before+10 })
		}
		stop()
		asking.Wait()
		for _, addr := range listen {
			if strings.Contains(addr, "/0/") || strings.HasSuffix(addr, "/0") {
				t.Errorf("%s has no port", addr)
			}
		}
	})
}
