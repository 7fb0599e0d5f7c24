package transport

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// remote is what we keep about a peer we ask.
type remote struct {
	// Immutable.
	id    peer.ID
	name  PeerID
	slots chan struct{} // one token per exchange under way; capacity bounds them

	// mu guards the rest; it is not held across I/O.
	mu      sync.Mutex
	maxIdle int
	idle    map[string][]*lane // by protocol, oldest first
	pooled  int                // sum over idle
	proven  network.Conn       // connection that has carried a negotiated stream: the peer's gate let us in
	suspect []network.Conn     // connections on which a reply did not come in time; to be tried before they are trusted
	flights map[string]*flight
}

func newRemote(id peer.ID, maxStreams int) *remote {
	// Half the peer's limit for streams, in use and idle together (room), leaves half for resets under way.
	return &remote{id: id, name: PeerID(id.String()), slots: make(chan struct{}, maxStreams/2), maxIdle: maxStreams / 2,
		idle: map[string][]*lane{}, flights: map[string]*flight{}}
}

// take returns a live idle stream for the protocol, newest first, or nil.
func (r *remote) take(name string, oldest time.Time) *lane {
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

// room resets idle streams, the longest idle first, until another one may be opened. Every exchange has its slot by then
// and none has more than one stream, so there are never more streams than slots. An exchange opens one only when none
// of its protocol is idle: it is other protocols' that give way.
func (r *remote) room() {
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
		r.idle[first] = append([]*lane(nil), r.idle[first][1:]...)
		r.pooled--
		r.mu.Unlock()
		_ = l.stream.Reset()
	}
}

// put gives a stream back after a complete exchange and reports whether it was kept.
func (r *remote) put(name string, l *lane) bool {
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

// retire resets every idle stream and keeps none from now on: nobody would give up those of a remote that the host has
// forgotten.
func (r *remote) retire() {
	r.mu.Lock()
	r.maxIdle = 0
	r.mu.Unlock()
	r.dropIdle(time.Time{})
}

// dropIdle resets the streams idle since before the given time, all of them for the zero time, and returns how many
// are left.
func (r *remote) dropIdle(before time.Time) int {
	var old []*lane
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
			r.idle[name] = append([]*lane(nil), list[n:]...)
		}
	}
	left := r.pooled
	r.mu.Unlock()
	for _, l := range old {
		_ = l.stream.Reset()
	}
	return left
}

func (r *remote) markProven(c network.Conn) {
	r.mu.Lock()
	r.proven = c
	r.suspect = slices.DeleteFunc(r.suspect, func(s network.Conn) bool { return s == c })
	r.mu.Unlock()
}

func (r *remote) markSuspect(c network.Conn) {
	r.mu.Lock()
	r.suspect = slices.DeleteFunc(r.suspect, func(s network.Conn) bool { return s == c || s.IsClosed() })
	r.suspect = append(r.suspect, c)
	r.mu.Unlock()
}

func (r *remote) isSuspect(c network.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.suspect, c)
}

func (r *remote) isProven(c network.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proven == c
}
