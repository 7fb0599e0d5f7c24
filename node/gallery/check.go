package gallery

import (
	"context"
	"fmt"

	"github.com/tamga-id/tamga/node/gallery/fsck"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// surveyor is a store that can read its own files.
type surveyor interface {
	Survey(ctx context.Context, progress func(done, total int64)) ([]store.Fault, error)
}

// Fsck reads everything that the open gallery holds, as of one moment, while look-ups and
// changes go on: every file that is not being written, every keyring and every record.
// Damage is no error.
func (g *Gallery) Fsck(ctx context.Context, progress fsck.Progress) (fsck.Report, error) {
	var r fsck.Report
	known := g.set.Line.Commits() // acknowledged before it began
	err := g.set.Line.View(func(txn store.Reader) (err error) {
		if s, ok := g.set.Line.Store().(surveyor); ok {
			if r.Faults, err = s.Survey(ctx, progress.Bytes()); err != nil {
				return err
			}
		}
		return g.checker().Rows(ctx, txn, &r, tally.Tally{Commit: known}, progress)
	})
	if err == nil {
		err = r.Erasures(g.set.Line.CheckErasures(ctx, r.Carried.Erasures, r.Carried.Last))
	}
	if err != nil {
		return r, fmt.Errorf("checking gallery: %w", err)
	}
	return r, nil
}

// Fsck does with a gallery in Badger that is not open, and that [Open] may refuse, what
// [Gallery.Fsck] does with an open one. It changes nothing.
func Fsck(ctx context.Context, cfg Config, progress fsck.Progress) (r fsck.Report, err error) {
	if err = cfg.check(); err == nil {
		_, outside := OutsideFiles(cfg.Outside)
		r, err = newGallery(cfg).checker().Folder(ctx, cfg.Dir, outside, cfg.Root, progress)
	}
	if err != nil {
		return r, fmt.Errorf("checking gallery: %w", err)
	}
	return r, nil
}

func (g *Gallery) checker() fsck.Checker {
	return fsck.Checker{Tallies: g.set.Tallies, Vault: g.set.Vault, Index: g.index, Load: g.set.Load, Holds: g.holds, Keys: g.set.AcceptsOwn}
}
