// Package pool keeps what a host has of a peer that it asks: the streams it opened, idle
// between two exchanges, which connections can be trusted with another, and dials under way.
//
// A [Peer] bounds exchanges ([Peer.Enter]) and lends streams: Take one, Run the request on it,
// Put it back. A [Lane] that the peer gave up, or on which it sent a reply that nobody asked
// for, is never lent. The package opens no streams and makes no connections.
package pool

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Peer is what we keep about a peer we ask.
type Peer struct {
	// Immutable.
	ID    peer.ID
	Name  string
	slots chan struct{} // one token per exchange under way; capacity bounds them

	// mu guards the rest; it is not held across I/O.
	mu      sync.Mutex
	maxIdle int
	idle    map[string][]*Lane // by protocol, oldest first
	pooled  int                // sum over idle
	proven  network.Conn       // connection that has carried a negotiated stream: the peer's gate let us in
	suspect []network.Conn     // connections on which a reply did not come in time; to be tried before they are trusted
	flights map[string]*Flight
}

// NewPeer begins with a peer that may have so many streams of ours at once.
func NewPeer(id peer.ID, maxStreams int) *Peer {
	// Half the peer's limit for streams, in use and idle together (Room), leaves half for resets under way.
	return &Peer{ID: id, Name: id.String(), slots: make(chan struct{}, maxStreams/2), maxIdle: maxStreams / 2,
		idle: map[string][]*Lane{}, flights: map[string]*Flight{}}
}

// Take returns a live idle stream for the protocol, newest first, or nil.
func (r *Peer) Take(name string, oldest time.Time) *Lane {
	for {
		r.mu.Lock()
		list := r.idle[name]
		if len(list) == 0 {
			r.mu.Unlock()
			return nil
		}
		l := list[len(list)-1]
		list[len(list)-1] = nil
		r.idle[name] = list[:len(list)-1]
		r.pooled--
		doubtful := slices.Contains(r.suspect, l.stream.Conn())
		r.mu.Unlock()
		if !doubtful && l.idle.After(oldest) && l.ask() {
			l.reused = true
			return l
		}
		_ = l.stream.Reset()
	}
}

// Room resets idle streams, the longest idle first, until another one may be opened. Every exchange has its slot by then
// and none has more than one stream, so there are never more streams than slots. An exchange opens one only when none
// of its protocol is idle: it is other protocols' that give way.
func (r *Peer) Room() {
	for {
		r.mu.Lock()
		var first string
		for name, list := range r.idle {
			if len(list) > 0 && (first == "" || list[0].idle.Before(r.idle[first][0].idle)) {
				first = name
			}
		}
		if first == "" || r.pooled+len(r.slots) <= cap(r.slots) {
			r.mu.Unlock()
			return
		}
		l := r.idle[first][0]
		r.idle[first] = append([]*Lane(nil), r.idle[first][1:]...)
		r.pooled--
		r.mu.Unlock()
		_ = l.stream.Reset()
	}
}

// Put gives a stream back after a complete exchange and reports whether it was kept.
func (r *Peer) Put(name string, l *Lane) bool {
	l.idle = time.Now()
	r.mu.Lock()
	kept := r.pooled < r.maxIdle
	if kept {
		r.idle[name] = append(r.idle[name], l)
		r.pooled++
	}
	r.mu.Unlock()
	if !kept {
		_ = l.stream.Reset()
	}
	return kept
}

// Retire resets every idle stream and keeps none from now on: nobody would give up those of a remote that the host has
// forgotten.
func (r *Peer) Retire() {
	r.mu.Lock()
	r.maxIdle = 0
	r.mu.Unlock()
	r.DropIdle(time.Time{})
}

// DropIdle resets the streams idle since before the given time, all of them for the zero time, and returns how many
// are left.
func (r *Peer) DropIdle(before time.Time) int {
	var old []*Lane
	r.mu.Lock()
	for name, list := range r.idle {
		n := 0
		for n < len(list) && (before.IsZero() || list[n].idle.Before(before)) {
			n++
		}
		old = append(old, list[:n]...)
		r.pooled -= n
		if n == len(list) {
			delete(r.idle, name)
		} else {
			r.idle[name] = append([]*Lane(nil), list[n:]...)
		}
	}
	left := r.pooled
	r.mu.Unlock()
	for _, l := range old {
		_ = l.stream.Reset()
	}
	return left
}

// MarkProven notes that a stream was negotiated on the connection.
func (r *Peer) MarkProven(c network.Conn) {
	r.mu.Lock()
	r.proven = c
	r.suspect = slices.DeleteFunc(r.suspect, func(s network.Conn) bool { return s == c })
	r.mu.Unlock()
}

// MarkSuspect notes that a reply on the connection did not come in time, or that it broke.
func (r *Peer) MarkSuspect(c network.Conn) {
	r.mu.Lock()
	r.suspect = slices.DeleteFunc(r.suspect, func(s network.Conn) bool { return s == c || s.IsClosed() })
	r.suspect = append(r.suspect, c)
	r.mu.Unlock()
}

// IsSuspect reports whether the connection is to be tried before it is trusted.
func (r *Peer) IsSuspect(c network.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.suspect, c)
}

// IsProven reports whether it is the connection that last carried a negotiated stream.
func (r *Peer) IsProven(c network.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proven == c
}

// Enter waits until one more exchange may be under way; Leave ends it.
func (r *Peer) Enter(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave ends an exchange.
func (r *Peer) Leave() { <-r.slots }

// Flight is a dial that several exchanges wait for. Conn and Err are set before Done is closed.
type Flight struct {
	Done chan struct{}
	Conn network.Conn
	Err  error
}

// Join is the dial of these addresses that is under way. The first who asks makes it and has
// it land.
func (r *Peer) Join(addrs string) (f *Flight, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f = r.flights[addrs]; f == nil {
		f, first = &Flight{Done: make(chan struct{})}, true
		r.flights[addrs] = f
	}
	return f, first
}

// Land ends a dial; last is called when no other is under way.
func (r *Peer) Land(addrs string, f *Flight, c network.Conn, err error, last func()) {
	f.Conn, f.Err = c, err
	r.mu.Lock()
	delete(r.flights, addrs)
	if len(r.flights) == 0 {
		last()
	}
	r.mu.Unlock()
	close(f.Done)
}
