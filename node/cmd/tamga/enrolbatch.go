package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/enrol"
)

func (a *app) enrolBatches() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "batches",
		Short: "List the imports that added something",
		Long: `Lists every import of this machine that added something, newest first: its batch, when it
was, and what it did. One that is "running" and is not was cut off: the same import
goes on with it. The ledger's entries name the batch too.`,
		Example: `  tamga enrol batches --dir kaz -o json`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.listBatches(dir) },
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	return c
}

func (a *app) listBatches(dir string) error {
	if dir == "" {
		return usage("--dir is needed: the folder that `tamga init` made")
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
	return a.emit(all, rows)
}
