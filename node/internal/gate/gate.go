// Package gate keeps keys from being destroyed while somebody reads what they open.
package gate

import (
	"context"
	"sync"
)

// Gate keeps a key from being destroyed while what reads the whole gallery, or its files,
// for long may still come across it. Once somebody wants to destroy one, who begins to
// read waits until that is done: otherwise one reader after the other would keep it from
// being done at all. The zero value is open.
type Gate struct {
	mu      sync.Mutex
	readers int
	closed  int  // how many have closed it
	wanted  bool // somebody wants to close it
	opened  chan struct{}
}

// Enter waits until nobody has closed the gate or wants to, and begins to read.
func (g *Gate) Enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		if g.closed == 0 && !g.wanted {
			g.readers++
			g.mu.Unlock()
			return nil
		}
		if g.opened == nil {
			g.opened = make(chan struct{})
		}
		opened := g.opened
		g.mu.Unlock()
		select {
		case <-opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Leave ends what Enter began.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.readers--
}

// TryClose closes the gate if nobody reads, and else has it wanted.
func (g *Gate) TryClose() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.readers > 0 {
		g.wanted = true
		return false
	}
	g.closed++
	return true
}

// Open ends what TryClose began.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed--
	g.relentLocked()
}

// Relent has nobody want to close it any more.
func (g *Gate) Relent() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.relentLocked()
}

func (g *Gate) relentLocked() {
	g.wanted = false
	if g.opened != nil && g.closed == 0 {
		close(g.opened)
		g.opened = nil
	}
}
