package transport_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

func TestExchange(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		a, b := start(t, "a", m, nil, nil), start(t, "b", m, echoing(), nil)
		for _, payload := range []string{"x", strings.Repeat("y", 3000), strings.Repeat("z", transport.MaxFrame)} {
			ask(t, a, b, only(b, kind), payload)
		}
		if got := a.Connected(); len(got) != 1 || got[0] != b.PeerID() {
			t.Fatalf("Connected = %v, want %v", got, b.PeerID())
		}
	})
}

func TestQUICIsPreferred(t *testing.T) {
	m := membership(t, "a", "b")
	log := &logBook{}
	b := start(t, "b", m, echoing(), nil)
	a := start(t, "a", m, nil, func(c *transport.Config) { c.Logger = log.logger() })
	addrs := b.Addresses()
	addrs[0], addrs[1] = addrs[1], addrs[0]
	ask(t, a, b, addrs, "hello")
	if s := log.String(); !strings.Contains(s, "quic-v1") || strings.Contains(s, "/tcp/") {
		t.Fatalf("connected over something else than QUIC:\n%s", s)
	}
}

func TestAddressWithoutSuffixAndDeadQUICFallsBackToTCP(t *testing.T) {
	m := membership(t, "a", "b")
	a, b := start(t, "a", m, nil, nil), start(t, "b", m, echoing(), nil)
	bare, _, _ := strings.Cut(only(b, "tcp")[0], "/p2p/")
	ask(t, a, b, []string{"/ip4/127.0.0.1/udp/9/quic-v1", bare}, "hello")
}

func TestManyAtOnceShareAConnection(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		var gate sync.WaitGroup
		gate.Add(64)
		// Every handler waits for all the others, so all 64 are in flight together.
		wait := func(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
			gate.Done()
			gate.Wait()
			return frame, nil
		}
		room := func(c *transport.Config) {
			c.MaxHandlers, c.MaxHandlersPeer, c.MaxStreamsPeer, c.MaxMemory = 64, 64, 128, 256<<20
		}
		a := start(t, "a", m, nil, room)
		b := start(t, "b", m, map[string]transport.Handler{transport.ProtocolQuery: wait}, room)
		var wg sync.WaitGroup
		errs := make([]error, 64)
		for i := range errs {
			wg.Go(func() {
				payload := bytes.Repeat([]byte{byte(i + 1)}, 3000)
				got, err := a.Exchange(t.Context(), b.PeerID(), only(b, kind), transport.ProtocolQuery, payload)
				if err == nil && !bytes.Equal(got, payload) {
					err = errors.New("reply of another exchange")
				}
				errs[i] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := transport.Connections(a, b.PeerID()); n != 1 {
			t.Fatalf("%d connections, want 1", n)
		}
	})
}

// TestOtherProtocolsGiveWay: streams to a peer are never more than exchanges with it may be, whatever they were for.
func TestOtherProtocolsGiveWay(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		const most = 4
		few := func(c *transport.Config) { c.MaxStreamsPeer, c.MaxHandlers, c.MaxHandlersPeer = 2*most, most, most }
		var gate sync.WaitGroup
		wait := func(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
			gate.Done()
			gate.Wait()
			return frame, nil
		}
		a := start(t, "a", m, nil, few)
		b := start(t, "b", m, map[string]transport.Handler{transport.ProtocolQuery: wait, transport.ProtocolTrust: wait}, few)
		for range 3 {
			for _, protocol := range []string{transport.ProtocolQuery, transport.ProtocolTrust} {
				gate.Add(most)
				var wg sync.WaitGroup
				for range most {
					wg.Go(func() {
						if _, err := a.Exchange(t.Context(), b.PeerID(), only(b, kind), protocol, []byte("hello")); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if n := transport.PooledStreams(a, b.PeerID()); n != most {
					t.Errorf("%d idle streams, want %d", n, most)
				}
				eventually(t, "the others are reset", func() bool { return transport.ServedStreams(b) == most })
			}
		}
	})
}

func TestNotAdmitted(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		all, without := membership(t, "a", "b"), membership(t, "b")
		handled := func(context.Context, transport.PeerID, []byte) ([]byte, error) {
			t.Error("a non-member's frame was handled")
			return nil, nil
		}
		log := &logBook{}
		b := start(t, "b", without, map[string]transport.Handler{transport.ProtocolQuery: handled},
			func(c *transport.Config) { c.Logger = log.logger() })
		a := start(t, "a", all, nil, nil)
		_, err := a.Exchange(t.Context(), b.PeerID(), only(b, kind), transport.ProtocolQuery, []byte("hello"))
		if !errors.Is(err, transport.ErrNotAdmitted) {
			t.Fatalf("Exchange = %v, want ErrNotAdmitted", err)
		}
		if !strings.Contains(log.String(), "peer refused at handshake") || !strings.Contains(log.String(), string(a.PeerID())) {
			t.Errorf("refusal is not logged:\n%s", log)
		}
		eventually(t, "connection gone", func() bool { return len(b.Connected()) == 0 })
	})
}

func TestWeDoNotDialNonMembers(t *testing.T) {
	b := start(t, "b", membership(t, "a", "b"), echoing(), nil)
	a := start(t, "a", membership(t, "a"), nil, nil)
	_, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), transport.ProtocolQuery, []byte("hello"))
	if !errors.Is(err, transport.ErrNotAdmitted) {
		t.Fatalf("Exchange = %v, want ErrNotAdmitted", err)
	}
	if n := transport.Connections(b, a.PeerID()); n != 0 {
		t.Fatalf("%d connections were made", n)
	}
}

func TestRecheckDropsSuspendedPeers(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		a, b := start(t, "a", m, nil, nil), start(t, "b", m, echoing(), nil)
		ask(t, a, b, only(b, kind), "hello")
		if n := b.Recheck(); n != 0 {
			t.Fatalf("Recheck dropped %d members", n)
		}
		m.suspend(a.PeerID())
		if n := b.Recheck(); n != 1 {
			t.Fatalf("Recheck = %d, want 1", n)
		}
		eventually(t, "connection gone at both ends", func() bool { return len(a.Connected())+len(b.Connected()) == 0 })
		_, err := a.Exchange(t.Context(), b.PeerID(), only(b, kind), transport.ProtocolQuery, []byte("again"))
		if !errors.Is(err, transport.ErrNotAdmitted) {
			t.Fatalf("Exchange after suspension = %v, want ErrNotAdmitted", err)
		}
	})
}

func TestSuspendedPeerIsRefusedBeforeRecheck(t *testing.T) {
	m := membership(t, "a", "b")
	a, b := start(t, "a", m, nil, nil), start(t, "b", m, echoing(), nil)
	ask(t, a, b, b.Addresses(), "hello")
	m.suspend(a.PeerID())
	_, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), transport.ProtocolQuery, []byte("again"))
	if !errors.Is(err, transport.ErrNotAdmitted) {
		t.Fatalf("Exchange on an open stream = %v, want ErrNotAdmitted", err)
	}
}

func TestRemoteRestart(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		a, b := start(t, "a", m, nil, nil), start(t, "b", m, echoing(), nil)
		addrs := only(b, kind)
		ask(t, a, b, addrs, "before")
		bare, _, _ := strings.Cut(addrs[0], "/p2p/")
		for range 3 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			b = start(t, "b", m, echoing(), func(c *transport.Config) { c.Listen = []string{bare} })
			ask(t, a, b, addrs, "after")
		}
	})
}

func TestUnreachableListsAddresses(t *testing.T) {
	m := membership(t, "a", "b")
	a := start(t, "a", m, nil, func(c *transport.Config) { c.DialTimeout = 300 * time.Millisecond })
	addrs := []string{"/ip4/127.0.0.1/udp/9/quic-v1", "/ip4/127.0.0.1/tcp/9", "/ip4/127.0.0.1/tcp/9/ws", "nonsense",
		"/ip4/127.0.0.1/tcp/8/p2p/" + string(a.PeerID())}
	for range 2 { // the second time must dial again, not report a back-off
		_, err := a.Exchange(t.Context(), peerID(t, "b"), addrs, transport.ProtocolQuery, []byte("hello"))
		dial, ok := errors.AsType[*transport.DialError](err)
		if !errors.Is(err, transport.ErrUnreachable) || !ok {
			t.Fatalf("Exchange = %v, want a DialError", err)
		}
		if dial.Peer != peerID(t, "b") || len(dial.Attempts) != len(addrs) {
			t.Fatalf("DialError = %v, want %d attempts", dial, len(addrs))
		}
		for _, addr := range addrs {
			if !strings.Contains(err.Error(), addr+": ") {
				t.Errorf("error does not list %s: %v", addr, err)
			}
		}
		if !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "backoff") {
			t.Errorf("error does not say what happened: %v", err)
		}
	}
}

func TestUnreachableWithinCallersDeadline(t *testing.T) {
	m := membership(t, "a", "b")
	a := start(t, "a", m, nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := a.Exchange(ctx, peerID(t, "b"), []string{"/ip4/127.0.0.1/udp/9/quic-v1"}, transport.ProtocolQuery, []byte("hello"))
	if !errors.Is(err, transport.ErrTimeout) {
		t.Fatalf("Exchange = %v, want ErrTimeout", err)
	}
}

func TestWrongPeerAtAddress(t *testing.T) {
	m := membership(t, "a", "b", "c")
	a, b := start(t, "a", m, nil, nil), start(t, "b", m, echoing(), nil)
	bare, _, _ := strings.Cut(b.Addresses()[0], "/p2p/")
	_, err := a.Exchange(t.Context(), peerID(t, "c"), []string{bare}, transport.ProtocolQuery, []byte("hello"))
	if !errors.Is(err, transport.ErrUnreachable) {
		t.Fatalf("Exchange = %v, want ErrUnreachable", err)
	}
}

func TestUnsupportedProtocol(t *testing.T) {
	m := membership(t, "a", "b")
	a, b := start(t, "a", m, nil, nil), start(t, "b", m, echoing(), nil)
	_, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), transport.ProtocolLedger, []byte("hello"))
	if !errors.Is(err, transport.ErrUnsupported) {
		t.Fatalf("Exchange = %v, want ErrUnsupported", err)
	}
	ask(t, a, b, nil, "the connection still serves")
}

func TestTimeoutAndCancel(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		arrived := make(chan struct{}, 2)
		block := func(ctx context.Context, _ transport.PeerID, _ []byte) ([]byte, error) {
			arrived <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		handlers := map[string]transport.Handler{transport.ProtocolQuery: echo, transport.ProtocolTrust: block}
		a := start(t, "a", m, nil, nil)
		b := start(t, "b", m, handlers, func(c *transport.Config) { c.HandlerTimeout = 200 * time.Millisecond })
		ask(t, a, b, only(b, kind), "hello")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := a.Exchange(ctx, b.PeerID(), nil, transport.ProtocolTrust, []byte("slow"))
		cancel()
		if !errors.Is(err, transport.ErrTimeout) {
			t.Fatalf("Exchange = %v, want ErrTimeout", err)
		}
		<-arrived
		ctx, cancel = context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		if _, err = a.Exchange(ctx, b.PeerID(), nil, transport.ProtocolTrust, []byte("slow")); !errors.Is(err, context.Canceled) {
			t.Fatalf("Exchange = %v, want context.Canceled", err)
		}
		_, err = a.Exchange(t.Context(), b.PeerID(), nil, transport.ProtocolTrust, []byte("slow"))
		if !errors.Is(err, transport.ErrInterrupted) {
			t.Fatalf("Exchange with a handler past its deadline = %v, want ErrInterrupted", err)
		}
		ask(t, a, b, nil, "the connection still serves")
	})
}

// What an exchange under way brings back to a peer that was forgotten meanwhile must not stay open: nobody would ever
// give it up.
func TestStreamOfForgottenPeerIsNotKept(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	theirs, ours := membership(t, "a"), membership(t, "b")
	b := start(t, "b", theirs, map[string]transport.Handler{transport.ProtocolQuery: func(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
		close(began)
		<-release
		return frame, nil
	}}, nil)
	a := start(t, "a", ours, nil, nil)
	done := make(chan error, 1)
	go func() {
		_, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), transport.ProtocolQuery, []byte("x"))
		done <- err
	}()
	<-began
	ours.suspend(b.PeerID())
	if _, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), transport.ProtocolQuery, []byte("y")); !errors.Is(err, transport.ErrNotAdmitted) {
		t.Fatalf("Exchange with a suspended peer: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatalf("Exchange under way: %v", err)
	}
	eventually(t, "the stream is given up", func() bool { return transport.ServedStreams(b) == 0 })
}
