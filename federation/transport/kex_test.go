package transport_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tamga-id/tamga/federation/transport"
)

func TestHybridKeyExchange(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		all := func(c *transport.Config) { c.Hybrid = func(transport.PeerID) bool { return true } }
		a, b := start(t, "a", m, nil, all), start(t, "b", m, echoing(), all)
		ask(t, a, b, only(b, kind), "kept")
		for _, h := range []*transport.Host{a, b} {
			other := a.PeerID()
			if h == a {
				other = b.PeerID()
			}
			links := h.Links(other)
			if len(links) != 1 || links[0].KeyExchange != transport.HybridKeyExchange || links[0].Security != "tls" ||
				links[0].Transport != kind || links[0].Inbound != (h == b) || links[0].Opened.IsZero() {
				t.Errorf("links of %s: %+v", h.PeerID(), links)
			}
		}
	})
}

// TestDowngradeIsRefused: a peer that announced the hybrid key exchange and is reached with Noise is refused from either
// side; one that announced nothing is served.
func TestDowngradeIsRefused(t *testing.T) {
	m := membership(t, "a", "raw")
	required := func(c *transport.Config) { c.Hybrid = func(p transport.PeerID) bool { return p == peerID(t, "raw") } }
	for name, edit := range map[string]func(*transport.Config){"announced": required, "not-announced": nil} {
		t.Run(name, func(t *testing.T) {
			a := start(t, "a", m, echoing(), edit)
			raw, err := transport.NewRawNoise(transport.Config{Seed: seed("raw"), Listen: []string{listenTCP}, Admit: m.admit},
				func(s network.Stream) { _ = s.Reset() })
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			addr := raw.ListenAddresses()[0].String()
			_, err = a.Exchange(t.Context(), peerID(t, "raw"), []string{addr}, transport.ProtocolQuery, []byte("x"))
			refused := a.Refusals()["downgrade"]
			if edit == nil {
				links := a.Links(peerID(t, "raw"))
				if refused != 0 || len(links) != 1 || links[0].Security != "noise" || links[0].KeyExchange != "X25519" {
					t.Errorf("%d refused, links %+v, %v", refused, links, err)
				}
				return
			}
			if d, ok := errors.AsType[*transport.DialError](err); !ok || len(d.Attempts) != 1 || !strings.Contains(d.Attempts[0].Err.Error(), "X25519MLKEM768") {
				t.Errorf("Exchange = %v", err)
			}
			if refused == 0 || transport.Connections(a, peerID(t, "raw")) != 0 {
				t.Errorf("%d refused, %d connections", refused, transport.Connections(a, peerID(t, "raw")))
			}
			// From the other side.
			id, addrs := transport.Target(t.Context(), a, only(a, "tcp"))
			raw.Peerstore().AddAddrs(id, addrs, 1<<40)
			eventually(t, "both are refused", func() bool {
				// What is left of the first connection is taken for one as long as raw has not noticed.
				if c, err := raw.DialPeer(t.Context(), id); err == nil {
					eventually(t, "the connection is closed", c.IsClosed)
				}
				return a.Refusals()["downgrade"] >= 2
			})
		})
	}
}

// TestGuestIsNotDowngraded: nor is one let in over Noise to bring its Trust Chain that had
// announced the hybrid key exchange before its chain ran out.
func TestGuestIsNotDowngraded(t *testing.T) {
	for name, announced := range map[string]bool{"announced": true, "not-announced": false} {
		t.Run(name, func(t *testing.T) {
			raw := peerID(t, "raw")
			a := start(t, "a", membership(t), echoing(), func(c *transport.Config) {
				c.Unknown = func(p transport.PeerID) bool { return p == raw }
				c.Hybrid = func(p transport.PeerID) bool { return announced && p == raw }
			})
			h, err := transport.NewRawNoise(transport.Config{Seed: seed("raw"), Listen: []string{listenTCP}, Admit: membership(t, "a").admit},
				func(s network.Stream) { _ = s.Reset() })
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			id, addrs := transport.Target(t.Context(), a, only(a, "tcp"))
			h.Peerstore().AddAddrs(id, addrs, 1<<40)
			c, err := h.DialPeer(t.Context(), id)
			if announced {
				eventually(t, "the guest is refused", func() bool { return a.Refusals()["downgrade"] == 1 })
				if err == nil {
					eventually(t, "the connection is closed", c.IsClosed)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the guest is let in", func() bool { return transport.Connections(a, raw) == 1 })
			if n := a.Refusals()["downgrade"]; n != 0 {
				t.Errorf("%d refused", n)
			}
		})
	}
}
