package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"

	"github.com/tamga-id/tamga/federation/transport"
)

// knocker opens connections on a host's accounts as its transports do, without any network.
type knocker struct {
	t      *testing.T
	limits network.ResourceManager
}

// knock returns the scope of an inbound connection, nil when it is refused.
func (k knocker) knock(ip, kind string) network.ConnManagementScope {
	k.t.Helper()
	text := "/ip4/" + ip + "/tcp/1"
	if kind == "quic-v1" {
		text = "/ip4/" + ip + "/udp/1/quic-v1"
	}
	scope, err := k.limits.OpenConnection(network.DirInbound, kind == "tcp", ma.StringCast(text))
	if err != nil {
		return nil
	}
	k.t.Cleanup(scope.Done)
	return scope
}

// flood knocks from ever new addresses until two in a row are refused, and returns how many came in.
func (k knocker) flood(kind string) int {
	k.t.Helper()
	for i := range 1000 {
		if k.knock(fmt.Sprintf("198.51.%d.%d", i/250, i%250+1), kind) == nil {
			return i
		}
	}
	k.t.Fatal("a thousand handshakes at once")
	return 0
}

func libp2pID(t *testing.T, name string) peer.ID {
	t.Helper()
	id, err := peer.Decode(string(peerID(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestStrangersCannotFillTheHost(t *testing.T) {
	const conns = 64
	m := membership(t, "a", "b")
	h := start(t, "host", m, nil, func(c *transport.Config) { c.MaxConns = conns })
	k := knocker{t, transport.Limits(h)}
	const favoured, stranger = "203.0.113.7", "203.0.113.8"
	if n := h.Favour(map[transport.PeerID][]string{peerID(t, "a"): {"/ip4/" + favoured + "/tcp/4001"}}); n != 1 {
		t.Fatalf("Favour = %d, want 1", n)
	}
	// A flood over TCP leaves QUIC its share, and one over both leaves members half of all connections.
	if n := k.flood("tcp"); n != conns/4 {
		t.Errorf("%d TCP handshakes at once, want %d", n, conns/4)
	}
	if n := k.flood("quic-v1"); n != conns/4 {
		t.Errorf("%d QUIC handshakes beside the TCP ones, want %d", n, conns/4)
	}
	if transport.Pending(h) != conns/2 {
		t.Errorf("%d pending, want %d", transport.Pending(h), conns/2)
	}
	if !k.limits.VerifySourceAddress(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}) {
		t.Error("QUIC clients need not prove their address under a flood")
	}
	for _, usesFD := range []bool{false, true} {
		out, err := k.limits.OpenConnection(network.DirOutbound, usesFD, ma.StringCast("/ip4/"+stranger+"/tcp/1"))
		if err != nil {
			t.Fatalf("our own dial, descriptor %v: %v", usesFD, err)
		}
		out.Done()
	}
	for _, kind := range []string{"tcp", "quic-v1"} {
		if k.knock(stranger, kind) != nil {
			t.Errorf("%s: the flood is no flood", kind)
		}
		right := k.knock(favoured, kind)
		if right == nil {
			t.Fatalf("%s: a favoured address is refused", kind)
		}
		if err := right.SetPeer(libp2pID(t, "a")); err != nil {
			t.Errorf("%s: the favoured peer: %v", kind, err)
		}
		wrong := k.knock(favoured, kind)
		if wrong == nil {
			t.Fatalf("%s: a favoured address is refused", kind)
		}
		if err := wrong.SetPeer(libp2pID(t, "b")); !errors.Is(err, network.ErrResourceLimitExceeded) {
			t.Errorf("%s: another peer at the favoured address: %v", kind, err)
		}
		wrong.Done()
	}
	// What is favoured is replaced.
	if n := h.Favour(map[transport.PeerID][]string{peerID(t, "b"): {"/ip4/" + stranger + "/udp/1/quic-v1"}}); n != 1 {
		t.Fatalf("Favour = %d, want 1", n)
	}
	if k.knock(favoured, "tcp") != nil || k.knock(stranger, "tcp") == nil {
		t.Error("the old address is still favoured, or the new one is not")
	}
}

func TestFavourSkips(t *testing.T) {
	h := start(t, "host", membership(t), nil, nil)
	a, b := peerID(t, "a"), peerID(t, "b")
	long := make([]string, 100)
	for i := range long {
		long[i] = fmt.Sprintf("/ip4/203.0.113.%d/tcp/1", i+1)
	}
	for _, row := range []struct {
		name    string
		members map[transport.PeerID][]string
		want    int
	}{
		{"none", nil, 0},
		{"both-transports", map[transport.PeerID][]string{a: {"/ip4/203.0.113.1/tcp/1", "/ip4/203.0.113.1/udp/1/quic-v1"}}, 1},
		{"shared-address", map[transport.PeerID][]string{a: {"/ip6/2001:db8::1/tcp/1"}, b: {"/ip6/2001:db8::1/tcp/2"}}, 2},
		{"own-suffix", map[transport.PeerID][]string{a: {"/ip4/203.0.113.1/tcp/1/p2p/" + string(a)}}, 1},
		{"other-suffix", map[transport.PeerID][]string{a: {"/ip4/203.0.113.1/tcp/1/p2p/" + string(b)}}, 0},
		{"name", map[transport.PeerID][]string{a: {"/dns4/node.example/tcp/1", "/ip4/203.0.113.1/tcp/1"}}, 1},
		{"not-addresses", map[transport.PeerID][]string{a: {"", "/", "/ip4/203.0.113.0/ipcidr/24", "/p2p/" + string(a)}}, 0},
		{"not-a-peer", map[transport.PeerID][]string{"x": {"/ip4/203.0.113.1/tcp/1"}}, 0},
		{"too-many", map[transport.PeerID][]string{a: long}, 16},
	} {
		t.Run(row.name, func(t *testing.T) {
			if n := h.Favour(row.members); n != row.want {
				t.Errorf("Favour = %d, want %d", n, row.want)
			}
		})
	}
}

// besiege keeps 4 silent TCP connections from each of 16 addresses open to the host, each renewed as it ends, until
// the returned function is called.
func besiege(t *testing.T, addr string) (lift func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 64 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%16))}}
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := d.DialContext(ctx, "tcp", addr)
				if err != nil {
					continue
				}
				stop := context.AfterFunc(ctx, func() { _ = c.Close() })
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				for n, b := 1, make([]byte, 64); n > 0 && err == nil; {
					n, err = c.Read(b) // the host speaks first; no answer is given
				}
				stop()
				_ = c.Close()
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// socketAddr is the host:port of a multiaddr with an IPv4 address.
func socketAddr(t *testing.T, addr string) string {
	t.Helper()
	parts := strings.Split(addr, "/")
	if len(parts) < 5 || parts[1] != "ip4" {
		t.Fatalf("address %q", addr)
	}
	return net.JoinHostPort(parts[2], parts[4])
}

// A silent flood keeps strangers' handshakes full all the time. A member at a favoured address, which has just
// restarted and has no connection, gets through over either transport; one that is not favoured, over QUIC.
func TestMemberGetsThroughFlood(t *testing.T) {
	const conns = 16
	m := membership(t, "host", "a", "b")
	h := start(t, "host", m, echoing(), func(c *transport.Config) { c.MaxConns = conns })
	h.Favour(map[transport.PeerID][]string{peerID(t, "a"): {"/ip4/127.0.0.1/tcp/1"}})
	old := start(t, "b", m, nil, nil)
	ask(t, old, h, h.Addresses(), "before")
	lift := besiege(t, socketAddr(t, only(h, "tcp")[0]))
	defer lift()
	eventually(t, "the flood fills what it can", func() bool { return transport.Pending(h) >= conns/4 })
	ask(t, old, h, nil, "on a connection from before")
	for round := range 3 {
		transports(t, func(t *testing.T, kind string) {
			a := start(t, "a", m, nil, nil)
			ask(t, a, h, only(h, kind), fmt.Sprint("within, round ", round))
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	h.Favour(nil)
	b := start(t, "b", m, nil, nil)
	ask(t, b, h, only(h, "quic-v1"), "not favoured, over QUIC")
	_ = b.Close()
	refused := 0
	for range 4 { // a silent connection ends now and then, so that one dial of several may find its place free
		c := start(t, "b", m, nil, nil)
		if _, err := c.Exchange(t.Context(), h.PeerID(), only(h, "tcp"), transport.ProtocolQuery, []byte("x")); err != nil {
			refused++
		}
		_ = c.Close()
	}
	if refused == 0 {
		t.Error("a member that is not favoured got in over TCP every time: the flood is no flood")
	}
	lift()
	eventually(t, "what the flood held is free", func() bool { return transport.Pending(h) == 0 })
	c := start(t, "b", m, nil, nil)
	// What the flood had sent before it ended may still wait to be accepted, and take a place for a moment.
	eventually(t, "one that is not favoured gets in over TCP", func() bool {
		_, err := c.Exchange(t.Context(), h.PeerID(), only(h, "tcp"), transport.ProtocolQuery, []byte("after"))
		return err == nil
	})
}

// blind is a socket that never hears an answer, like one whose source addresses are forged.
type blind struct{ *net.UDPConn }

func (b blind) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		if _, _, err := b.UDPConn.ReadFrom(p); err != nil {
			return 0, nil, err
		}
	}
}

// SyscallConn is refused, or quic-go would read past ReadFrom.
func (blind) SyscallConn() (struct{}, error) { return struct{}{}, errors.ErrUnsupported }

// QUIC clients that cannot hear the host take no more than the share below which it asks nothing of them.
func TestForgedQUICSources(t *testing.T) {
	const conns, clients = 64, 40
	m := membership(t, "host", "a")
	h := start(t, "host", m, echoing(), func(c *transport.Config) { c.MaxConns = conns })
	target, err := net.ResolveUDPAddr("udp", socketAddr(t, only(h, "quic-v1")[0]))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range clients {
		s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
		if err != nil {
			t.Fatal(err)
		}
		tr := &quic.Transport{Conn: blind{s}}
		wg.Go(func() {
			_, _ = tr.Dial(ctx, target, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"libp2p"}}, nil)
			_ = tr.Close()
			_ = s.Close()
		})
	}
	const share = conns / 2 / 4
	eventually(t, "the forged clients have come", func() bool { return transport.Pending(h) >= share })
	a := start(t, "a", m, nil, nil)
	ask(t, a, h, only(h, "quic-v1"), "round trip through the same socket")
	if n := transport.Pending(h); n > share {
		t.Errorf("%d of %d forged clients hold a place, want at most %d", n, clients, share)
	}
}
