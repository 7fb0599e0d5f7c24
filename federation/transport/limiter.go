package transport

import "sync"

// limiter bounds handlers running at once, in all and per peer. It never waits: a peer that asks too much is told so
// at once, and cannot make others queue.
type limiter struct {
	total, each int // immutable

	// mu guards the counters; running is the sum of peers, and peers holds no zero.
	mu      sync.Mutex
	running int
	peers   map[PeerID]int
}

func newLimiter(total, each int) *limiter {
	return &limiter{total: total, each: each, peers: map[PeerID]int{}}
}

func (l *limiter) acquire(p PeerID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running >= l.total || l.peers[p] >= l.each {
		return false
	}
	l.running++
	l.peers[p]++
	return true
}

func (l *limiter) release(p PeerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.peers[p]--; l.peers[p] == 0 {
		delete(l.peers, p)
	}
}
