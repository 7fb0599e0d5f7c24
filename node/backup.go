package node

import (
	"context"
	"fmt"
	"io"

	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/lawbook/inforce"
	"github.com/tamga-id/tamga/node/registrar"
)

// Backup writes a backup of the running node: see [folder.Source.BackUp].
func (n *Node) Backup(ctx context.Context, w io.Writer, recipients []string, progress func(part string, records uint64)) (backup.Manifest, error) {
	// A key that is destroyed meanwhile would be missing from it.
	if err := n.reading.Enter(ctx); err != nil {
		return backup.Manifest{}, fmt.Errorf("creating backup: %w", err)
	}
	defer n.reading.Leave()
	return n.source().BackUp(ctx, w, recipients, progress)
}

// Escrow makes a key escrow of the node: see [folder.Source.Escrow].
func (n *Node) Escrow(ctx context.Context, recipients []string) ([]byte, backup.Manifest, error) {
	return n.source().Escrow(ctx, recipients)
}

// source is with the keys that the node has now.
func (n *Node) source() folder.Source {
	return folder.Source{Config: n.cfg, Dir: n.dir, Keys: n.rotation.Set(), Gallery: n.gallery, Ledger: n.ledger, Law: lawOf(n.cfg), Now: n.now}
}

// SourceOf is what a backup of a node that is not running is made of.
func SourceOf(r *registrar.Registrar) folder.Source {
	return folder.Source{Config: r.Config, Dir: r.Dir, Keys: r.Keys, Gallery: r.Gallery, Ledger: r.Ledger, Law: lawOf(r.Config), Now: r.Now}
}

// lawOf reads the text in force.
func lawOf(cfg config.Config) func() ([]byte, error) {
	return func() ([]byte, error) {
		book, err := inforce.OpenBook(cfg)
		if err != nil {
			return nil, err
		}
		return book.Last().Text, nil
	}
}
