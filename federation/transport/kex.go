package transport

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tamga-id/tamga/federation/transport/internal/door"
)

// HybridKeyExchange is the name of the key exchange that stays secret when X25519 alone does not: X25519MLKEM768 of
// draft-ietf-tls-ecdhe-mlkem, in the TLS 1.3 of QUIC and of TCP. Noise has none.
const HybridKeyExchange = door.HybridKeyExchange

// Link is a live connection with a peer.
type Link struct {
	Address     string // the peer's, as seen here
	Inbound     bool   // the peer dialled
	Transport   string // "quic-v1" or "tcp"
	Security    string // "tls" or "noise"
	KeyExchange string // HybridKeyExchange, another name of TLS, or "X25519" of Noise
	Opened      time.Time
}

// Links returns the live connections with a peer, the oldest first.
func (h *Host) Links(to PeerID) []Link {
	id, err := decodePeerID(to)
	if err != nil {
		return nil
	}
	var out []Link
	for _, c := range h.swarm.ConnsToPeer(id) {
		if c.IsClosed() {
			continue
		}
		l := Link{Address: c.RemoteMultiaddr().String(), Inbound: c.Stat().Direction == network.DirInbound, Transport: "tcp",
			Security: "tls", KeyExchange: h.door.KeyExchange(c), Opened: c.Stat().Opened}
		if door.IsQUIC(c.RemoteMultiaddr()) {
			l.Transport = "quic-v1"
		} else if c.ConnState().Security != door.TLS {
			l.Security = "noise"
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Link) int { return a.Opened.Compare(b.Opened) })
	return out
}
