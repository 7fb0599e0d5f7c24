package transport

import (
	"log/slog"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Favour names the members' addresses, replacing those named before: connections from their IP addresses have room
// of their own and do not compete with strangers' for a handshake. The favour is the peer's, not the address's: after
// the handshake another peer from the same address is treated as any other. Addresses are as for [Host.Exchange];
// those with a DNS name, and any that are malformed, are skipped, and so is what a peer has beyond 16. It returns how
// many pairs of peer and IP address are favoured. Call it at start and after every change of membership; nobody is
// admitted by it.
func (h *Host) Favour(members map[PeerID][]string) int {
	wanted := map[string]ma.Multiaddr{}
	for name, addrs := range members {
		id, err := decodePeerID(name)
		if err != nil {
			h.log.Warn("address not favoured", slog.String("reason", "not a peer id"))
			continue
		}
		for _, s := range addrs[:min(len(addrs), maxAddrs)] {
			if a := favourable(id, s); a != nil {
				wanted[a.String()] = a
			}
		}
	}
	if err := h.door.Favour(wanted); err != nil {
		h.log.Warn("address not favoured", slog.String("reason", err.Error()))
	}
	return len(wanted)
}

// favourable reduces an address to its IP address and the peer, or to nil when it has none.
func favourable(id peer.ID, s string) ma.Multiaddr {
	a, err := parsePeerAddr(s, id)
	if err != nil {
		return nil
	}
	host := a[0].Protocol().Code
	if host != ma.P_IP4 && host != ma.P_IP6 {
		return nil
	}
	out, err := ma.NewMultiaddr(a[:1].String() + "/p2p/" + id.String())
	if err != nil {
		return nil
	}
	return out
}
