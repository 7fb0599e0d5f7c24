package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/presence"
)

const (
	// watchEvery is how soon an operator's log says that the disk is full, or is not any
	// more. Changes are refused at once, whatever the log says.
	watchEvery = 15 * time.Second
	// collectEvery is how often disk space is given back that only what is gone takes. A
	// log is rewritten when half of it is gone, so that a day of erasures costs little.
	collectEvery = time.Hour
)

// keeping looks after the gallery's store while the node runs.
func (n *Node) keeping(ctx context.Context) error {
	watch, collect := time.NewTicker(watchEvery), time.NewTicker(collectEvery)
	defer watch.Stop()
	defer collect.Stop()
	full, refused := n.watch(ctx, false), map[string]uint64{}
	meet := time.NewTicker(presence.Every)
	defer meet.Stop()
	n.rotation.Meet(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-watch.C:
			full, refused = n.watch(ctx, full), n.tellRefused(ctx, refused)
		case <-meet.C:
			n.rotation.Meet(ctx)
		case <-collect.C:
			n.forgetConsents(ctx)
			if err := n.countDecoys(ctx); err != nil && ctx.Err() == nil {
				n.log.WarnContext(ctx, "canaries not compared", slog.String("cause", err.Error()))
			}
			n.forgetCounts(ctx)
			n.forgetHandles(ctx)
			n.collect(ctx)
		}
	}
}

// watch says when the disk became full, or stopped to be, and reports whether it is.
func (n *Node) watch(ctx context.Context, was bool) (full bool) {
	err := n.gallery.Ready()
	full = errors.Is(err, gallery.ErrFull)
	switch {
	case full && !was:
		n.log.ErrorContext(ctx, "disk full: nothing is enrolled or erased", slog.String("cause", err.Error()))
	case was && !full:
		n.log.InfoContext(ctx, "disk has room again: changes are taken")
	}
	return full
}

func (n *Node) collect(ctx context.Context) {
	files, err := n.gallery.Collect(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		n.log.WarnContext(ctx, "disk space not given back", slog.Int("files", files), slog.String("cause", err.Error()))
	case files > 0:
		n.log.InfoContext(ctx, "disk space given back", slog.Int("files", files))
	}
}
