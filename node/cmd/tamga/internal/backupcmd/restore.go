package backupcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// restoreRisk is what --accept-risk must name when there is no list of erasures.
const restoreRisk = "erased-return"

func backupRestore(a *cli.App) *cobra.Command {
	var f readFlags
	var dir, erasures, risk string
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a node's folder out of a backup and its key escrow",
		Long: `Checks both files whole first, then makes the folder, which must not exist, and recomputes its
ledger. What the node did after the backup is missing from it, so it comes up in recovery:
tamga run serves nothing until two operators have accepted what is missing.

--keys is the node's latest key escrow, however old the backup is: an earlier one may hold
what the backup needs, too, but not the protectors and keys of today. A backup that needs
keys which were destroyed since is refused with exit code 5, and their names. Of its
configuration backup.escrow_file is left out: set it anew.

Who was erased after the backup is still in it. --erasures takes a later list of erasures,
and they are erased again before anybody is served: the node keeps it in the file beside
its checkpoint file (recovery.checkpoint_file, with "-erasures" behind its name), and in
data/gallery-erasures of the lost folder. When there is none any more, name the risk with
--accept-risk=` + restoreRisk + `.`,
		Example: `  tamga backup restore kaz.tamga-backup --keys kaz.tamga-escrow --identity-file identity.txt --dir kaz-restored --erasures kaz.example.checkpoint-erasures
  tamga backup restore kaz.tamga-backup --keys kaz.tamga-escrow --identity-file identity.txt --dir kaz-restored --accept-risk=` + restoreRisk + `
  tamga recovery status --dir kaz-restored --checkpoint from-a-peer.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if erasures == "" && risk != restoreRisk {
				return fault.Usage("who was erased after the backup would be served again: give the latest list with --erasures, or --accept-risk=%s when it is lost", restoreRisk)
			}
			return restoreBackup(c.Context(), a, args[0], dir, erasures, f)
		},
	}
	f.add(c)
	c.Flags().StringVar(&dir, "dir", "", "folder to make (required)")
	c.Flags().StringVar(&erasures, "erasures", "", "the latest list of erasures")
	c.Flags().StringVar(&risk, "accept-risk", "", "must be "+restoreRisk+" without --erasures")
	return c
}

func restoreBackup(ctx context.Context, a *cli.App, file, dir, erasures string, f readFlags) error {
	if dir == "" || f.keys == "" {
		return fault.Usage("--dir and --keys are needed: the folder to make, and the key escrow, without which a backup does not open")
	}
	c, err := checkBackup(ctx, a, file, f)
	if err != nil {
		return err
	}
	claim, err := folder.Restore(ctx, c.Checked, c.escrow, dir, erasures, partly(a, "restoring"))
	if err != nil {
		return err
	}
	a.Say("hint: tamga recovery status --dir %s", dir)
	result := newBackedUp(file, c.Manifest)
	result.Ledger.By, result.Gallery = "recomputed", "restored"
	return a.Emit(result, append(backupRows(file, c.Manifest), [2]string{"folder", dir}, [2]string{"state", "in recovery: " + claim.Why}))
}
