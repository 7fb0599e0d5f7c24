package rootkey

import (
	"context"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/registrar"
)

// KeepEscrow has the key escrow of the configuration follow a change of the keys, or of
// what opens them. A running node does so, too, and goes on trying.
func KeepEscrow(a *cli.App, dir string, root custody.Root) {
	file, err := folder.RefreshEscrow(dir, root, time.Now())
	if file != "" {
		a.Say("the key escrow was written anew: %s", file)
	}
	if err != nil {
		a.Say("warning: the key escrow was not written anew, and may hold keys that were destroyed: %v", err)
	}
}

// OpenRegistrar opens the gallery of a node that is not running. The caller closes it.
func OpenRegistrar(ctx context.Context, a *cli.App, dir string, from Flags) (*registrar.Registrar, error) {
	roots, err := OpenRoots(a, dir, from)
	if err != nil {
		return nil, err
	}
	defer roots.Wipe()
	return registrar.OpenUnsealed(ctx, filepath.Join(dir, node.ConfigFile), roots)
}
