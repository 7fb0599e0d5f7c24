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
)

// flight is a dial that several exchanges wait for. conn and err are set before done is closed.
type flight struct {
	done chan struct{}
	conn network.Conn
	err  error
}

// dial connects to the peer. Exchanges that ask for the same addresses at the same time share one dial, which goes on
// when one of them gives up.
func (h *Host) dial(ctx context.Context, r *remote, addrs []string) (network.Conn, error) {
	addrs = addrs[:min(len(addrs), maxAddrs)]
	sorted := slices.Sorted(slices.Values(addrs))
	key := strings.Join(sorted, "\x00")
	r.mu.Lock()
	f := r.flights[key]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		r.flights[key] = f
		h.dials.Go(func() {
			f.conn, f.err = h.connect(r, addrs)
			r.mu.Lock()
			delete(r.flights, key)
			if len(r.flights) == 0 {
				h.swarm.Peerstore().ClearAddrs(r.id)
			}
			r.mu.Unlock()
			close(f.done)
		})
	}
	r.mu.Unlock()
	select {
	case <-f.done:
		return f.conn, f.err
	case <-ctx.Done():
		return nil, gaveUp(ctx, r.name, addrs)
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
func (h *Host) connect(r *remote, addrs []string) (network.Conn, error) {
	const margin = time.Second // lets the swarm report each address rather than be cut off
	ctx, cancel := h.detach(h.cfg.DialTimeout + tcpDelay + margin)
	defer cancel()
	began := time.Now()
	good, bad := resolve(ctx, r.id, addrs)
	if len(good) == 0 {
		return nil, &DialError{Peer: r.name, Attempts: bad}
	}
	h.swarm.Peerstore().AddAddrs(r.id, good, 2*h.cfg.DialTimeout+margin)
	// Past libp2p's back-off, which would be all that is said of an address that another question has just failed at.
	c, err := h.swarm.DialPeer(network.WithForceDirectDial(ctx, "each address has its own error"), r.id)
	if err != nil {
		failed := &DialError{Peer: r.name, Attempts: append(bad, attempts(good, err)...)}
		h.log.InfoContext(ctx, "peer unreachable", slog.String("peer", string(r.name)),
			slog.Int("addresses", len(failed.Attempts)), slog.Duration("took", time.Since(began)))
		return nil, failed
	}
	h.log.InfoContext(ctx, "peer connected", slog.String("peer", string(r.name)),
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
