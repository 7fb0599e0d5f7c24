package transport

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/tamga-id/tamga/federation/transport/internal/door"
	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// ParsePeerID gives the canonical form of a peer ID that a host takes.
func ParsePeerID(s string) (PeerID, error) {
	id, err := decodePeerID(PeerID(s))
	if err != nil {
		return "", err
	}
	return PeerID(id.String()), nil
}

// Connections counts the live connections of h with a peer.
func Connections(h *Host, p PeerID) int {
	id, err := decodePeerID(p)
	if err != nil {
		return 0
	}
	return len(h.swarm.ConnsToPeer(id))
}

// ServedStreams counts the streams that peers hold open.
func ServedStreams(h *Host) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.serving)
}

// PooledStreams counts the idle streams to a peer.
func PooledStreams(h *Host, p PeerID) int {
	h.mu.Lock()
	r := h.remotes[p]
	h.mu.Unlock()
	if r == nil {
		return 0
	}
	return r.DropIdle(time.Unix(0, 0)) // none is that old
}

// OpenStreams counts the streams on connections with a peer.
func OpenStreams(h *Host, p PeerID) (n int) {
	for _, c := range Conns(h, p) {
		n += len(c.GetStreams())
	}
	return n
}

// Conns returns the raw connections with a peer, for tests that misbehave on them.
func Conns(h *Host, p PeerID) []network.Conn {
	id, err := decodePeerID(p)
	if err != nil {
		return nil
	}
	return h.swarm.ConnsToPeer(id)
}

// AppendFrame exposes the frame writer to raw peers.
func AppendFrame(dst, payload []byte) []byte { return wire.Append(dst, payload) }

// ReadFrame exposes the frame reader to raw peers.
func ReadFrame(r io.Reader, limit int) ([]byte, error) { return wire.Read(r, limit, wire.Hooks{}) }

// Given-up and malformed stream codes, for raw peers.
const (
	CodeGivenUp   = wire.CodeGivenUp
	CodeMalformed = wire.CodeMalformed
	CodeTooLarge  = wire.CodeTooLarge
)

// Raw is a libp2p peer with our transports and none of our manners.
type Raw struct {
	*swarm.Swarm
	door *door.Door
}

// NewRawNoise is NewRaw without TLS over TCP, as nodes of other makers may be.
func NewRawNoise(cfg Config, serve func(network.Stream)) (*Raw, error) {
	return newRaw(cfg, serve, false)
}

// Target is a host as raw peers dial it.
func Target(ctx context.Context, h *Host, addrs []string) (peer.ID, []ma.Multiaddr) {
	id, _ := decodePeerID(h.name)
	good, _ := resolve(ctx, id, addrs)
	return id, good
}

// NewRaw starts a raw peer that listens as cfg says and gives every inbound stream to serve.
func NewRaw(cfg Config, serve func(network.Stream)) (*Raw, error) { return newRaw(cfg, serve, true) }

func newRaw(cfg Config, serve func(network.Stream), tls bool) (*Raw, error) {
	cfg.noiseOnly = !tls
	cfg, listen, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	key, err := privateKey(cfg.Seed)
	if err != nil {
		return nil, err
	}
	d, err := door.Open(cfg.door(new(refusal.Counts)), key)
	if err != nil {
		return nil, err
	}
	d.Swarm.SetStreamHandler(serve)
	return &Raw{d.Swarm, d}, d.Swarm.Listen(listen...)
}

// Close ends the raw peer.
func (r *Raw) Close() error { return errors.Join(r.Swarm.Close(), r.door.Close()) }

// Limits exposes the resource manager of a host.
func Limits(h *Host) network.ResourceManager { return h.door.Resources }

// Pending counts inbound connections whose peer is not known yet, but those of favoured addresses.
func Pending(h *Host) (n int) {
	_ = h.door.Resources.ViewTransient(func(s network.ResourceScope) error {
		n = s.Stat().NumConnsInbound
		return nil
	})
	return n
}

// Guests counts the connections of peers that may be members.
func Guests(h *Host) (n int) {
	for _, c := range h.swarm.Conns() {
		if h.door.IsGuest(c) {
			n++
		}
	}
	return n
}

// GuestsLeaveAfter sets how long guests are let in.
func GuestsLeaveAfter(c *Config, d time.Duration) { c.guestLife = d }
