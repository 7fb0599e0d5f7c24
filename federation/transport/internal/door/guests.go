package door

import (
	"cmp"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Limits on guests: peers that may be members which this host cannot know of (Config.Unknown). A guest sends a Query
// that brings its Trust Chain, and nothing else. Its place is taken until its time is over, whatever it does, so that
// these are limits on what comes in a second, too.
const (
	maxGuests       = 16              // at once
	maxGuestsFrom   = 4               // at once from one IPv4 address, or one IPv6 network of 64 bits
	guestLife       = 5 * time.Second // of a connection: a handshake's time, and that of some Queries
	maxGuestFrames  = 4               // one that the host answers it cannot judge, one with the Trust Chain, and both again after a start
	maxGuestStreams = 32              // a member that takes itself for one also asks what a guest may not
	// GuestShare is the one share of all guests; no country and no peer is called that.
	GuestShare = "guests"
)

// guests are the connections of peers that may be members.
type guests struct {
	// Immutable.
	unknown func(name string) bool // nil: there are none
	life    time.Duration

	mu    sync.Mutex // guards what follows
	conns map[network.Conn]*guest
	from  map[netip.Prefix]int
}

type guest struct {
	from            netip.Prefix
	frames, streams int
	timer           *time.Timer
}

func newGuests(cfg Config) *guests {
	return &guests{unknown: cfg.Unknown, life: cmp.Or(cfg.GuestLife, guestLife), conns: map[network.Conn]*guest{}, from: map[netip.Prefix]int{}}
}

// may reports whether there is room for a guest that says it is this peer.
func (g *guests) may(id peer.ID) bool {
	if g.unknown == nil || !g.unknown(id.String()) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns) < maxGuests
}

// admit gives the connection a place, and ends it when its time is over, unless stays says then that it is a member's.
func (g *guests) admit(c network.Conn, stays func() bool) bool {
	if !g.may(c.RemotePeer()) {
		return false
	}
	addr, err := manet.ToIP(c.RemoteMultiaddr())
	if err != nil {
		return false
	}
	ip, _ := netip.AddrFromSlice(addr)
	bits := 64
	if ip = ip.Unmap(); ip.Is4() {
		bits = 32
	}
	from, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) >= maxGuests || g.from[from] >= maxGuestsFrom {
		return false
	}
	one := &guest{from: from}
	one.timer = time.AfterFunc(g.life, func() {
		g.forget(c)
		if !stays() {
			_ = c.CloseWithError(network.ConnGated) // the connection is gone either way
		}
	})
	g.conns[c] = one
	g.from[from]++
	return true
}

func (g *guests) forget(c network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.conns[c]
	if one == nil {
		return
	}
	one.timer.Stop()
	delete(g.conns, c)
	if g.from[one.from]--; g.from[one.from] == 0 {
		delete(g.from, one.from)
	}
}

// has reports whether the connection is a guest's.
func (g *guests) has(c network.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.conns[c] != nil
}

// stream counts a stream of a guest in, and frame a frame; false says that it is one too many.
func (g *guests) stream(c network.Conn) bool {
	return g.count(c, func(one *guest) *int { return &one.streams }, maxGuestStreams)
}

func (g *guests) frame(c network.Conn) bool {
	return g.count(c, func(one *guest) *int { return &one.frames }, maxGuestFrames)
}

func (g *guests) count(c network.Conn, of func(*guest) *int, most int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.conns[c]
	if one == nil {
		return false
	}
	n := of(one)
	*n++
	return *n <= most
}

// close stops the timers.
func (g *guests) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.conns {
		one.timer.Stop()
	}
}
