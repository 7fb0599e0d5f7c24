package transport_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

// line carries TCP connections to an address. Once it is cut, those that it carries stay open and silent, as they do
// when a router on the way is gone; what is made afterwards works.
type line struct {
	net.Listener
	to    string
	ready *sync.WaitGroup // the first connection waits for it
	wires sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	dead  *atomic.Bool // of the connections that were made since the last cut
}

func newLine(t *testing.T, to *transport.Host, ready *sync.WaitGroup) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &line{Listener: l, to: hostPort(only(to, "tcp")[0]), ready: ready, dead: new(atomic.Bool)}
	v.wires.Go(v.accept)
	t.Cleanup(func() {
		_ = l.Close()
		v.mu.Lock()
		for _, c := range v.conns {
			_ = c.Close()
		}
		v.mu.Unlock()
		v.wires.Wait()
	})
	return v
}

// hostPort is 127.0.0.1:1 of /ip4/127.0.0.1/tcp/1/p2p/…
func hostPort(addr string) string {
	parts := strings.Split(addr, "/")
	return net.JoinHostPort(parts[2], parts[4])
}

func (v *line) addr() []string {
	host, port, _ := net.SplitHostPort(v.Listener.Addr().String())
	return []string{"/ip4/" + host + "/tcp/" + port}
}

func (v *line) accept() {
	for first := true; ; first = false {
		in, err := v.Accept()
		if err != nil {
			return
		}
		if first {
			v.ready.Done()
			v.ready.Wait()
		}
		out, err := net.Dial("tcp", v.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		v.mu.Lock()
		v.conns = append(v.conns, in, out)
		dead := v.dead
		v.mu.Unlock()
		v.wires.Go(func() { carry(in, out, dead) })
		v.wires.Go(func() { carry(out, in, dead) })
	}
}

func carry(to, from net.Conn, dead *atomic.Bool) {
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if dead.Load() {
			if err != nil {
				return
			}
			continue
		}
		if err == nil {
			_, err = to.Write(b[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

func (v *line) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dead.Store(true)
	v.dead = new(atomic.Bool)
}

// TestCutConnectionsAreReplaced: both ends have made a connection, and both go silent. The question that finds that out
// is lost; the next one is answered over a new connection. Nobody is told meanwhile that the peer refuses.
func TestCutConnectionsAreReplaced(t *testing.T) {
	m := membership(t, "a", "b")
	a, b := start(t, "a", m, echoing(), nil), start(t, "b", m, echoing(), nil)
	var ready, met sync.WaitGroup
	ready.Add(2)
	toA, toB := newLine(t, a, &ready), newLine(t, b, &ready)
	met.Go(func() { ask(t, a, b, toB.addr(), "from a") })
	met.Go(func() { ask(t, b, a, toA.addr(), "from b") })
	met.Wait()
	if n := transport.Connections(a, b.PeerID()); n != 2 {
		t.Fatalf("%d connections, want one from each end", n)
	}
	// Streams over both, as many as are asked for at once.
	for range 8 {
		met.Go(func() { ask(t, a, b, toB.addr(), "more") })
	}
	met.Wait()
	toA.cut()
	toB.cut()
	lost := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := a.Exchange(ctx, b.PeerID(), toB.addr(), transport.ProtocolQuery, []byte("lost"))
		if errors.Is(err, transport.ErrNotAdmitted) {
			t.Errorf("Exchange over a cut line = %v: nobody refused", err)
		}
		return err
	}
	if err := lost(50 * time.Millisecond); !errors.Is(err, transport.ErrTimeout) {
		t.Fatalf("Exchange over a cut line = %v, want ErrTimeout", err)
	}
	var errs [4]error
	for i := range errs {
		met.Go(func() { errs[i] = lost(4900 * time.Millisecond) })
	}
	met.Wait()
	for _, err := range errs {
		if err != nil {
			t.Errorf("Exchange once the line is whole = %v", err)
		}
	}
}
