package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/rotation"
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
	n.meet(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-watch.C:
			full, refused = n.watch(ctx, full), n.tellRefused(ctx, refused)
		case <-meet.C:
			n.meet(ctx)
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

// meet tells the nodes that share the gallery's store of this one, and has this one's
// keystore follow theirs: what was prepared here and is current there becomes current
// here, and what they have destroyed is retired here.
func (n *Node) meet(ctx context.Context) {
	others, err := n.gallery.Replicas(time.Now())
	if err == nil {
		n.others.Store(&others)
		err = n.follow(others)
	}
	if err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "not in step with the other nodes of the store", slog.String("cause", err.Error()))
	}
}

// Replicas are the other nodes of the gallery's store, as last seen.
func (n *Node) Replicas() []presence.Other {
	if others := n.others.Load(); others != nil {
		return *others
	}
	return nil
}

func (n *Node) follow(others []presence.Other) error {
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		mine := n.family(f)
		var oldest, current uint32
		for _, o := range others {
			theirs := o.Keys[string(f)]
			oldest, current = max(oldest, theirs.Oldest), max(current, theirs.Current)
		}
		activate := current > mine.Current && current == mine.Newest
		retire := oldest > max(mine.Oldest, mine.Keep) && oldest <= mine.Current
		if !activate && !retire {
			continue
		}
		if err := n.followKey(f, activate, oldest); err != nil {
			return err
		}
	}
	return nil
}

// followKey activates the prepared generation of a key, or has those before oldest retired.
func (n *Node) followKey(f keys.Family, activate bool, oldest uint32) error {
	roots, err := n.currentRoots()
	if err != nil {
		return err
	}
	defer roots.Wipe()
	if activate {
		_, err = rotation.ActivateKey(n.dir, roots, f, n.now())
	} else {
		err = roots.Update(n.dir, f, func(secrets map[string][]byte) error {
			_, err := keys.Mark(secrets, f, oldest)
			return err
		})
	}
	if err == nil {
		n.retirements.rouse()
	}
	return err
}
