// Package recoverycmd is `tamga recovery`: a node goes on after entries of its ledger were lost.
package recoverycmd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/operatorkey"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/recovery"
)

// Command is `tamga recovery`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "recovery",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Go on after entries of the ledger were lost",
		Long: `A node that was restored from a backup, or whose data folder was put back to an earlier
state, serves nothing: what it would write into its ledger could contradict what it signed
before. Say which checkpoint is the newest (status), let two operators sign that the
entries missing until then are given up (accept), and begin another ledger with that as
its first entry (finish). Operators are listed in tamga.yaml, under recovery.operators.`,
		Example: `  tamga recovery operator --dir aigul --passphrase-file aigul.txt
  tamga recovery status --dir kaz --checkpoint from-a-peer.txt
  tamga recovery accept kaz/data/recovery.json --operator aigul --passphrase-file aigul.txt --out aigul.jwt
  tamga recovery finish --dir kaz --passphrase-file pass.txt aigul.jwt bolat.jwt`,
	}
	c.AddCommand(recoveryOperator(a), recoveryStatus(a), recoveryAccept(a), recoveryFinish(a))
	return c
}

func recoveryOperator(a *cli.App) *cobra.Command {
	var dir, passphraseFile string
	c := &cobra.Command{
		Use:   "operator",
		Short: "Make an operator's key, on the operator's own machine",
		Long: `Makes a folder with the key under the passphrase, and operator.jwk.json, its public part: that
file is copied to the node and named in recovery.operators of its tamga.yaml.`,
		Example: `  tamga recovery operator --dir aigul --passphrase-file aigul.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return operatorkey.Make(a, dir, passphraseFile, "recovery.operators")
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "folder to make (required)")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the operator's key, - for standard input")
	return c
}

func recoveryStatus(a *cli.App) *cobra.Command {
	var dir, checkpoint string
	var ask bool
	var from rootkey.Flags
	c := &cobra.Command{
		Use:   "status",
		Short: "Find out which entries of the ledger are missing",
		Long: `Compares the ledger of a node that does not run with the newest checkpoint that is known:
the one kept outside its data folder, and that of --checkpoint: a signed note, what
"tamga verify -o json" printed at a peer, whose receipt holds one, or the checkpoint file
of the node that was lost. With --ask-peers the members that can be reached are
asked, too. Writes the claim that
operators sign to recovery.json in the data folder; from then on the node is in recovery.
When the checkpoint file was lost, and is found and put back, this command ends the recovery.`,
		Example: `  tamga recovery status --dir kaz
  tamga recovery status --dir kaz --ask-peers --passphrase-file pass.txt
  tamga recovery status --dir kaz --checkpoint from-a-peer.json -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return recoveryLearn(c.Context(), a, dir, checkpoint, ask, from)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	c.Flags().BoolVar(&ask, "ask-peers", false, "ask the other members what they have seen; needs the root key")
	from.Add(c.Flags(), " of the node's root key")
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "file with a checkpoint of the node's ledger that somebody else kept")
	return c
}

func recoveryLearn(ctx context.Context, a *cli.App, dir, file string, ask bool, from rootkey.Flags) error {
	if dir == "" {
		return fault.Usage("--dir is needed: the node's folder")
	}
	if ask {
		return askPeers(ctx, a, dir, file, from)
	}
	claim, err := folder.Learn(ctx, filepath.Join(dir, node.ConfigFile), file)
	if err != nil {
		return err
	}
	return showClaim(a, dir, claim)
}

// askPeers learns with the node's own keys, for which members admit it.
func askPeers(ctx context.Context, a *cli.App, dir, file string, from rootkey.Flags) error {
	root, err := recoveryRoot(ctx, a, dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	claim, err := node.LearnFromPeers(ctx, filepath.Join(dir, node.ConfigFile), file, root, warnings(a))
	if err != nil {
		return err
	}
	return showClaim(a, dir, claim)
}

func warnings(a *cli.App) *slog.Logger {
	return slog.New(slog.NewJSONHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// recoveryRoot opens the root key as `tamga run` does: with the passphrase, or with
// the custodians' shares.
func recoveryRoot(ctx context.Context, a *cli.App, dir string, from rootkey.Flags) (custody.Root, error) {
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return custody.Root{}, err
	}
	return rootkey.OpenToRun(ctx, a, dir, dir, from, cfg, warnings(a))
}

func showClaim(a *cli.App, dir string, c recovery.Claim) error {
	rows := [][2]string{{"entity", c.EntityID}, {"why", c.Why}, {"ledger at hand", fmt.Sprintf("%s, %d entries", c.Kept.Origin, c.Kept.Size)}}
	missing := "unknown: no newer checkpoint was shown yet"
	switch {
	case c.Checkpoint != "" && c.Missing() > 0:
		missing = fmt.Sprintf("entries %d to %d", c.Kept.Size, c.Newest.Size-1)
	case c.Checkpoint != "":
		missing = "none up to the newest known checkpoint"
	}
	if c.Checkpoint != "" {
		rows = append(rows, [2]string{"newest known", fmt.Sprintf("%s, %d entries", c.Newest.Origin, c.Newest.Size)})
		a.Say("hint: tamga recovery accept %s --operator FOLDER --out ACCEPTANCE, by two operators", filepath.Join(dir, "data", "recovery.json"))
	} else {
		a.Say("hint: tamga recovery status --dir %s --checkpoint FILE, with what a peer or an auditor kept", dir)
	}
	return a.Emit(struct {
		recovery.Claim
		Missing uint64 `json:"missing"`
	}{c, c.Missing()}, append(rows, [2]string{"missing", missing}))
}

func recoveryAccept(a *cli.App) *cobra.Command {
	var operator, passphraseFile, out string
	c := &cobra.Command{
		Use:   "accept CLAIM",
		Short: "Sign, as one operator, that missing entries are given up",
		Long: `Shows the claim and signs it with the operator's key. It takes no part of the node but the
claim, so each operator does this on a machine of his own.`,
		Example: `  tamga recovery accept kaz/data/recovery.json --operator aigul --passphrase-file aigul.txt --out aigul.jwt`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if operator == "" || out == "" {
				return fault.Usage("--operator and --out are needed: the operator's folder, and the file to write")
			}
			return acceptGap(a, args[0], operator, passphraseFile, out)
		},
	}
	c.Flags().StringVar(&operator, "operator", "", "the operator's folder (required)")
	c.Flags().StringVar(&out, "out", "", "file to write the acceptance to (required)")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the operator's key, - for standard input")
	return c
}

func acceptGap(a *cli.App, file, operator, passphraseFile, out string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading claim: %w", err)
	}
	claim, err := recovery.Parse(b)
	if err != nil {
		return err
	}
	key, err := operatorkey.Open(a, operator, passphraseFile)
	if err != nil {
		return err
	}
	token, err := recovery.Accept(b, key, time.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, []byte(token+"\n"), 0o644); err != nil {
		return fmt.Errorf("writing acceptance: %w", err)
	}
	return a.Emit(map[string]any{"acceptance": out, "entity_id": claim.EntityID, "missing": claim.Missing(), "key_id": key.Public().KeyID()},
		[][2]string{{"accepted", fmt.Sprintf("%d missing entries of %s", claim.Missing(), claim.Kept.Origin)}, {"by", key.Public().KeyID()}, {"acceptance", out}})
}

func recoveryFinish(a *cli.App) *cobra.Command {
	var dir string
	var from rootkey.Flags
	c := &cobra.Command{
		Use:   "finish ACCEPTANCE ACCEPTANCE",
		Short: "Begin another ledger, whose first entry is the accepted gap",
		Long: `Demands acceptances by two different operators of recovery.operators. The ledger at hand
stays as it is; the new one has an origin of its own, so nothing that was signed is
contradicted. Peers learn of it with the Entity Configuration.`,
		Example: `  tamga recovery finish --dir kaz --passphrase-file pass.txt aigul.jwt bolat.jwt`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return finishRecovery(c.Context(), a, dir, from, args)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.Add(c.Flags(), " of the node's root key")
	return c
}

func finishRecovery(ctx context.Context, a *cli.App, dir string, from rootkey.Flags, files []string) error {
	if dir == "" {
		return fault.Usage("--dir is needed: the node's folder")
	}
	var acceptances []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading acceptance: %w", err)
		}
		acceptances = append(acceptances, strings.TrimSpace(string(b)))
	}
	root, err := recoveryRoot(ctx, a, dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	claim, err := folder.Finish(ctx, filepath.Join(dir, node.ConfigFile), root, acceptances, time.Now)
	if err != nil {
		return err
	}
	a.Say("hint: tamga run --dir %s; then hand its %s to the Trust Anchor, because the ledger's origin is new", dir, node.EntityConfigurationFile)
	if cfg, err := config.Load(filepath.Join(dir, node.ConfigFile)); err == nil && cfg.Trust.Subordinates > 0 {
		a.Say("hint: whom it vouches for is as of the backup, suspensions too: tamga anchor list --dir %s, before it runs", dir)
	}
	return a.Emit(map[string]any{"entity_id": claim.EntityID, "missing": claim.Missing(), "ledger": claim.Next},
		[][2]string{{"given up", fmt.Sprintf("%d entries of %s", claim.Missing(), claim.Kept.Origin)}, {"ledger", claim.Next}})
}
