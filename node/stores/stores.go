// Package stores opens what a node keeps: its gallery, in the store that the configuration
// names, and its ledger. Nothing that was made once is ever begun anew: see [Open].
package stores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
)

// Hold holds the gallery as long as the keys are moved, so that no node runs with them.
func Hold(ctx context.Context, cfg config.Config, k keystore.Set) (release func(), err error) {
	if k.Pseudonyms == nil || cfg.Store.Engine != config.EngineBadger {
		return func() {}, nil
	}
	g, err := OpenGallery(ctx, cfg, k)
	if err != nil {
		return nil, err
	}
	return func() { _ = g.Close() }, nil // nothing was changed
}

// errStoreMissing refuses to begin anew what Init made once: a deleted ledger would
// start over at entry 0, a deleted gallery would know nobody, and both would look sound.
var errStoreMissing = errors.New("gallery or ledger is missing from the data folder; put it back from where it went, or make a new node")

// Open opens gallery and ledger of a node: [gallery.ErrDamaged] when one is missing, since
// Make would begin it anew.
func Open(ctx context.Context, cfg config.Config, k keystore.Set, now func() time.Time) (*gallery.Gallery, *ledger.Log, error) {
	for _, dir := range []string{GalleryDir(cfg), ledgers.Dir(cfg)} {
		if _, err := os.Stat(dir); err != nil {
			return nil, nil, fmt.Errorf("opening node: %w: %w", gallery.ErrDamaged, errStoreMissing)
		}
	}
	return Make(ctx, cfg, k, now)
}

// GalleryDir is the folder of the gallery.
func GalleryDir(cfg config.Config) string { return filepath.Join(cfg.DataDir, "gallery") }

// GalleryConfig is the configuration of the gallery in the folder, with Badger.
func GalleryConfig(cfg config.Config, k keystore.Set) gallery.Config {
	return gallery.Config{Dir: GalleryDir(cfg), Node: cfg.EntityID, Root: k.Gallery, Ring: k.Ring, Pseudonyms: k.Pseudonyms,
		Protection: k.Faces, Outside: cfg.Recovery.CheckpointFile, Identifiers: cfg.Gallery.KeepIdentifiers}
}

// OpenGallery opens the gallery in the store that is configured, with keys that are no
// older than those it was opened with before: [keystore.ErrOlder].
func OpenGallery(ctx context.Context, cfg config.Config, k keystore.Set) (*gallery.Gallery, error) {
	if err := keystore.NeedPseudonyms(cfg, k); err != nil {
		return nil, fmt.Errorf("opening gallery: %w", err)
	}
	if err := k.Note(cfg); err != nil {
		return nil, fmt.Errorf("opening gallery: %w", err)
	}
	c := GalleryConfig(cfg, k)
	c.Store = func(string) (store.Store, error) { return OpenStore(ctx, cfg) }
	return gallery.Open(c)
}

// Make opens the stores, and makes them where there are none.
func Make(ctx context.Context, cfg config.Config, k keystore.Set, now func() time.Time) (*gallery.Gallery, *ledger.Log, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("opening node: %w", err)
	}
	// The ledger first: where everything was put back, it says so, and the way out.
	l, err := ledger.Open(ctx, ledger.Config{Dir: ledgers.Dir(cfg), Outside: cfg.Recovery.CheckpointFile, Signer: k.Ledger, Now: now})
	if err != nil {
		return nil, nil, err
	}
	g, err := OpenGallery(ctx, cfg, k)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return g, l, nil
}

// Close closes both, either of which may be nil.
func Close(g *gallery.Gallery, l *ledger.Log) error {
	var errs []error
	if l != nil {
		errs = append(errs, l.Close())
	}
	if g != nil {
		errs = append(errs, g.Close())
	}
	return errors.Join(errs...)
}
