// Package line is a node's end of the transport, which outlives the keys it has: [Line.Rekey]
// goes over to the next libp2p key where the node stands, and no question of the node's own fails
// over that.
//
// [New], [Line.Host] for everything that does not ask, [Line.Close].
//
// Not here: who is a member (node/peering), and what peers are told of a key (node).
package line

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

// again is the time between two attempts to listen.
const again = 250 * time.Millisecond

// Line is a transport.Host that may be replaced by one with another key. Safe for concurrent use.
type Line struct {
	// Immutable after New.
	cfg      transport.Config // without seed
	handlers map[string]transport.Handler

	mu       sync.Mutex // guards what follows; not held across I/O
	host     *transport.Host
	replaced chan struct{} // closed when host is another one, or the last one is closed
	closed   bool
	members  map[transport.PeerID][]string // as favoured last
	refused  map[string]uint64             // by hosts before
}

// New starts a host as transport.New does.
func New(cfg transport.Config, handlers map[string]transport.Handler) (*Line, error) {
	h, err := transport.New(cfg, handlers)
	if err != nil {
		return nil, err
	}
	cfg.Seed = nil
	return &Line{cfg: cfg, handlers: handlers, host: h, replaced: make(chan struct{}), refused: map[string]uint64{}}, nil
}

// Host is the present one. It may be replaced any time, and is closed then.
func (l *Line) Host() *transport.Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.host
}

// Exchange is transport.Host.Exchange. It waits while the host is being replaced.
func (l *Line) Exchange(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
	return l.with(ctx, func(h *transport.Host) ([]byte, error) { return h.Exchange(ctx, to, addrs, protocol, frame) })
}

// ExchangeIdempotent is transport.Host.ExchangeIdempotent. It waits while the host is being replaced.
func (l *Line) ExchangeIdempotent(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
	return l.with(ctx, func(h *transport.Host) ([]byte, error) {
		return h.ExchangeIdempotent(ctx, to, addrs, protocol, frame)
	})
}

// with asks by the present host, and by the next one when that took no more requests.
func (l *Line) with(ctx context.Context, ask func(*transport.Host) ([]byte, error)) ([]byte, error) {
	for {
		l.mu.Lock()
		h, replaced := l.host, l.replaced
		l.mu.Unlock()
		reply, err := ask(h)
		if !errors.Is(err, transport.ErrClosed) {
			return reply, err
		}
		select {
		case <-replaced:
		case <-ctx.Done():
			return nil, err
		}
		if l.isClosed() {
			return nil, err
		}
	}
}

func (l *Line) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Rekey drains and closes the host and listens at the same addresses under another key, for as long as it takes until
// that can be done: two hosts cannot share an address. What is asked of this node meanwhile peers have to ask again
// (PROTOCOL.md, TMG-T-002). The error is ctx's, when it ends before; the line is closed then.
func (l *Line) Rekey(ctx context.Context, seed []byte) error {
	old := l.Host()
	cfg := l.cfg
	cfg.Seed, cfg.Listen = seed, old.Listening()
	if err := old.Close(); err != nil {
		l.cfg.Logger.WarnContext(ctx, "exchanges cut off for the next libp2p key", slog.String("cause", err.Error()))
	}
	for {
		next, err := transport.New(cfg, l.handlers)
		if err == nil {
			return l.replace(next)
		}
		l.cfg.Logger.ErrorContext(ctx, "not listening under the next libp2p key", slog.String("cause", err.Error()))
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("changing libp2p key: %w", ctx.Err()), l.Close())
		}
	}
}

func (l *Line) replace(next *transport.Host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return next.Close()
	}
	for cause, n := range l.host.Refusals() {
		l.refused[cause] += n
	}
	l.host = next
	next.Favour(l.members)
	close(l.replaced)
	l.replaced = make(chan struct{})
	return nil
}

// Favour is transport.Host.Favour, for the hosts to come, too.
func (l *Line) Favour(members map[transport.PeerID][]string) {
	l.mu.Lock()
	l.members = members
	h := l.host
	l.mu.Unlock()
	h.Favour(members)
}

// Refusals are those of all hosts.
func (l *Line) Refusals() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.host.Refusals()
	for cause, n := range l.refused {
		out[cause] += n
	}
	return out
}

// Close closes the host.
func (l *Line) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.replaced)
	}
	h := l.host
	l.mu.Unlock()
	return h.Close()
}
