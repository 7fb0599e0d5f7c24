package door

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
)

// errNoRoom refuses a connection whose handshake would take room that is kept for others.
var errNoRoom = fmt.Errorf("too many handshakes: %w", network.ErrResourceLimitExceeded)

// limits is libp2p's resource manager and two things it lacks: a share of the handshakes that TCP cannot take from
// QUIC, and QUIC address validation when handshakes pile up.
type limits struct {
	network.ResourceManager
	allow   *rcmgr.Allowlist
	refused *refusal.Counts
	maxTCP  int // inbound TCP handshakes of addresses that are not favoured
	many    int // inbound handshakes from which on QUIC clients must prove their address

	// mu guards what follows. It may be held while the allowlist's own lock is taken.
	mu       sync.Mutex
	pending  int // inbound connections whose peer is not known yet
	tcp      int // those of them that count against maxTCP
	favoured map[string]ma.Multiaddr
}

func newLimits(cfg Config, refused *refusal.Counts) (*limits, error) {
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(resourceLimits(cfg)), rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, fmt.Errorf("creating resource manager: %v", err)
	}
	allow := rcmgr.GetAllowlist(m)
	if allow == nil {
		return nil, errors.Join(errors.New("creating resource manager: it has no allowlist"), m.Close())
	}
	strangers := maxHandshakes(cfg)
	return &limits{ResourceManager: m, allow: allow, refused: refused, maxTCP: max(1, strangers/2), many: strangers / 4}, nil
}

// maxHandshakes is how many inbound connections may be without a proven peer at once: half of all, so that members
// keep the other half whatever strangers do.
func maxHandshakes(cfg Config) int { return max(1, cfg.MaxConns/2) }

// OpenConnection counts an inbound connection as pending until its peer is known.
func (l *limits) OpenConnection(dir network.Direction, usesFD bool, addr ma.Multiaddr) (network.ConnManagementScope, error) {
	scope, err := l.ResourceManager.OpenConnection(dir, usesFD, addr)
	if dir != network.DirInbound {
		return scope, err
	}
	if err != nil {
		l.refused.Add(refusal.Handshakes)
		return scope, err
	}
	p := &pendingConn{ConnManagementScope: scope, limits: l, tcp: usesFD && !l.allow.Allowed(addr)}
	l.mu.Lock()
	full := p.tcp && l.tcp >= l.maxTCP
	if !full {
		l.count(p, 1)
	}
	l.mu.Unlock()
	if full {
		scope.Done()
		l.refused.Add(refusal.Handshakes)
		return nil, errNoRoom
	}
	return p, nil
}

// count needs mu.
func (l *limits) count(p *pendingConn, n int) {
	l.pending += n
	if p.tcp {
		l.tcp += n
	}
}

// VerifySourceAddress asks a QUIC client to prove its address (RFC 9000 section 8.1.2) before anything is kept about
// it: always when many handshakes are pending, else at the resource manager's discretion.
func (l *limits) VerifySourceAddress(a net.Addr) bool {
	l.mu.Lock()
	loaded := l.pending >= l.many
	l.mu.Unlock()
	return loaded || l.ResourceManager.VerifySourceAddress(a)
}

// pendingConn is the scope of an inbound connection; it stops being pending at SetPeer or Done.
type pendingConn struct {
	network.ConnManagementScope
	limits *limits
	tcp    bool
	once   sync.Once
}

func (p *pendingConn) settle() {
	p.once.Do(func() {
		p.limits.mu.Lock()
		defer p.limits.mu.Unlock()
		p.limits.count(p, -1)
	})
}

// SetPeer is called when the handshake has proved who the peer is.
func (p *pendingConn) SetPeer(id peer.ID) error {
	err := p.ConnManagementScope.SetPeer(id)
	if err == nil {
		p.settle()
	}
	return err
}

// Done is called when the connection ends; more than once is harmless.
func (p *pendingConn) Done() {
	p.settle()
	p.ConnManagementScope.Done()
}

// resourceLimits scales libp2p's limits to one small node. Every figure not named is unlimited because a narrower
// scope already bounds it.
func resourceLimits(cfg Config) rcmgr.ConcreteLimitConfig {
	const (
		connsPeer = 8  // both ends may dial at once, over two transports, and reconnect before the old ends
		busyPeers = 16 // peers that use all their streams at once
	)
	memory := int64(cfg.MaxMemory)
	favouredMemory := memory / 4
	systemMemory, transientMemory := memory-favouredMemory, favouredMemory
	peerMemory := memory * 3 / 16
	connMemory := peerMemory // QUIC may grow a connection's window to 15 MiB
	peer, conns, strangers := rcmgr.LimitVal(cfg.MaxStreamsPeer), rcmgr.LimitVal(cfg.MaxConns), rcmgr.LimitVal(maxHandshakes(cfg))
	system := rcmgr.ResourceLimits{StreamsInbound: busyPeers * peer, StreamsOutbound: busyPeers * peer,
		Streams: 2 * busyPeers * peer, ConnsInbound: conns, ConnsOutbound: conns, Conns: 2 * conns,
		FD: 2 * conns, Memory: rcmgr.LimitVal64(systemMemory)}
	// Our own dials pass through this scope too: its sums leave room for them however many strangers knock.
	transient := rcmgr.ResourceLimits{StreamsInbound: 4 * peer, StreamsOutbound: 4 * peer, Streams: 8 * peer,
		ConnsInbound: strangers, ConnsOutbound: conns, Conns: strangers + conns, FD: strangers + conns, Memory: rcmgr.LimitVal64(transientMemory)}
	favoured, knocking := system, transient
	favoured.Memory, knocking.Memory = rcmgr.LimitVal64(favouredMemory), rcmgr.LimitVal64(favouredMemory/2)
	partial := rcmgr.PartialLimitConfig{
		System: system, Transient: transient,
		// For favoured addresses when the scopes above are full.
		AllowlistedSystem: favoured, AllowlistedTransient: knocking,
		PeerDefault: rcmgr.ResourceLimits{StreamsInbound: peer, StreamsOutbound: peer, Streams: 2 * peer,
			ConnsInbound: connsPeer, ConnsOutbound: connsPeer, Conns: 2 * connsPeer, FD: 2 * connsPeer, Memory: rcmgr.LimitVal64(peerMemory)},
		Conn:   rcmgr.ResourceLimits{Conns: 1, ConnsInbound: 1, ConnsOutbound: 1, FD: 1, Memory: rcmgr.LimitVal64(connMemory)},
		Stream: rcmgr.ResourceLimits{Streams: 1, StreamsInbound: 1, StreamsOutbound: 1, Memory: rcmgr.LimitVal64(min(16<<20, peerMemory))},
	}
	return partial.Build(rcmgr.InfiniteLimits)
}

// favour makes the allowlist what is wanted. What stays is never off the list meanwhile.
func (l *limits) favour(wanted map[string]ma.Multiaddr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for text, a := range wanted {
		if _, ok := l.favoured[text]; !ok {
			errs = append(errs, l.allow.Add(a))
		}
	}
	for text, a := range l.favoured {
		if _, ok := wanted[text]; !ok {
			errs = append(errs, l.allow.Remove(a))
		}
	}
	l.favoured = wanted
	return errors.Join(errs...)
}
