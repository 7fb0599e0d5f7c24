package node

import (
	"context"
	"log/slog"
	"sync"

	"github.com/tamga-id/tamga/node/gallery/fsck"
)

// CheckState is where a check of the gallery stands.
type CheckState string

// The states.
const (
	CheckIdle    CheckState = "idle" // none since the node was started
	CheckRunning CheckState = "running"
	CheckDone    CheckState = "done"
	CheckFailed  CheckState = "failed" // it was not made to its end
)

// Checkup says how far a check of the gallery is, and what it has found.
type Checkup struct {
	State       CheckState
	What        string // what Done and Total count: "bytes" of files, then "subjects"
	Done, Total uint64
	Report      fsck.Report // when Done
	Err         error       // when Failed
}

// checks are the checks of a running node.
type checks struct {
	wake chan struct{} // room for one: there is something to do

	mu    sync.Mutex
	state Checkup
}

func (c *checks) set(change func(*Checkup)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
}

// GalleryCheck reports from memory how far the check is.
func (n *Node) GalleryCheck() Checkup {
	n.checks.mu.Lock()
	defer n.checks.mu.Unlock()
	return n.checks.state
}

// CheckGallery begins to read everything that the gallery holds, or joins in, and returns
// while Run does it.
func (n *Node) CheckGallery() Checkup {
	n.checks.set(func(c *Checkup) {
		if c.State != CheckRunning {
			*c = Checkup{State: CheckRunning, What: "bytes"}
			n.checks.wake <- struct{}{} // nobody else sends while it is not running
		}
	})
	return n.GalleryCheck()
}

// checking does what CheckGallery begins.
func (n *Node) checking(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.checks.wake:
		}
		if err := n.reading.enter(ctx); err != nil {
			return err
		}
		r, err := n.gallery.Fsck(ctx, func(what string, done, total uint64) {
			n.checks.set(func(c *Checkup) { c.What, c.Done, c.Total = what, done, total })
		})
		n.reading.leave()
		n.checks.set(func(c *Checkup) {
			if c.State, c.Report, c.Err = CheckDone, r, nil; err != nil {
				c.State, c.Report, c.Err = CheckFailed, fsck.Report{}, err
			}
		})
		switch {
		case err != nil && ctx.Err() == nil:
			n.log.WarnContext(ctx, "gallery not checked", slog.String("cause", err.Error()))
		case err == nil && !r.Sound():
			n.log.ErrorContext(ctx, "gallery damaged", slog.Int("subjects", len(r.Damaged)), slog.Uint64("missing", r.Missing),
				slog.Int("faults", len(r.Faults)))
		}
	}
}
