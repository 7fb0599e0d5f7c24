package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/metrics"
	"github.com/tamga-id/tamga/node/unseal"
)

// ServeSealed serves health checks and takes custodians' shares, at the address of
// the API, until the root key is open; the caller wipes it. Nothing else of the node
// runs.
func ServeSealed(ctx context.Context, cfg config.Config, s *unseal.Sealed, log *slog.Logger) (_ custody.Root, err error) {
	l, err := net.Listen("tcp", cfg.Listen.API)
	if err != nil {
		return custody.Root{}, fmt.Errorf("opening API listener: %w", err)
	}
	if err := os.WriteFile(AddressFile(cfg), []byte(l.Addr().String()+"\n"), 0o600); err != nil {
		return custody.Root{}, errors.Join(fmt.Errorf("opening API listener: %w", err), l.Close())
	}
	defer func() { err = errors.Join(err, os.Remove(AddressFile(cfg))) }()
	var scrape net.Listener
	if cfg.Listen.Metrics != "" {
		if scrape, err = net.Listen("tcp", cfg.Listen.Metrics); err != nil {
			return custody.Root{}, errors.Join(fmt.Errorf("opening metrics listener: %w", err), l.Close())
		}
	}
	log.InfoContext(ctx, "sealed", slog.Int("missing", s.Progress().Missing))
	serving, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error {
		defer stop()
		return serve(serving, l, s.Handler(), apiIdle)
	})
	if scrape != nil {
		g.Go(func() error {
			defer stop()
			return serve(serving, scrape, metrics.Sealed(), apiIdle)
		})
	}
	root, err := s.Wait(serving)
	stop()
	if served := g.Wait(); served != nil {
		root.Wipe()
		return custody.Root{}, served
	}
	if err != nil {
		return custody.Root{}, err
	}
	log.InfoContext(ctx, "unsealed")
	return root, nil
}
