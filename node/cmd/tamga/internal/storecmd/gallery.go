// Package storecmd is `tamga gallery` and `tamga ledger`: what a node keeps is checked and moved.
package storecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
)

// Gallery is `tamga gallery`.
func Gallery(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "gallery",
		Short: "Check the gallery, or copy it into another store",
		Long:  `What concerns the gallery as a whole: the store that keeps its rows.`,
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  tamga gallery fsck --dir kaz
  tamga gallery copy --dir kaz --to postgres --dsn-file store.dsn`,
	}
	c.AddCommand(galleryFsck(a), galleryCopy(a))
	return c
}

type copyFlags struct {
	node        nodeclient.Flags
	from        rootkey.Flags
	to, dsnFile string
}

func galleryCopy(a *cli.App) *cobra.Command {
	var f copyFlags
	c := &cobra.Command{
		Use:   "copy",
		Short: "Copy the gallery into PostgreSQL, or back into the folder",
		Long: `Makes another store hold what the gallery holds: a PostgreSQL database, or Badger in the
node's data folder. What lies there is the same ciphertext. The node may run, and enrol
people meanwhile; what is there already is compared and not written again, so that a copy
that was cut off is completed by the same command, and one that is old is brought up.
Before it says so, every row was read back. Only an empty store, or one with an earlier
copy of this gallery, is written to.

To move: copy while the node runs; stop it and copy again, which takes what has changed;
set store in tamga.yaml; start it. A store that lacks what the gallery has acknowledged is
refused at start. Destroy the store of before: who was erased after the move is still in it.

A running node is asked through its API, with the operator's token of its folder; one that
is stopped needs the passphrase. It leaves an entry in the ledger.`,
		Example: `  tamga gallery copy --dir kaz --to postgres --dsn-file store.dsn
  tamga gallery copy --dir kaz --to badger --passphrase-file pass.txt -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return copyGallery(c.Context(), a, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.node.Dir, "dir", "", "the node's folder (required)")
	fl.StringVar(&f.to, "to", "", "store to copy into: postgres, or badger in the node's data folder (required)")
	fl.StringVar(&f.dsnFile, "dsn-file", "", "file with the connection string of the database (required with --to postgres)")
	f.from.AddBoth(fl, ", when the node is not running")
	return c
}

// copied is the command's JSON result.
type copied struct {
	Subjects uint64 `json:"subjects"`
	Rows     uint64 `json:"rows"`
	Written  uint64 `json:"written"`
	Removed  uint64 `json:"removed"`
}

func copyGallery(ctx context.Context, a *cli.App, f copyFlags) error {
	to := config.Store{Engine: f.to}
	switch {
	case f.node.Dir == "":
		return fault.Usage("--dir is needed: the folder that `tamga init` made")
	case f.to != config.EngineBadger && f.to != config.EnginePostgres:
		return fault.Usage("--to takes badger or postgres")
	case (f.to == config.EnginePostgres) != (f.dsnFile != ""):
		return fault.Usage("--to postgres and --dsn-file go together")
	case f.dsnFile != "":
		var err error
		if to.DSNFile, err = filepath.Abs(f.dsnFile); err != nil {
			return err
		}
	}
	r, running, err := copyTo(ctx, a, f, to)
	if err != nil {
		return err
	}
	if running {
		a.Say("hint: to move, stop the node and run this once more before setting store.engine to %s in %s", to.Engine, node.ConfigFile)
	} else {
		a.Say("hint: set store.engine to %s in %s to use the copy, and destroy the store of before", to.Engine, node.ConfigFile)
	}
	return a.Emit(r, [][2]string{{"subjects", fmt.Sprint(r.Subjects)}, {"rows", fmt.Sprint(r.Rows)},
		{"written", fmt.Sprint(r.Written)}, {"removed", fmt.Sprint(r.Removed)}, {"read back", "yes"}})
}

// copyTimeout is the node's own.
const copyTimeout = 12 * time.Hour

// copyTo asks the running node, or copies the gallery of one that is not running.
func copyTo(ctx context.Context, a *cli.App, f copyFlags, to config.Store) (r copied, running bool, err error) {
	f.node.Operator = true
	cl, err := f.node.Running(ctx)
	if err != nil {
		return r, false, err
	}
	if cl != nil {
		cl.HTTP.Timeout = copyTimeout
		ask := map[string]string{"engine": to.Engine}
		if to.DSNFile != "" {
			ask["dsn_file"] = to.DSNFile
		}
		body, err := json.Marshal(ask)
		if err != nil {
			return r, true, errors.New("encoding request")
		}
		return r, true, cl.Call(ctx, http.MethodPost, "/v1/gallery/copy", "application/json", body, &r)
	}
	g, err := rootkey.OpenRegistrar(ctx, a, f.node.Dir, f.from)
	if err != nil {
		return r, false, err
	}
	var done snapshot.Copied
	done, err = g.Copy(ctx, to, func(rows uint64) {
		if cli.Terminal(a.Err) {
			fmt.Fprintf(a.Err, "\rcopied: %d rows", rows)
		}
	})
	return copied(done), false, errors.Join(err, g.Close())
}
