package node

import (
	"context"
	"path/filepath"

	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/stores"
)

// OpenGallery opens the gallery of a folder, whatever its ledger says.
func OpenGallery(dir string, roots keystore.Roots) (*gallery.Gallery, error) {
	cfg, err := config.Load(filepath.Join(dir, ConfigFile))
	if err != nil {
		return nil, err
	}
	k, err := keystore.Open(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return nil, err
	}
	return gallery.Open(stores.GalleryConfig(cfg, k))
}

// Gallery is the node's.
func (n *Node) Gallery() *gallery.Gallery { return n.gallery }

// Turn does once what Run does about keys whenever it looks.
func (n *Node) Turn(ctx context.Context) error {
	_, err := n.rotation.Turn(ctx)
	return err
}

// Meet tells the other nodes of the store of this one, and follows them.
func (n *Node) Meet(ctx context.Context) { n.rotation.Meet(ctx) }

// TrustClient is how Trust Anchors are asked over HTTP.
var TrustClient = trustClient

// Beginning is of a node that has just started.
type Beginning struct{ b beginning }

const Patience = patience

var ErrBehind = errBehind

func NewBeginning() Beginning                      { return Beginning{newBeginning()} }
func (b Beginning) Over(ctx context.Context) error { return b.b.over(ctx) }
func (b Beginning) Asked()                         { close(b.b.asked) }
func (b Beginning) Behind()                        { close(b.b.behind) }
