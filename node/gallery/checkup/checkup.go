// Package checkup checks the gallery of a running node: one check at a time, begun by
// whoever asks for it and looked at from anywhere.
//
// [New] makes the Checks, Run carries out what Begin asks for, and State says how far it is.
// What is checked, and how, is node/gallery/fsck's.
package checkup

import (
	"context"
	"log/slog"
	"sync"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/fsck"
	"github.com/tamga-id/tamga/node/internal/gate"
)

// State is where a check of the gallery stands.
type State string

// The states.
const (
	Idle    State = "idle" // none since the node was started
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed" // it was not made to its end
)

// Progress says how far a check of the gallery is, and what it has found.
type Progress struct {
	State       State
	What        string // what Done and Total count: "bytes" of files, then "subjects"
	Done, Total uint64
	Report      fsck.Report // when Done
	Err         error       // when Failed
}

// Checks are the checks of a running node. It is safe for concurrent use.
type Checks struct {
	gallery *gallery.Gallery
	reading *gate.Gate
	log     *slog.Logger
	wake    chan struct{} // room for one: there is something to do

	mu    sync.Mutex
	state Progress
}

// New makes checks of g, none of which is under way. Each enters reading.
func New(g *gallery.Gallery, reading *gate.Gate, log *slog.Logger) *Checks {
	return &Checks{gallery: g, reading: reading, log: log, wake: make(chan struct{}, 1), state: Progress{State: Idle}}
}

func (c *Checks) set(change func(*Progress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
}

// State reports from memory how far the check is.
func (c *Checks) State() Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Begin begins to read everything that the gallery holds, or joins in, and returns
// while Run does it.
func (c *Checks) Begin() Progress {
	c.set(func(p *Progress) {
		if p.State != Running {
			*p = Progress{State: Running, What: "bytes"}
			c.wake <- struct{}{} // nobody else sends while it is not running
		}
	})
	return c.State()
}

// Run does what Begin begins, until ctx ends.
func (c *Checks) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.wake:
		}
		if err := c.reading.Enter(ctx); err != nil {
			return err
		}
		r, err := c.gallery.Fsck(ctx, func(what string, done, total uint64) {
			c.set(func(p *Progress) { p.What, p.Done, p.Total = what, done, total })
		})
		c.reading.Leave()
		c.set(func(p *Progress) {
			if p.State, p.Report, p.Err = Done, r, nil; err != nil {
				p.State, p.Report, p.Err = Failed, fsck.Report{}, err
			}
		})
		switch {
		case err != nil && ctx.Err() == nil:
			c.log.WarnContext(ctx, "gallery not checked", slog.String("cause", err.Error()))
		case err == nil && !r.Sound():
			c.log.ErrorContext(ctx, "gallery damaged", slog.Int("subjects", len(r.Damaged)), slog.Uint64("missing", r.Missing),
				slog.Int("faults", len(r.Faults)))
		}
	}
}
