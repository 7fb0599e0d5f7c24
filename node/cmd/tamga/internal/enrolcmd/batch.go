package enrolcmd

import (
	"cmp"
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
	"github.com/tamga-id/tamga/node/enrol"
)

func enrolBatches(a *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "batches",
		Short: "List the imports that added something",
		Long: `Lists every import of this machine that added something, newest first: its batch, when it
was, and what it did. One that is "running" and is not was cut off: the same import
goes on with it. The ledger's entries name the batch too.`,
		Example: `  tamga enrol batches --dir kaz -o json`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return listBatches(a, dir) },
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	return c
}

// undoRisk is what --accept-risk must name.
const undoRisk = "remove-enrolments"

type undoFlags struct {
	node nodeclient.Flags
	from rootkey.Flags
	risk string
}

func enrolUndo(a *cli.App) *cobra.Command {
	var u undoFlags
	c := &cobra.Command{
		Use:   "undo BATCH",
		Short: "Take an import back",
		Long: `Removes everything that one import added: templates, findings and holder keys. A person
of whom nothing is left is erased, as by ` + "`tamga subject erase`" + `: no older copy or backup brings
them back, a new import does. What other imports brought stays; of those people an older
copy or backup has what was removed. The ledger says that it was done. Cut off, run it again: it does the rest.

When the node is running this goes through its API, otherwise it opens the gallery
itself and needs the passphrase. Name the risk with --accept-risk=` + undoRisk + `.`,
		Example: `  tamga enrol batches --dir kaz
  tamga enrol undo --dir kaz --accept-risk=` + undoRisk + ` mzxw6ytboi4dqmrt`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return undoBatch(c.Context(), a, u, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&u.node.Dir, "dir", "", "the node's folder (required)")
	u.from.AddBoth(f, ", when the node is not running")
	f.StringVar(&u.risk, "accept-risk", "", "must be "+undoRisk)
	return c
}

// undone is the command's JSON result.
type undone struct {
	Batch    string `json:"batch"`
	Subjects int    `json:"subjects"`
	Reduced  int    `json:"reduced"`
	Records  int    `json:"records"`
}

func undoBatch(ctx context.Context, a *cli.App, u undoFlags, id string) error {
	if u.node.Dir == "" {
		return fault.Usage("--dir is needed: the folder that `tamga init` made")
	}
	cfg, err := config.Load(filepath.Join(u.node.Dir, node.ConfigFile))
	if err != nil {
		return err
	}
	b, err := enrol.LoadBatch(batchDir(cfg), id)
	if err != nil {
		return err
	}
	if u.risk != undoRisk {
		return fault.Usage("this removes what batch %s added, %d people created and %d updated, for good: --accept-risk=%s says that you mean it",
			b.ID, b.Totals.Created, b.Totals.Updated, undoRisk)
	}
	r := undone{Batch: b.ID}
	if err := undo(ctx, a, u, &r); err != nil {
		f := *fault.Classify(err)
		f.Err, f.Hint = err, cmp.Or(f.Hint, "run the same command again: it does the rest")
		return &f
	}
	b.State = enrol.Undone
	if err := enrol.SaveBatch(batchDir(cfg), b); err != nil {
		return err
	}
	return a.Emit(r, [][2]string{{"batch", r.Batch}, {"no longer enrolled", fmt.Sprint(r.Subjects)},
		{"reduced", fmt.Sprint(r.Reduced)}, {"records removed", fmt.Sprint(r.Records)}})
}

// undo asks the running node, or its gallery when it is not running.
func undo(ctx context.Context, a *cli.App, u undoFlags, r *undone) error {
	cl, err := u.node.Running(ctx)
	if err != nil {
		return err
	}
	if cl != nil {
		cl.HTTP.Timeout = undoTimeout
		body, err := json.Marshal(map[string]string{"batch": r.Batch})
		if err != nil {
			return fmt.Errorf("encoding request: %w", err)
		}
		return cl.Call(ctx, http.MethodPost, "/v1/enrolments/undo", "application/json", body, r)
	}
	g, err := rootkey.OpenRegistrar(ctx, a, u.node.Dir, u.from)
	if err != nil {
		return err
	}
	done, err := g.Undo(ctx, r.Batch)
	r.Subjects, r.Reduced, r.Records = done.Subjects, done.Reduced, done.Records
	return errors.Join(err, g.Close())
}

// undoTimeout is the node's own: it looks at every subject.
const undoTimeout = 15 * time.Minute

func listBatches(a *cli.App, dir string) error {
	if dir == "" {
		return fault.Usage("--dir is needed: the folder that `tamga init` made")
	}
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return err
	}
	all, err := enrol.Batches(batchDir(cfg))
	if err != nil {
		return err
	}
	var rows [][2]string
	for _, b := range all {
		rows = append(rows, [2]string{b.ID, fmt.Sprintf("%s  %s  %s  %d created, %d updated, %d failed",
			b.Started.Format(time.RFC3339), b.State, b.Source, b.Totals.Created, b.Totals.Updated, b.Totals.Failed)})
	}
	return a.Emit(all, rows)
}
