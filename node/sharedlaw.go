package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/lawbook"
)

const (
	// lawEvery is how soon a law that was published at another node of the store is in force here.
	lawEvery = 2 * time.Second
	// lawUnread is for how long this node goes on by the law it knows when it cannot see whether another was published.
	lawUnread = 15 * time.Second
)

// shelf is where the nodes of a shared store leave each other their laws, and whether there are others.
func (n *Node) shelf() (lawbook.Shelf, bool) {
	return lawbook.NewShelf(n.rows), n.cfg.Store.Engine == config.EnginePostgres
}

// shareLaws leaves the others what was published here, and takes what was published there. It is for the start, before
// anything is answered.
func (n *Node) shareLaws(ctx context.Context) error {
	shelf, ok := n.shelf()
	if !ok {
		return nil
	}
	if err := n.laws.Share(shelf); err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	if _, err := n.takeLaws(ctx, shelf); err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	return nil
}

// takeLaws puts into force, one after the other, what others published: after the same proof as what is published here,
// and with an entry in the own ledger. It reports whether there was any.
func (n *Node) takeLaws(ctx context.Context, shelf lawbook.Shelf) (taken bool, err error) {
	for {
		p, approvals, ok, err := shelf.Next(n.laws.Last().Number)
		if err != nil || !ok {
			return taken, err
		}
		if _, err := n.enact(ctx, p, approvals); err != nil {
			return taken, err
		}
		taken = true
	}
}

// following takes what is published at other nodes of the store while the node runs. Where it cannot tell, or not take it,
// this node refuses after a while: by a law that was replaced nobody may be let through.
func (n *Node) following(ctx context.Context) error {
	shelf, ok := n.shelf()
	if !ok {
		return nil
	}
	tick := time.NewTicker(lawEvery)
	defer tick.Stop()
	read := n.now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		switch err := n.followLaw(ctx, shelf); {
		case err == nil:
			if n.law.Resume() {
				n.log.InfoContext(ctx, "the law can be read again")
			}
			read = n.now()
		case ctx.Err() != nil:
		case n.now().Sub(read) >= lawUnread || errors.Is(err, lawbook.ErrStale) || errors.Is(err, lawbook.ErrApproval):
			if n.law.Suspend() {
				n.log.ErrorContext(ctx, "no law is in force: what other nodes of the store published cannot be told, or is not lawful here",
					slog.String("cause", err.Error()))
			}
		}
	}
}

func (n *Node) followLaw(ctx context.Context, shelf lawbook.Shelf) error {
	n.takingUp.Lock()
	defer n.takingUp.Unlock()
	missing, err := n.laws.Restore(shelf)
	if err != nil {
		return err
	}
	if missing > 0 {
		n.log.ErrorContext(ctx, "publications of the law were taken away from the shared store, and are put back", slog.Int("number", missing))
	}
	taken, err := n.takeLaws(ctx, shelf)
	if taken {
		last := n.laws.Last()
		n.log.InfoContext(ctx, "law taken over from another node of the store", slog.Uint64("number", last.Number), slog.String("version", last.Version))
		err = errors.Join(err, n.publish(n.keys))
	}
	return err
}
