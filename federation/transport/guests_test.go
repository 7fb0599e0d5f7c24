package transport_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tamga-id/tamga/federation/transport"
)

// TestGuest: a peer that may be a member may bring its Trust Chain, in four frames of one
// protocol, and nothing more; one that is none for certain is refused as before.
func TestGuest(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		handlers := echoing()
		handlers[transport.ProtocolTrust] = echo
		unknown := peerID(t, "unknown")
		good := start(t, "good", membership(t), handlers, func(c *transport.Config) {
			c.Unknown = func(p transport.PeerID) bool { return p == unknown }
		})
		m := membership(t, "good")
		from := start(t, "unknown", m, nil, nil)
		if _, err := from.Exchange(t.Context(), good.PeerID(), only(good, kind), transport.ProtocolTrust, []byte("hello")); err == nil {
			t.Error("an unknown peer is served what it may not ask")
		}
		ask(t, from, good, only(good, kind), "first")
		good.Recheck()
		for _, frame := range []string{"second", "third", "fourth"} {
			ask(t, from, good, only(good, kind), frame)
		}
		if _, err := from.Exchange(t.Context(), good.PeerID(), only(good, kind), transport.ProtocolQuery, []byte("fifth")); !errors.Is(err, transport.ErrNotAdmitted) {
			t.Errorf("a fifth frame: got %v", err)
		}
		stranger := start(t, "stranger", m, nil, nil)
		if _, err := stranger.Exchange(t.Context(), good.PeerID(), only(good, kind), transport.ProtocolQuery, []byte("hello")); !errors.Is(err, transport.ErrNotAdmitted) {
			t.Errorf("a stranger: got %v", err)
		}
	})
}

// TestGuestBecomesMember: a connection that was made while membership was not known goes on once it is, in both
// directions, told of by Recheck or not.
func TestGuestBecomesMember(t *testing.T) {
	for name, told := range map[string]bool{"told": true, "not told": false} {
		t.Run(name, func(t *testing.T) {
			m := membership(t)
			good := start(t, "good", m, echoing(), func(c *transport.Config) {
				c.Unknown = func(transport.PeerID) bool { return true }
				transport.GuestsLeaveAfter(c, 300*time.Millisecond)
			})
			from := start(t, "from", membership(t, "good"), echoing(), nil)
			ask(t, from, good, only(good, "quic-v1"), "as a guest")
			m.add(peerID(t, "from"))
			if told {
				good.Recheck()
			}
			for until := time.Now().Add(time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
				ask(t, good, from, nil, "back") // without an address: over that connection or not at all
				ask(t, from, good, nil, "again")
			}
			if n := transport.Guests(good); n != 0 {
				t.Errorf("%d guests", n)
			}
		})
	}
}

// TestGuestsAreFew: a hundred that may be members get no more than the places of one
// address, and a member is served meanwhile.
func TestGuestsAreFew(t *testing.T) {
	good := start(t, "good", membership(t, "member"), echoing(), func(c *transport.Config) {
		c.Unknown = func(transport.PeerID) bool { return true }
	})
	id, addrs := transport.Target(t.Context(), good, only(good, "quic-v1"))
	for i := range 100 {
		raw, err := transport.NewRaw(transport.Config{Seed: seed(fmt.Sprint("crowd", i)), Admit: func(transport.PeerID) bool { return true }}, func(network.Stream) {})
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		raw.Peerstore().AddAddrs(id, addrs, time.Minute)
		_, _ = raw.DialPeer(t.Context(), id)
		if n := transport.Guests(good); n > 4 {
			t.Fatalf("%d guests from one address, want at most 4", n)
		}
	}
	if n := transport.Guests(good); n == 0 {
		t.Error("no guest at all")
	}
	ask(t, start(t, "member", membership(t, "good"), nil, nil), good, only(good, "quic-v1"), "hello")
}
