package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multistream"

	"github.com/tamga-id/tamga/federation/transport/fairqueue"
	"github.com/tamga-id/tamga/federation/transport/internal/door"
	"github.com/tamga-id/tamga/federation/transport/internal/inbound"
	"github.com/tamga-id/tamga/federation/transport/internal/pool"
	"github.com/tamga-id/tamga/federation/transport/internal/pressure"
	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
)

// Host is one node's end of the federation's transport. Make it with New and end it with Close. All methods are safe
// for concurrent use.
type Host struct {
	// Immutable after New.
	cfg      Config
	name     PeerID
	door     *door.Door
	log      *slog.Logger
	swarm    *swarm.Swarm
	handlers map[string]Handler
	mux      *multistream.MultistreamMuxer[protocol.ID]
	share    *fairqueue.Queue[string] // by what [door.Door.Share] says
	refused  *refusal.Counts
	// detach returns a context that ends after a time or when the host closes, for work that outlives the caller
	// that began it (a shared dial) or has no caller in this process (a handler).
	detach func(time.Duration) (context.Context, context.CancelFunc)
	cancel context.CancelFunc

	// dials counts dial goroutines; they are started only while an exchange is counted in busy.
	dials sync.WaitGroup
	// readers counts the readers of lanes; they are started only while closed is false, and end with their streams.
	readers sync.WaitGroup

	// mu guards what follows. It is never held across I/O or a call of the caller's code.
	mu       sync.Mutex
	closing  bool
	closed   bool          // Close has stopped waiting for what is under way
	busy     int           // exchanges under way, asked by us or by peers
	quiet    chan struct{} // closed once closing and busy is 0
	serving  map[*served]struct{}
	streams  map[string]int // of those in serving, by share, where it is one of several peers
	remotes  map[PeerID]*pool.Peer
	listen   []listener
	janitor  *time.Timer // runs sweepPools
	sweeping bool        // janitor is armed
	finished error       // of the first Close

	closeOnce sync.Once
}

// New listens on every address of cfg and serves handlers, keyed by protocol ID. It fails with every fault of the
// configuration, or when one address cannot be bound. A host without handlers can still ask. The caller must Close it.
func New(cfg Config, handlers map[string]Handler) (*Host, error) {
	cfg, listen, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	key, err := privateKey(cfg.Seed)
	if err != nil {
		return nil, err
	}
	name, err := PeerIDFromSeed(cfg.Seed)
	if err != nil {
		return nil, err
	}
	mux := multistream.NewMultistreamMuxer[protocol.ID]()
	for id, handler := range handlers {
		if handler == nil || !strings.HasPrefix(id, "/") {
			return nil, fmt.Errorf("checking handlers: %q has no handler or is not a protocol id", id)
		}
		mux.AddHandler(protocol.ID(id), nil)
	}
	refused := new(refusal.Counts)
	d, err := door.Open(cfg.door(refused), key)
	if err != nil {
		return nil, err
	}
	cfg.Seed = nil
	// A host has no caller whose context it could live in, as http.Server has none; its own ends at Close.
	base, cancel := context.WithCancel(context.Background())
	h := &Host{
		cfg: cfg, name: name, door: d, log: cfg.Logger, swarm: d.Swarm, handlers: cloneHandlers(handlers),
		mux: mux, refused: refused, share: fairqueue.New[string](fairqueue.Limits{Running: cfg.MaxHandlers, RunningPeer: cfg.MaxHandlersPeer,
			WaitingPeer: cfg.MaxStreamsPeer, MaxWait: cfg.MaxWait, Rate: float64(cfg.MaxRate), Bytes: float64(cfg.MaxBytes), Pressed: pressure.New().High}), cancel: cancel,
		detach: func(d time.Duration) (context.Context, context.CancelFunc) { return context.WithTimeout(base, d) },
		quiet:  make(chan struct{}), serving: map[*served]struct{}{}, streams: map[string]int{}, remotes: map[PeerID]*pool.Peer{},
	}
	h.janitor = time.AfterFunc(time.Hour, h.sweepPools)
	h.janitor.Stop()
	d.Swarm.SetStreamHandler(h.serve)
	for i, a := range listen {
		if err := h.listenOn(cfg.Listen[i], a); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

func cloneHandlers(in map[string]Handler) map[string]Handler {
	out := make(map[string]Handler, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

// PeerID returns the host's own peer ID.
func (h *Host) PeerID() PeerID { return h.name }

// Addresses returns the addresses the host listens on, with actual ports, wildcard hosts expanded to those of the
// machine's interfaces, and the /p2p/ suffix; QUIC first. It is empty for a host that does not listen or is closed.
func (h *Host) Addresses() []string {
	if h.isClosing() {
		return []string{}
	}
	told := h.told()
	found, err := manet.ResolveUnspecifiedAddresses(told, nil)
	if err != nil {
		found = told
	}
	slices.SortStableFunc(found, func(a, b ma.Multiaddr) int {
		switch qa, qb := door.IsQUIC(a), door.IsQUIC(b); {
		case qa == qb:
			return strings.Compare(a.String(), b.String())
		case qa:
			return -1
		}
		return 1
	})
	out := make([]string, len(found))
	for i, a := range found {
		out[i] = a.String() + "/p2p/" + string(h.name)
	}
	return out
}

// Connected returns the peers with a live connection, in order of their IDs.
func (h *Host) Connected() []PeerID {
	var out []PeerID
	for _, id := range h.swarm.Peers() {
		if h.swarm.Connectedness(id) == network.Connected {
			out = append(out, PeerID(id.String()))
		}
	}
	slices.Sort(out)
	return out
}

// Recheck asks Config.Admit about every connected peer, drops the connections of those no longer admitted, and
// returns how many peers that were. Exchanges with them fail; their handlers' replies go nowhere. Call it after every
// change of membership.
func (h *Host) Recheck() int {
	dropped := map[peer.ID]bool{}
	for _, c := range h.swarm.Conns() {
		id := c.RemotePeer()
		switch guest := h.door.IsGuest(c); {
		case h.door.Admits(id):
			if guest && h.door.Strong(c) {
				h.door.Settle(c)
			}
			continue
		case guest:
			continue
		}
		if !dropped[id] {
			h.refused.Add(refusal.Suspended)
			h.log.Info("peer no longer admitted", slog.String("peer", id.String()))
		}
		dropped[id] = true
		_ = c.CloseWithError(network.ConnGated) // the connection is gone either way
	}
	h.mu.Lock()
	names := make([]PeerID, 0, len(h.remotes))
	for name := range h.remotes {
		names = append(names, name)
	}
	h.mu.Unlock()
	for _, name := range names {
		if !h.cfg.Admit(name) {
			h.forget(name)
		}
	}
	return len(dropped)
}

// forget drops what is kept about a peer; exchanges that hold the old state finish with it.
func (h *Host) forget(name PeerID) {
	h.mu.Lock()
	r := h.remotes[name]
	delete(h.remotes, name)
	h.mu.Unlock()
	if r != nil {
		r.Retire()
	}
}

// enter counts an exchange in, unless the host is draining.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.busy++
	return true
}

func (h *Host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy--
	if h.closing && h.busy == 0 {
		close(h.quiet)
	}
}

func (h *Host) isClosing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closing
}

// Drain stops listening and taking new exchanges in either direction, and waits until those under way are done or
// ctx ends, whose error it then returns. Calling it again waits again.
func (h *Host) Drain(ctx context.Context) error {
	h.mu.Lock()
	first := !h.closing
	h.closing = true
	if first && h.busy == 0 {
		close(h.quiet)
	}
	lingering := len(h.serving) > 0
	streams := make([]*served, 0, len(h.serving))
	for v := range h.serving {
		streams = append(streams, v)
	}
	h.mu.Unlock()
	if first {
		h.swarm.ListenClose(h.swarm.ListenAddresses()...)
	}
	for _, v := range streams {
		v.Dismiss()
	}
	select {
	case <-h.quiet:
	case <-ctx.Done():
		return fmt.Errorf("draining: %w", ctx.Err())
	}
	if lingering {
		h.linger(ctx)
	}
	return nil
}

// linger waits until the streams that were dismissed have ended, on a busy machine later than inbound.FlushDelay after the last
// reply, and then until their resets have gone out.
func (h *Host) linger(ctx context.Context) {
	left := func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.serving) > 0
	}
	for until := time.Now().Add(10 * inbound.FlushDelay); left() && time.Now().Before(until); {
		if !sleep(ctx, inbound.FlushDelay/10) {
			return
		}
	}
	sleep(ctx, inbound.FlushDelay)
}

// sleep reports whether it was for the whole time.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close drains for at most Config.DrainTimeout, then closes every connection and frees all resources. Its error says
// that exchanges were cut off or something could not be closed; the host is closed all the same. Calling it again
// returns the same error. A handler that ignores its context may outlive Close.
func (h *Host) Close() error {
	h.closeOnce.Do(func() {
		ctx, stop := h.detach(h.cfg.DrainTimeout)
		errs := []error{h.Drain(ctx)}
		stop()
		h.cancel()
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		errs = append(errs, h.swarm.Close())
		h.dials.Wait()
		h.readers.Wait()
		h.janitor.Stop()
		h.mu.Lock()
		remotes := h.remotes
		h.remotes = map[PeerID]*pool.Peer{}
		h.mu.Unlock()
		for _, r := range remotes {
			r.Retire()
		}
		h.finished = errors.Join(append(errs, h.door.Close())...)
	})
	return h.finished
}
