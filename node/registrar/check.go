package registrar

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/fsck"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/stores"
)

// Check reads everything that the gallery of a node that is not running holds, also when the
// damage keeps it from being started.
func Check(ctx context.Context, configFile string, roots keystore.Roots, progress fsck.Progress) (fsck.Report, error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return fsck.Report{}, err
	}
	k, err := keystore.Open(filepath.Dir(configFile), roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return fsck.Report{}, err
	}
	defer k.Wipe()
	if err := keystore.NeedPseudonyms(cfg, k); err != nil {
		return fsck.Report{}, fmt.Errorf("checking gallery: %w", err)
	}
	if cfg.Store.Engine == config.EngineBadger {
		return gallery.Fsck(ctx, stores.GalleryConfig(cfg, k), progress)
	}
	g, err := stores.OpenGallery(ctx, cfg, k)
	if err != nil {
		return fsck.Report{}, err
	}
	defer g.Close() // nothing was changed
	return g.Fsck(ctx, progress)
}
