package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
	"github.com/tamga-id/tamga/federation/transport/internal/door"
	"github.com/tamga-id/tamga/federation/transport/internal/pool"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// suspectTimeout is how long a connection on which a reply was late has to open a stream before it is replaced: one
// round trip, which a satellite makes in under a second.
const suspectTimeout = 2 * time.Second

// maxOpenConns is how many connections are tried before a new one is made: one that each end made, and one that either
// end made since and does not know to be useless.
const maxOpenConns = 3

// Exchange sends one frame to a peer and returns its reply, which belongs to the caller. addrs are multiaddrs with or
// without /p2p/ suffix, tried only when no connection to the peer is open, QUIC before TCP and without any back-off.
// Connections and streams are shared and reused. The request is repeated only when it certainly was not handled: when
// it could not be written whole, or the peer reset the stream saying so; for requests that may safely be handled
// twice use ExchangeIdempotent.
//
// Errors to test for: ErrUnreachable (a *DialError when no address answered), ErrNotAdmitted, ErrUnsupported,
// ErrTooLarge, ErrOverloaded, ErrTimeout, ErrInterrupted, ErrMalformed, ErrClosed, and the context's own.
func (h *Host) Exchange(ctx context.Context, to PeerID, addrs []string, protocolID string, frame []byte) ([]byte, error) {
	return h.exchange(ctx, to, addrs, protocolID, frame, false)
}

// ExchangeIdempotent is Exchange for a request whose repetition is harmless, such as a fetch: when a reused stream
// fails before any byte of the reply, the request is sent once more on a fresh one.
func (h *Host) ExchangeIdempotent(ctx context.Context, to PeerID, addrs []string, protocolID string, frame []byte) ([]byte, error) {
	return h.exchange(ctx, to, addrs, protocolID, frame, true)
}

// A peer that replaces its key is away for as long as it takes to drain and to listen anew. Whoever asks meanwhile tries
// again after changePause, then ever more rarely, for changeTimeout at most: longer than Config.DrainTimeout is by default.
const (
	changePause   = 100 * time.Millisecond
	changeTimeout = 8 * time.Second
)

// exchange asks the peer under the ID that was given and, when nothing answers there, under its others.
func (h *Host) exchange(ctx context.Context, to PeerID, addrs []string, name string, frame []byte, idempotent bool) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.cfg.ExchangeTimeout)
		defer cancel()
	}
	reply, first := h.exchangeAs(ctx, to, addrs, name, frame, idempotent)
	if !undialled(first) {
		return reply, first
	}
	also := h.cfg.Also(to)
	if len(also) == 0 {
		return nil, first
	}
	pause := changePause
	for until := time.Now().Add(changeTimeout); time.Now().Before(until); pause = min(2*pause, time.Second) {
		for _, id := range append(also, to) {
			// A host that closes right after the handshake cannot be told from one that lets nobody in.
			if reply, err := h.exchangeAs(ctx, id, bare(addrs), name, frame, idempotent); !undialled(err) && !errors.Is(err, ErrNotAdmitted) {
				return reply, err
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, first
		}
	}
	return nil, first
}

// undialled reports that there was no connection, or that the peer was shutting down: it has not handled the request.
func undialled(err error) bool {
	_, ok := errors.AsType[*DialError](err)
	return ok || errors.Is(err, wire.ErrUntouched)
}

// bare are addresses without the peer ID behind them.
func bare(addrs []string) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i], _, _ = strings.Cut(a, "/p2p/")
	}
	return out
}

// exchangeAs asks the peer under one of its IDs.
func (h *Host) exchangeAs(ctx context.Context, to PeerID, addrs []string, name string, frame []byte, idempotent bool) ([]byte, error) {
	doing := "exchanging with " + string(to[:min(len(to), maxPeerIDText)])
	if err := wire.Check(frame, h.cfg.MaxFrame); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	r, err := h.remote(to)
	if err != nil {
		return nil, fmt.Errorf("exchanging: %w", err)
	}
	if !h.cfg.Admit(PeerID(r.Name)) {
		h.forget(PeerID(r.Name))
		return nil, fmt.Errorf("%s: %w: no trust chain names it", doing, ErrNotAdmitted)
	}
	if !h.enter() {
		return nil, fmt.Errorf("%s: %w", doing, ErrClosed)
	}
	defer h.leave()
	if err := r.Enter(ctx); err != nil {
		return nil, classify(ctx, doing, err)
	}
	defer r.Leave()
	began := time.Now()
	reply, err := h.attempt(ctx, r, addrs, name, frame, idempotent)
	if err != nil {
		return nil, classify(ctx, doing, err)
	}
	h.log.LogAttrs(ctx, slog.LevelDebug, "exchange done", slog.String("peer", r.Name), slog.String("protocol", name),
		slog.Int("request_bytes", len(frame)), slog.Int("reply_bytes", len(reply)), slog.Duration("took", time.Since(began)))
	return reply, nil
}

// attempt runs the exchange on a pooled or fresh stream, and once more on a fresh one where that is safe.
func (h *Host) attempt(ctx context.Context, r *pool.Peer, addrs []string, name string, frame []byte, idempotent bool) ([]byte, error) {
	request := wire.Append(make([]byte, 0, wire.HeaderSize+len(frame)), frame)
	l := r.Take(name, time.Now().Add(-h.cfg.IdleTimeout/2))
	for again := false; ; again = true {
		if l == nil {
			var err error
			if l, err = h.open(ctx, r, addrs, name); err != nil {
				return nil, err
			}
		}
		reply, safe, err := l.Run(ctx, request)
		if err == nil {
			if r.Put(name, l) {
				h.armJanitor()
			}
			return reply, nil
		}
		if ctx.Err() != nil {
			r.MarkSuspect(l.Conn())
		}
		if again || ctx.Err() != nil || !(safe || idempotent && l.Reused() && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge)) {
			return nil, err
		}
		l = nil
	}
}

// open returns a fresh stream, over an open connection if there is one that works, else over a new one. Both ends may
// have made connections, and what silences one silences all: after the first that does not answer the others have only
// as long as a round trip takes.
func (h *Host) open(ctx context.Context, r *pool.Peer, addrs []string, name string) (*pool.Lane, error) {
	r.Room()
	limit := h.cfg.DialTimeout
	for range maxOpenConns {
		c := h.liveConn(r)
		if c == nil {
			break
		}
		if r.IsSuspect(c) {
			limit = min(limit, suspectTimeout)
		}
		l, err := h.negotiate(ctx, r, c, name, limit)
		if wire.Untouched(err, 0) {
			// It drains, and listens no longer. What it has taken in on this connection it still answers.
			return nil, &DialError{Peer: PeerID(r.Name), Attempts: []Attempt{{Addr: c.RemoteMultiaddr().String(), Err: errDraining}}}
		}
		if err == nil || ctx.Err() != nil || wire.ResetCode(err) != 0 || final(err) {
			return l, err
		}
		// It is dead, or hangs: make room for one that lives.
		r.MarkSuspect(c)
		_ = c.CloseWithError(network.ConnNoError)
		limit = min(limit, suspectTimeout)
	}
	c, err := h.dial(ctx, r, addrs)
	if err != nil {
		return nil, err
	}
	l, err := h.negotiate(ctx, r, c, name, h.cfg.DialTimeout)
	if err == nil || ctx.Err() != nil || wire.ResetCode(err) != 0 || final(err) {
		return l, err
	}
	cause := Attempt{Addr: c.RemoteMultiaddr().String(), Err: opaque(err)}
	if h.closedByGate(r, c, err) {
		cause.Err = ErrNotAdmitted
	}
	return nil, &DialError{Peer: PeerID(r.Name), Attempts: []Attempt{cause}}
}

// closedByGate reports that the peer did not let us in: over TCP its gate closes the connection without a word, right
// after the handshake. One that has been there for longer, on which nothing was heard, or that we gave up, broke.
func (h *Host) closedByGate(r *pool.Peer, c network.Conn, err error) bool {
	return c.IsClosed() && !door.IsQUIC(c.RemoteMultiaddr()) && !r.IsProven(c) && !r.IsSuspect(c) && !errors.Is(err, context.DeadlineExceeded) &&
		c.Stat().Direction == network.DirOutbound && time.Since(c.Stat().Opened) < h.cfg.DialTimeout
}

// final reports that another connection would not change the answer.
func final(err error) bool {
	return wire.Gated(err) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrClosed) || errors.Is(err, network.ErrResourceLimitExceeded)
}

// negotiate opens a stream on the connection and agrees on the protocol before any request is written, so that a
// failure here is always safe to repeat.
func (h *Host) negotiate(ctx context.Context, r *pool.Peer, c network.Conn, name string, limit time.Duration) (*pool.Lane, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	err = s.SetProtocol(protocol.ID(name))
	if err == nil {
		err = multistream.SelectProtoOrFail(protocol.ID(name), s)
	}
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		_ = s.Reset()
		if errors.Is(err, multistream.ErrNotSupported[protocol.ID]{}) {
			r.MarkProven(c)
			return nil, ErrUnsupported
		}
		return nil, err
	}
	r.MarkProven(c)
	l := pool.NewLane(s)
	if !h.read(l) {
		_ = s.Reset()
		return nil, ErrClosed
	}
	return l, nil
}

// read starts the lane's reader, which ends with the stream, unless the host has been closed.
func (h *Host) read(l *pool.Lane) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.readers.Go(func() { l.Read(h.cfg.MaxFrame) })
	return true
}

// liveConn returns an open connection to the peer, in whichever direction it was made.
func (h *Host) liveConn(r *pool.Peer) network.Conn {
	var found network.Conn
	for _, c := range h.swarm.ConnsToPeer(r.ID) {
		if c.IsClosed() {
			continue
		}
		if r.IsProven(c) {
			return c
		}
		found = c
	}
	return found
}

// remote returns what is kept about the peer, beginning it if need be. Only members are kept, so their number bounds it.
func (h *Host) remote(to PeerID) (*pool.Peer, error) {
	h.mu.Lock()
	r := h.remotes[to]
	h.mu.Unlock()
	if r != nil {
		return r, nil
	}
	id, err := decodePeerID(to)
	if err != nil {
		return nil, err
	}
	fresh := pool.NewPeer(id, h.cfg.MaxStreamsPeer)
	if !h.cfg.Admit(PeerID(fresh.Name)) {
		return fresh, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.remotes[PeerID(fresh.Name)]; r != nil {
		return r, nil
	}
	h.remotes[PeerID(fresh.Name)] = fresh
	return fresh, nil
}

// armJanitor makes sure that idle streams are given up in time even if nobody asks the peer again.
func (h *Host) armJanitor() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closing && !h.sweeping {
		h.sweeping = true
		h.janitor.Reset(h.cfg.IdleTimeout / 4)
	}
}

func (h *Host) sweepPools() {
	h.mu.Lock()
	remotes := make([]*pool.Peer, 0, len(h.remotes))
	for _, r := range h.remotes {
		remotes = append(remotes, r)
	}
	h.sweeping = false
	h.mu.Unlock()
	left := 0
	for _, r := range remotes {
		left += r.DropIdle(time.Now().Add(-h.cfg.IdleTimeout / 2))
	}
	if left > 0 {
		h.armJanitor()
	}
}
