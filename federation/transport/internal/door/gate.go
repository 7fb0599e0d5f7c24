package door

import (
	"log/slog"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
)

// gate refuses peers that no trust chain names. Immutable after New.
type gate struct {
	admit   func(name string) bool
	log     *slog.Logger
	refused *refusal.Counts
	hybrid  func(name string) bool
	curves  *curves
	crowd   *crowd
	guests  *guests
}

var _ connmgr.ConnectionGater = gate{}

func (g gate) admits(id peer.ID) bool { return g.admit(id.String()) }

// InterceptPeerDial keeps us from dialling a non-member at all.
func (g gate) InterceptPeerDial(id peer.ID) bool { return g.admits(id) }

// InterceptAddrDial has nothing to add: addresses are as trustworthy as the member they were published by.
func (g gate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

// InterceptAccept cannot judge yet: before the handshake there is only an address, and those are not identities.
func (g gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured is the gate itself: the handshake has proved who the peer is and no stream exists yet.
func (g gate) InterceptSecured(dir network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	if g.admits(id) || dir == network.DirInbound && g.guests.may(id) {
		return true
	}
	g.refused.Add(refusal.Stranger)
	g.log.Info("peer refused at handshake", slog.String("cause", refusal.Stranger.String()), slog.String("peer", id.String()), slog.String("direction", dir.String()))
	return false
}

// InterceptUpgraded closes the gap between the handshake and the end of the upgrade, in which a peer may be suspended,
// and refuses keys that an eavesdropper with a quantum computer could find out later when both ends could do better:
// TLS protects the choice of a key exchange, but nothing protects that of Noise over TLS.
func (g gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	id := c.RemotePeer()
	if !g.admits(id) {
		switch {
		case c.Stat().Direction != network.DirInbound || !g.guests.may(id):
		case !g.agreed(c): // nor does one whose chain has run out agree on less
			return false, 0
		case g.guests.admit(c, func() bool { return g.admits(id) && g.strong(c) }):
			g.log.Info("peer of unknown membership let in", slog.String("peer", id.String()))
			return true, 0
		}
		g.refused.Add(refusal.Stranger)
		return false, 0
	}
	if c.Stat().Direction == network.DirInbound && g.crowd.full(id) {
		g.refused.Add(refusal.Share)
		g.log.Warn("connection refused", slog.String("peer", id.String()), slog.String("cause", refusal.Share.String()))
		return false, 0
	}
	return g.agreed(c), 0
}

// agreed refuses a connection whose keys are not strong.
func (g gate) agreed(c network.Conn) bool {
	if g.strong(c) {
		return true
	}
	g.refused.Add(refusal.Downgrade)
	g.log.Warn("connection refused", slog.String("peer", c.RemotePeer().String()), slog.String("cause", refusal.Downgrade.String()),
		slog.String("agreed", g.curves.of(c)), slog.String("address", c.RemoteMultiaddr().String()))
	return false
}

// strong reports that the keys of the connection were agreed as well as both ends can.
func (g gate) strong(c network.Conn) bool {
	return !g.hybrid(c.RemotePeer().String()) || g.curves.of(c) == HybridKeyExchange
}
