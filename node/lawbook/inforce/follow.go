package inforce

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
func (l *Law) shelf() (lawbook.Shelf, bool) {
	return lawbook.NewShelf(l.cfg.Rows), l.node.Store.Engine == config.EnginePostgres
}

// share leaves the others what was published here, and takes what was published there. It is for the start, before
// anything is answered.
func (l *Law) share(ctx context.Context) error {
	shelf, ok := l.shelf()
	if !ok {
		return nil
	}
	if err := l.book.Share(shelf); err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	if _, err := l.take(ctx, shelf); err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	return nil
}

// take puts into force, one after the other, what others published: after the same proof as what is published here,
// and with an entry in the own ledger. It reports whether there was any.
func (l *Law) take(ctx context.Context, shelf lawbook.Shelf) (taken bool, err error) {
	for {
		p, approvals, ok, err := shelf.Next(l.book.Last().Number)
		if err != nil || !ok {
			return taken, err
		}
		if _, err := l.enact(ctx, p, approvals); err != nil {
			return taken, err
		}
		taken = true
	}
}

// Run takes what is published at other nodes of the store until ctx ends. Where it cannot tell, or not take it,
// this node refuses after a while: by a law that was replaced nobody may be let through.
func (l *Law) Run(ctx context.Context) error {
	shelf, ok := l.shelf()
	if !ok {
		return nil
	}
	tick := time.NewTicker(lawEvery)
	defer tick.Stop()
	read := l.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		switch err := l.follow(ctx, shelf); {
		case err == nil:
			if l.current.Resume() {
				l.cfg.Log.InfoContext(ctx, "the law can be read again")
			}
			read = l.cfg.Now()
		case ctx.Err() != nil:
		case l.cfg.Now().Sub(read) >= lawUnread || errors.Is(err, lawbook.ErrStale) || errors.Is(err, lawbook.ErrApproval):
			if l.current.Suspend() {
				l.cfg.Log.ErrorContext(ctx, "no law is in force: what other nodes of the store published cannot be told, or is not lawful here",
					slog.String("cause", err.Error()))
			}
		}
	}
}

func (l *Law) follow(ctx context.Context, shelf lawbook.Shelf) error {
	return l.cfg.Announce(func() (bool, error) {
		missing, err := l.book.Restore(shelf)
		if err != nil {
			return false, err
		}
		if missing > 0 {
			l.cfg.Log.ErrorContext(ctx, "publications of the law were taken away from the shared store, and are put back", slog.Int("number", missing))
		}
		taken, err := l.take(ctx, shelf)
		if taken {
			last := l.book.Last()
			l.cfg.Log.InfoContext(ctx, "law taken over from another node of the store", slog.Uint64("number", last.Number), slog.String("version", last.Version))
		}
		return taken, err
	})
}
