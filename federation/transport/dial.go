package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/tamga-id/tamga/federation/transport/internal/door"
	"github.com/tamga-id/tamga/federation/transport/internal/pool"
)

// dial connects to the peer. Exchanges that ask for the same addresses at the same time share one dial, which goes on
// when one of them gives up.
func (h *Host) dial(ctx context.Context, r *pool.Peer, addrs []string) (network.Conn, error) {
	addrs = addrs[:min(len(addrs), maxAddrs)]
	sorted := slices.Sorted(slices.Values(addrs))
	key := strings.Join(sorted, "\x00")
	f, first := r.Join(key)
	if first {
		h.dials.Go(func() {
			c, err := h.connect(r, addrs)
			r.Land(key, f, c, err, func() { h.swarm.Peerstore().ClearAddrs(r.ID) })
		})
	}
	select {
	case <-f.Done:
		return f.Conn, f.Err
	case <-ctx.Done():
		return nil, gaveUp(ctx, PeerID(r.Name), addrs)
	}
}

// gaveUp lists every address as unanswered when the caller's time ended before the dial's.
func gaveUp(ctx context.Context, name PeerID, addrs []string) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	e := &DialError{Peer: name}
	for _, a := range addrs {
		e.Attempts = append(e.Attempts, Attempt{Addr: shown(a), Err: ErrTimeout})
	}
	return e
}

// connect resolves and dials. Its time is that of one address and the head start of QUIC, since all are tried at once.
func (h *Host) connect(r *pool.Peer, addrs []string) (network.Conn, error) {
	const margin = time.Second // lets the swarm report each address rather than be cut off
	ctx, cancel := h.detach(h.cfg.DialTimeout + door.TCPDelay + margin)
	defer cancel()
	began := time.Now()
	good, bad := resolve(ctx, r.ID, addrs)
	if len(good) == 0 {
		return nil, &DialError{Peer: PeerID(r.Name), Attempts: bad}
	}
	h.swarm.Peerstore().AddAddrs(r.ID, good, 2*h.cfg.DialTimeout+margin)
	// Past libp2p's back-off, which would be all that is said of an address that another question has just failed at.
	c, err := h.swarm.DialPeer(network.WithForceDirectDial(ctx, "each address has its own error"), r.ID)
	if err != nil {
		failed := &DialError{Peer: PeerID(r.Name), Attempts: append(bad, attempts(good, err)...)}
		h.log.InfoContext(ctx, "peer unreachable", slog.String("peer", r.Name),
			slog.Int("addresses", len(failed.Attempts)), slog.Duration("took", time.Since(began)))
		return nil, failed
	}
	h.log.InfoContext(ctx, "peer connected", slog.String("peer", r.Name),
		slog.String("address", c.RemoteMultiaddr().String()), slog.Duration("took", time.Since(began)))
	return c, nil
}

// errRefusedHere is the cause of an attempt that got as far as our own gate.
var errRefusedHere = errors.New("refused here: its keys were agreed without " + HybridKeyExchange + ", which both ends have, or it ceased to be a member")

// attempts pairs every address with its own cause where the swarm knows one, else with the cause of the whole.
func attempts(addrs []ma.Multiaddr, err error) []Attempt {
	own := map[string]error{}
	whole := err
	if d, ok := errors.AsType[*swarm.DialError](err); ok {
		for _, t := range d.DialErrors {
			own[t.Address.String()] = t.Cause
		}
		if d.Cause != nil {
			whole = d.Cause
		}
	}
	out := make([]Attempt, 0, len(addrs))
	for _, a := range addrs {
		cause := own[a.String()]
		if cause == nil {
			cause = fmt.Errorf("not answered: %w", whole)
		}
		if errors.Is(cause, swarm.ErrGaterDisallowedConnection) {
			cause = errRefusedHere
		}
		out = append(out, Attempt{Addr: a.String(), Err: opaque(cause)})
	}
	return out
}
