package line_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/node/line"
)

func seed(name string) []byte {
	sum := sha256.Sum256([]byte("line test identity " + name))
	return sum[:]
}

// party is a node with two keys that everybody knows it by.
type party struct {
	*line.Line
	ids [2]transport.PeerID
}

func newParty(t *testing.T, name, listen string) party {
	t.Helper()
	var p party
	for i, key := range []string{"1", "2"} {
		id, err := transport.PeerIDFromSeed(seed(name + key))
		if err != nil {
			t.Fatal(err)
		}
		p.ids[i] = id
	}
	echo := func(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) { return frame, nil }
	var err error
	p.Line, err = line.New(transport.Config{Seed: seed(name + "1"), Listen: []string{listen}, Logger: slog.New(slog.DiscardHandler),
		MaxRate: 1 << 24, // a quick machine asks more than a member may
		Admit:   func(transport.PeerID) bool { return true }, Also: also}, map[string]transport.Handler{transport.ProtocolQuery: echo})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// also knows the two of a test.
func also(id transport.PeerID) []transport.PeerID {
	for _, name := range []string{"a", "b"} {
		one, _ := transport.PeerIDFromSeed(seed(name + "1"))
		two, _ := transport.PeerIDFromSeed(seed(name + "2"))
		switch id {
		case one:
			return []transport.PeerID{two}
		case two:
			return []transport.PeerID{one}
		}
	}
	return nil
}

// TestRekey: two nodes go over to their next keys, one after the other, and ask each other all the while.
func TestRekey(t *testing.T) {
	for _, listen := range []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"} {
		t.Run(listen, func(t *testing.T) {
			a, b := newParty(t, "a", listen), newParty(t, "b", listen)
			addrs := map[transport.PeerID][]string{a.ids[0]: a.Host().Listening(), b.ids[0]: b.Host().Listening()}
			ctx, stop := context.WithCancel(t.Context())
			var asking sync.WaitGroup
			var answered [2]atomic.Int64
			for i, pair := range [][2]party{{a, b}, {b, a}} {
				asking.Go(func() {
					for ctx.Err() == nil {
						to := pair[1].ids[0]
						if _, err := pair[0].Exchange(t.Context(), to, addrs[to], transport.ProtocolQuery, []byte("x")); err != nil {
							t.Errorf("not answered: %v", err)
							return
						}
						answered[i].Add(1)
					}
				})
			}
			more := func() {
				t.Helper()
				before := [2]int64{answered[0].Load(), answered[1].Load()}
				for deadline := time.Now().Add(10 * time.Second); answered[0].Load() < before[0]+10 || answered[1].Load() < before[1]+10; time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("no more answers")
					}
				}
			}
			more()
			for _, p := range []struct {
				party
				name string
			}{{a, "a"}, {b, "b"}} {
				if err := p.Rekey(t.Context(), seed(p.name+"2")); err != nil {
					t.Fatal(err)
				}
				if got := p.Host().PeerID(); got != p.ids[1] {
					t.Fatalf("%s goes by %s, want %s", p.name, got, p.ids[1])
				}
				more()
			}
			stop()
			asking.Wait()
		})
	}
}

// TestRekeyGivesUp: somebody took the address while nobody listened there. The node tries until it is to end, and what
// it was to ask is told then.
func TestRekeyGivesUp(t *testing.T) {
	a, b := newParty(t, "a", "/ip4/127.0.0.1/tcp/0"), newParty(t, "b", "/ip4/127.0.0.1/tcp/0")
	addrs := b.Host().Listening()
	taken := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	old := a.Host()
	if err := old.Close(); err != nil { // as Rekey does first
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", hostPort(t, old.Listening()[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { taken <- a.Rekey(ctx, seed("a2")) }()
	asked := make(chan error)
	go func() {
		_, err := a.Exchange(t.Context(), b.ids[0], addrs, transport.ProtocolQuery, []byte("x"))
		asked <- err
	}()
	select {
	case err := <-asked:
		t.Fatalf("told before the end: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	cancel()
	if err := <-taken; !errors.Is(err, context.Canceled) {
		t.Errorf("Rekey = %v, want its context's error", err)
	}
	if err := <-asked; !errors.Is(err, transport.ErrClosed) {
		t.Errorf("Exchange = %v, want ErrClosed", err)
	}
}

func hostPort(t *testing.T, addr string) string {
	t.Helper()
	var port string
	for i := len(addr) - 1; addr[i] != '/'; i-- {
		port = addr[i:]
	}
	return net.JoinHostPort("127.0.0.1", port)
}
