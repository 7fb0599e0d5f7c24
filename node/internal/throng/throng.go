// Package throng bounds how many connections strangers hold open at an HTTP listener that
// faces them, together and from one place: each costs a goroutine and buffers while it is idle.
package throng

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// Total is room for every member of a large federation, and a few MB.
	Total = 512
	// Each is for one place: an IPv4 address or an IPv6 /64, which one host has to itself.
	// Behind it may be the members of a whole ministry. What comes from the machine itself,
	// where a proxy may stand before the listener, is bounded by Total alone.
	Each = 32
	// Idle is how long a connection is kept for the next request: a superior is asked for
	// all it says in one go.
	Idle = 15 * time.Second
)

// Listener closes what it accepts beyond its bounds. Safe for concurrent use.
type Listener struct {
	net.Listener
	total, each int

	mu   sync.Mutex // guards what follows
	open int
	from map[netip.Prefix]int // places with open connections only
}

// Bound returns l with at most total connections open, each of them from one place.
func Bound(l net.Listener, total, each int) *Listener {
	return &Listener{Listener: l, total: total, each: each, from: make(map[netip.Prefix]int)}
}

// Accept waits for a connection within the bounds.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at := place(c.RemoteAddr())
		if l.take(at) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(at) })}, nil
		}
		_ = c.Close()
	}
}

func (l *Listener) take(at netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || l.from[at] >= l.each && !at.Addr().IsLoopback() {
		return false
	}
	l.open++
	l.from[at]++
	return true
}

func (l *Listener) leave(at netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[at]--; l.from[at] == 0 {
		delete(l.from, at)
	}
}

// place is the network that an address stands for; all that have none are of one.
func place(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() && !ip.IsLoopback() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}

type conn struct {
	net.Conn
	leave func()
}

// Close makes room for another.
func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
