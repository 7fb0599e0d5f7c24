// Package unsaid keeps whose listings a node has to hand on to others, and lets everybody have
// a turn.
package unsaid

import (
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// every is how often listings of Intermediates below one member of an Anchor are handed on
// for long: who signs without end, for as many as he likes below him, has every member tell
// every other no more often. ahead are as many at once as an operator makes changes in a
// row. What this node itself says waits for no other.
const (
	every = 10 * time.Second
	ahead = 4
)

// Intermediates are those whose listings are to be handed on. Safe for concurrent use.
type Intermediates struct {
	self trust.EntityID
	wake chan struct{} // has room for one

	mu   *sync.Mutex
	at   map[trust.Path]bool // guarded by mu
	turn Turns               // guarded by mu
}

// New returns none of them, for the node self.
func New(self trust.EntityID) Intermediates {
	return Intermediates{self, make(chan struct{}, 1), new(sync.Mutex), make(map[trust.Path]bool), NewTurns(every)}
}

// Add has the listing of one handed on when it is its turn.
func (u Intermediates) Add(at trust.Path) {
	u.mu.Lock()
	u.at[at] = true
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// Wake receives when there is something to hand on.
func (u Intermediates) Wake() <-chan struct{} { return u.wake }

// Due takes out those whose turn it is.
func (u Intermediates) Due(now time.Time) []trust.Path {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []trust.Path
	for at := range u.at {
		of := trust.Path(at.Top())
		if at.Entity() == u.self {
			of = at
		}
		if u.turn.Take(of, now) {
			out = append(out, at)
			delete(u.at, at)
		}
	}
	return out
}

// Turns gives everybody one turn in every, and ahead at once. Not safe for concurrent use.
type Turns struct {
	every time.Duration
	next  map[trust.Path]time.Time
}

// NewTurns returns Turns that nobody has had.
func NewTurns(every time.Duration) Turns {
	return Turns{every: every, next: make(map[trust.Path]time.Time)}
}

// Take reports whether it is the turn of one, who has had it then.
func (t Turns) Take(of trust.Path, now time.Time) bool {
	for at, next := range t.next {
		if next.Before(now) || next.Sub(now) > ahead*t.every { // or the clock was put back
			delete(t.next, at)
		}
	}
	next, ok := t.next[of]
	if !ok {
		next = now
	}
	if next.Sub(now) > (ahead-1)*t.every {
		return false
	}
	t.next[of] = next.Add(t.every)
	return true
}
