// Package door is a host's libp2p network and who comes in: QUIC and TCP, the membership gate,
// guests that may be members, what peers share that have one share, and room for handshakes.
//
// [Open] makes a [Door]; its Swarm listens, dials and gives streams. Nothing is decided here
// about frames, and nothing is served: package transport does that, and asks the Door whose
// share a peer takes and whether a connection is a guest's.
//
// Invariants:
//
//   - a peer that Config.Admit does not name never gets a stream, but as a guest: it is refused
//     when the handshake has told who it is;
//   - strangers' handshakes take at most half of the inbound connections, over TCP at most a
//     quarter, and favoured addresses have room of their own;
//   - a connection of a peer that announced it agreed on its keys with [HybridKeyExchange].
package door

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
)

// Config is what of a host's configuration the door goes by. Peers are named by their peer ID
// in its canonical form. Every field but Unknown, GuestLife and NoiseOnly is required.
type Config struct {
	Seed    []byte                   // of the identity; it is not kept
	Admit   func(name string) bool   // whether a current trust chain names the peer
	Unknown func(name string) bool   // whether one that Admit refuses may be a member; nil: none is
	Hybrid  func(name string) bool   // whether the peer has announced HybridKeyExchange
	Share   func(name string) string // with whom the peer has one share; empty: nobody
	Log     *slog.Logger
	Refused *refusal.Counts

	DialTimeout    time.Duration // of one attempt at one address
	MaxConns       int           // in each direction
	MaxStreamsPeer int           // opened by one peer
	MaxMemory      int           // in bytes, for all peers

	GuestLife time.Duration // how long a guest is let in; 0: 5 s
	NoiseOnly bool          // no TLS over TCP, as peers of other makers
}

// Door is an open network. It is safe for concurrent use; Close it after its Swarm.
type Door struct {
	// Immutable after Open.
	Swarm     *swarm.Swarm
	Resources network.ResourceManager // the limits
	gate      gate
	limits    *limits
	closers   []io.Closer
}

// Open makes the network of the host with that key. It does not listen yet.
func Open(cfg Config, key crypto.PrivKey) (*Door, error) {
	g := gate{admit: cfg.Admit, log: cfg.Log, refused: cfg.Refused, hybrid: cfg.Hybrid, curves: newCurves(), crowd: newCrowd(cfg), guests: newGuests(cfg)}
	lim, err := newLimits(cfg, cfg.Refused)
	if err != nil {
		return nil, err
	}
	sw, closers, err := newSwarm(cfg, key, g, lim)
	d := &Door{Swarm: sw, Resources: lim, gate: g, limits: lim, closers: closers}
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	g.crowd.swarm.Store(sw)
	return d, nil
}

// Close frees what the network holds beside its Swarm, which is to be closed before.
func (d *Door) Close() error {
	d.gate.guests.close()
	var errs []error
	for _, c := range d.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Admits reports whether the peer is a member.
func (d *Door) Admits(id peer.ID) bool { return d.gate.admits(id) }

// Strong reports that the keys of the connection were agreed as well as both ends can.
func (d *Door) Strong(c network.Conn) bool { return d.gate.strong(c) }

// KeyExchange names the key exchange of a connection.
func (d *Door) KeyExchange(c network.Conn) string { return d.gate.curves.of(c) }

// Share is whose share the peer has part in: its own when it shares with nobody.
func (d *Door) Share(name string) (share string, shared bool) { return d.gate.crowd.of(name) }

// SharedStreams is how many inbound streams those of one share may have together.
func (d *Door) SharedStreams() int { return d.gate.crowd.streams }

// IsGuest reports whether the connection is of a peer that may be a member.
func (d *Door) IsGuest(c network.Conn) bool { return d.gate.guests.has(c) }

// Settle has a guest's connection be a member's from now on.
func (d *Door) Settle(c network.Conn) { d.gate.guests.forget(c) }

// GuestStream counts a stream of a guest in, and GuestFrame a frame; false says that it is one
// too many, or that the connection is no guest's.
func (d *Door) GuestStream(c network.Conn) bool { return d.gate.guests.stream(c) }

// GuestFrame: see [Door.GuestStream].
func (d *Door) GuestFrame(c network.Conn) bool { return d.gate.guests.frame(c) }

// Favour keeps room for handshakes from these addresses of an IP address and a peer, and from
// none besides. Nobody is admitted by it.
func (d *Door) Favour(wanted map[string]ma.Multiaddr) error { return d.limits.favour(wanted) }

// IsQUIC reports whether an address is one of QUIC.
func IsQUIC(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_QUIC_V1)
	return err == nil
}
