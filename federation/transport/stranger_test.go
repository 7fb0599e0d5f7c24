package transport_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tamga-id/tamga/federation/transport"
)

// TestStrangerLearnsNothing: whoever knocks learns that a libp2p node with this peer ID is here, which the handshake
// itself tells, and neither what it is made of, nor what it speaks, nor where else it listens.
func TestStrangerLearnsNothing(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		good := start(t, "good", membership(t, "member"), echoing(), nil)
		id, addrs := transport.Target(t.Context(), good, only(good, kind))
		got := make(chan network.Stream, 1) // the first is one too many
		raw, err := transport.NewRaw(transport.Config{Seed: seed("stranger"), Admit: func(transport.PeerID) bool { return true }},
			func(s network.Stream) {
				select {
				case got <- s:
				default:
				}
			})
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		raw.Peerstore().AddAddrs(id, addrs, time.Minute)
		if c, err := raw.DialPeer(t.Context(), id); err == nil {
			if s, err := c.NewStream(t.Context()); err == nil {
				_ = s.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, _ = s.Write([]byte("\x13/multistream/1.0.0\n\x11/tamga/query/1\n"))
				if n, _ := s.Read(make([]byte, 100)); n > 0 {
					t.Errorf("%d bytes for a stranger", n)
				}
			}
			eventually(t, "the connection is closed", c.IsClosed)
		}
		eventually(t, "the refusal is counted", func() bool { return good.Refusals()["stranger"] > 0 })
		select {
		case <-got:
			t.Error("the node opened a stream to a stranger")
		default:
		}
		if p, err := raw.Peerstore().GetProtocols(id); len(p) > 0 {
			t.Errorf("a stranger knows the protocols %v, %v", p, err)
		}
		if v, err := raw.Peerstore().Get(id, "AgentVersion"); err == nil {
			t.Errorf("a stranger knows the version %v", v)
		}
		if known := raw.Peerstore().Addrs(id); len(known) != len(addrs) {
			t.Errorf("a stranger knows the addresses %v", known)
		}
	})
}
