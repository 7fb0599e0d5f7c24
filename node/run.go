package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/internal/throng"
)

// favour keeps room for members' connections, so that strangers cannot take it.
func (n *Node) favour() {
	members := make(map[transport.PeerID][]string)
	for _, m := range n.Members() {
		if string(m.EntityID) != n.cfg.EntityID {
			for _, id := range m.IDs() {
				members[transport.PeerID(id)] = m.Addresses
			}
		}
	}
	n.line.Favour(members)
}

// Run serves until ctx ends. handler is the API; it is given the API listener.
func (n *Node) Run(ctx context.Context, handler http.Handler) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.refreshing(ctx) })
	g.Go(func() error { return n.directory.Run(ctx) })
	g.Go(func() error { return n.rotation.Run(ctx) })
	g.Go(func() error { return n.addresses.Run(ctx) })
	g.Go(func() error { return n.rotation.Renewing(ctx) })
	g.Go(func() error { return n.keeping(ctx) })
	g.Go(func() error { return n.law.Run(ctx) })
	g.Go(func() error { return n.checks.Run(ctx) })
	g.Go(func() error {
		return n.heads.Run(ctx, func(err error) {
			n.log.WarnContext(ctx, "checkpoints of peers not kept", slog.String("cause", err.Error()))
		})
	})
	g.Go(func() error {
		return n.alarms.Run(ctx, func(err error) {
			n.log.WarnContext(ctx, "alarms not kept: this log and the ledger alone have them", slog.String("cause", err.Error()))
		})
	})
	g.Go(func() error { return serve(ctx, n.api, handler, apiIdle) })
	if n.public != nil {
		g.Go(func() error {
			return serve(ctx, n.public, n.entity.Handler(), throng.Idle)
		})
	}
	if n.scrape != nil {
		g.Go(func() error { return serve(ctx, n.scrape, n.Metrics(), apiIdle) })
	}
	err := g.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// refreshing keeps membership current, and has members asked for this node's checkpoints then.
func (n *Node) refreshing(ctx context.Context) error {
	asked, err := n.begin(ctx)
	if err != nil {
		return err
	}
	over := sync.OnceFunc(func() { close(n.beginning.asked) })
	if asked {
		over()
	}
	refreshed := make(chan struct{}, 1)
	g, ctx := errgroup.WithContext(ctx)
	// Members that let this node wait delay no refresh.
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-refreshed:
			}
			if _, err := n.compareHeads(ctx); err != nil {
				return err
			}
			over()
			n.mindConsents(ctx)
		}
	})
	g.Go(func() error {
		for {
			if err := n.Refresh(ctx); err != nil && ctx.Err() == nil {
				n.log.WarnContext(ctx, "membership not refreshed", slog.String("cause", err.Error()))
			}
			select {
			case refreshed <- struct{}{}:
			default: // it is due already
			}
			n.attention.Set(ctx, attention.LedgerContradicted, n.witness.Standing(), nil)
			next := time.NewTimer(varied(n.cfg.Trust.Refresh))
			select {
			case <-ctx.Done():
			case <-next.C:
			case <-n.directory.Wake():
			}
			next.Stop()
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	})
	return g.Wait()
}

// varied is the interval give or take a tenth, so that nodes started together do not ask
// their superiors at the same moment for good.
func varied(every time.Duration) time.Duration {
	tenth := every / 10
	return every - tenth + rand.N(2*tenth+1)
}

// apiIdle is how long a connection of this machine waits for its next request.
const apiIdle = 2 * time.Minute

// serve runs an HTTP server with limits until ctx ends. A connection may be idle for so long.
func serve(ctx context.Context, l net.Listener, h http.Handler, idle time.Duration) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       idle,
		MaxHeaderBytes:    16 << 10,
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		quit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(quit)
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	<-done // handlers use the stores, which the caller closes next
	return nil
}
