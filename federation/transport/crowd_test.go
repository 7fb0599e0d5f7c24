package transport_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tamga-id/tamga/federation/transport"
)

// crowded is a host to which the offices of one country come, and one other peer.
func crowded(t *testing.T, offices int, handler transport.Handler, edit func(*transport.Config)) (*transport.Host, []string) {
	t.Helper()
	names := []string{"another"}
	for i := range offices {
		names = append(names, fmt.Sprint("office", i))
	}
	another := peerID(t, "another")
	h := start(t, "crowded", membership(t, names...), map[string]transport.Handler{transport.ProtocolQuery: handler}, func(c *transport.Config) {
		c.Share = func(p transport.PeerID) string {
			if p == another {
				return ""
			}
			return "KAZ"
		}
		edit(c)
	})
	return h, names[1:]
}

func client(t *testing.T, name string) *transport.Host {
	t.Helper()
	return start(t, name, membership(t, "crowded"), nil, func(c *transport.Config) { c.Listen = nil })
}

// TestShareOfHandlers: who shares has the handlers of one peer, however many come.
func TestShareOfHandlers(t *testing.T) {
	var now, most atomic.Int64
	slow := func(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(10 * time.Millisecond)
		return frame, nil
	}
	h, names := crowded(t, 3, slow, func(c *transport.Config) { c.MaxHandlers, c.MaxHandlersPeer, c.MaxWait = 8, 2, 5*time.Second })
	var wg sync.WaitGroup
	for _, name := range names {
		from := client(t, name)
		for range 4 {
			wg.Go(func() { ask(t, from, h, h.Addresses(), "hello") })
		}
	}
	wg.Wait()
	if got := most.Load(); got != 2 {
		t.Errorf("%d handlers at once for those who share, want 2", got)
	}
}

// TestYield: a handler that only waits holds nobody up.
func TestYield(t *testing.T) {
	const asked = 6
	var waiting sync.WaitGroup
	waiting.Add(asked)
	rest := func(ctx context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
		transport.Yield(ctx)
		transport.Yield(ctx)
		waiting.Done()
		waiting.Wait() // all of them, or none is answered before its time is over
		return frame, nil
	}
	h, _ := crowded(t, 1, rest, func(c *transport.Config) { c.MaxHandlers, c.MaxHandlersPeer, c.MaxWait = 1, 1, 5*time.Second })
	from := client(t, "office0")
	var wg sync.WaitGroup
	for range asked {
		wg.Go(func() { ask(t, from, h, h.Addresses(), "hello") })
	}
	wg.Wait()
	transport.Yield(t.Context()) // of no handler
}

// TestShareOfConnections: who shares cannot fill the host with connections, nor with streams.
func TestShareOfConnections(t *testing.T) {
	h, names := crowded(t, 10, echo, func(c *transport.Config) { c.MaxConns, c.MaxStreamsPeer, c.FrameTimeout = 32, 8, 10*time.Second })
	id, addrs := transport.Target(t.Context(), h, h.Addresses())
	for i, name := range names {
		raw, err := transport.NewRaw(transport.Config{Seed: seed(name), Admit: func(transport.PeerID) bool { return true }}, func(network.Stream) {})
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		raw.Peerstore().AddAddrs(id, addrs, time.Minute)
		c, err := raw.DialPeer(t.Context(), id)
		if err != nil {
			continue // refused during the handshake
		}
		for range 5 {
			if s, err := c.NewStream(t.Context()); err == nil {
				_, _ = s.Write([]byte("\x13/multistream/1.0.0\n"))
			}
		}
		if i == 7 {
			eventually(t, "streams are counted", func() bool { return h.Refusals()["share"] > 0 })
		}
	}
	eventually(t, "two of ten have no connection", func() bool {
		n := 0
		for _, name := range names {
			n += transport.Connections(h, peerID(t, name))
		}
		return n == 8
	})
	if got := transport.ServedStreams(h); got > 16 {
		t.Errorf("%d streams of those who share, want at most 16", got)
	}
	ask(t, client(t, "another"), h, h.Addresses(), "hello")
}
