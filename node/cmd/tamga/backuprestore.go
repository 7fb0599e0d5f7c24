package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/node"
)

func (a *app) backupRestore() *cobra.Command {
	var f readFlags
	var dir, erasures string
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a node's folder out of a backup",
		Long: `Checks the whole file first, then makes the folder, which must not exist, and recomputes its
ledger. What the node did after the backup is missing from it, so it comes up in recovery:
tamga run serves nothing until two operators have accepted what is missing. Who was erased
after the backup is in data/gallery-erasures of the lost folder, or in any later copy of
that file: with --erasures they are erased again before anybody is served.`,
		Example: `  tamga backup restore kaz.backup --identity-file identity.txt --dir kaz-restored
  tamga backup restore kaz.backup --identity-file identity.txt --dir kaz-restored --erasures kaz/data/gallery-erasures
  tamga recovery status --dir kaz-restored --checkpoint from-a-peer.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.restoreBackup(c.Context(), args[0], dir, erasures, f)
		},
	}
	f.add(c)
	c.Flags().StringVar(&dir, "dir", "", "folder to make (required)")
	c.Flags().StringVar(&erasures, "erasures", "", "later copy of data/gallery-erasures than the backup holds")
	return c
}

func (a *app) restoreBackup(ctx context.Context, file, dir, erasures string, f readFlags) error {
	if dir == "" {
		return usage("--dir is needed: the folder to make")
	}
	c, err := a.checkBackup(ctx, file, f)
	if err != nil {
		return err
	}
	claim, err := node.Restore(ctx, c, dir, erasures, a.partly("restoring"))
	if err != nil {
		return err
	}
	a.say("hint: tamga recovery status --dir %s", dir)
	result := newBackedUp(file, c.Manifest)
	result.Ledger.By, result.Gallery = "recomputed", "restored"
	return a.emit(result, append(backupRows(file, c.Manifest), [2]string{"folder", dir}, [2]string{"state", "in recovery: " + claim.Why}))
}
