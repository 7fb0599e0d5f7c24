package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/recovery"
)

// Files of an operator's folder.
const (
	operatorPublic   = "operator.jwk.json"
	operatorRoot     = "root.json"
	operatorKeystore = "keystore.json"
	operatorSecret   = "operator-key"
)

func (a *app) recoveryCommand() *cobra.Command {
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
	c.AddCommand(a.recoveryOperator(), a.recoveryStatus(), a.recoveryAccept(), a.recoveryFinish())
	return c
}

// ofRecovery classifies what is about a data folder that is not the latest.
func ofRecovery(err error) *failure {
	switch {
	case errors.Is(err, folder.ErrErasures):
		return &failure{exit: exitIntegrity, code: protocol.CodeBackup, err: err, hint: "give with --erasures the data/gallery-erasures of the same node, whole and not older than the backup, or name the risk; nothing was made"}
	case errors.Is(err, gap.ErrRecovery):
		return &failure{exit: exitIntegrity, code: protocol.CodeRecovery, err: err}
	case errors.Is(err, ledger.ErrOutdated), errors.Is(err, ledger.ErrForgotten):
		return &failure{exit: exitIntegrity, code: protocol.CodeRolledBack, err: err}
	case errors.Is(err, gap.ErrNotInRecovery):
		return &failure{exit: exitFailure, code: protocol.CodeRecovery, err: err, hint: "start it with `tamga run`; with --checkpoint a newer checkpoint can be shown to it"}
	case errors.Is(err, recovery.ErrAcceptance):
		return &failure{exit: exitUnauthorised, code: protocol.CodeRecovery, err: err, hint: "two different operators of recovery.operators must sign the claim as it is now: `tamga recovery accept`; nothing was changed"}
	case errors.Is(err, recovery.ErrUnknown):
		return &failure{exit: exitIntegrity, code: protocol.CodeRecovery, err: err, hint: "show it with `tamga recovery status --dir DIR --checkpoint FILE`: every receipt that a peer holds has one"}
	}
	return nil
}

func (a *app) recoveryOperator() *cobra.Command {
	var dir, passphraseFile string
	c := &cobra.Command{
		Use:   "operator",
		Short: "Make an operator's key, on the operator's own machine",
		Long: `Makes a folder with the key under the passphrase, and operator.jwk.json, its public part: that
file is copied to the node and named in recovery.operators of its tamga.yaml.`,
		Example: `  tamga recovery operator --dir aigul --passphrase-file aigul.txt`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.makeKey(dir, passphraseFile, "recovery.operators") },
	}
	c.Flags().StringVar(&dir, "dir", "", "folder to make (required)")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the operator's key, - for standard input")
	return c
}

// makeKey makes the key of an operator, an officer or a person. list is where a configuration names it, if
// one does.
func (a *app) makeKey(dir, passphraseFile, list string) error {
	if dir == "" {
		return usage("--dir is needed: the folder to make")
	}
	pass, err := a.passphrase(passphraseFile, "Passphrase for the new key")
	if err != nil {
		return err
	}
	defer clear(pass)
	a.warnShort(pass)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	root, err := custody.Create(filepath.Join(dir, operatorRoot), custody.Passphrase(pass, custody.DefaultParams()))
	if errors.Is(err, os.ErrExist) {
		return &failure{exit: exitFailure, code: protocol.CodeExists, err: fmt.Errorf("making key: %s holds one already", dir), hint: "use another --dir; nothing was changed"}
	}
	if err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	defer root.Wipe()
	key, err := jose.GenerateKey()
	if err == nil {
		err = custody.CreateKeystore(filepath.Join(dir, operatorKeystore), root, map[string][]byte{operatorSecret: key.Seed()})
	}
	if err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	public := filepath.Join(dir, operatorPublic)
	if err := writeJSON(public, key.Public()); err != nil {
		return err
	}
	if list != "" {
		a.say("hint: copy %s to the node and name it in %s of its %s", public, list, node.ConfigFile)
	}
	return a.emit(map[string]string{"public": public, "key_id": key.Public().KeyID()}, [][2]string{{"key", key.Public().KeyID()}, {"for the node", public}})
}

func (a *app) openOperator(dir, passphraseFile string) (jose.PrivateKey, error) {
	pass, err := a.passphrase(passphraseFile, "Passphrase of the key")
	if err != nil {
		return jose.PrivateKey{}, err
	}
	root, err := custody.Open(filepath.Join(dir, operatorRoot), pass)
	clear(pass)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("opening key: %w", err)
	}
	defer root.Wipe()
	store, err := custody.OpenKeystore(filepath.Join(dir, operatorKeystore), root)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("opening key: %w", err)
	}
	seed, err := store.Secret(operatorSecret)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("opening key: %w", err)
	}
	defer clear(seed)
	return jose.NewPrivateKey(seed)
}

func (a *app) recoveryStatus() *cobra.Command {
	var dir, checkpoint string
	var ask bool
	var from rootFlags
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
			return a.recoveryLearn(c.Context(), dir, checkpoint, ask, from)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	c.Flags().BoolVar(&ask, "ask-peers", false, "ask the other members what they have seen; needs the root key")
	from.add(c.Flags(), " of the node's root key")
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "file with a checkpoint of the node's ledger that somebody else kept")
	return c
}

func (a *app) recoveryLearn(ctx context.Context, dir, file string, ask bool, from rootFlags) error {
	if dir == "" {
		return usage("--dir is needed: the node's folder")
	}
	if ask {
		return a.askPeers(ctx, dir, file, from)
	}
	claim, err := folder.Learn(ctx, filepath.Join(dir, node.ConfigFile), file)
	if err != nil {
		return err
	}
	return a.showClaim(dir, claim)
}

// askPeers learns with the node's own keys, for which members admit it.
func (a *app) askPeers(ctx context.Context, dir, file string, from rootFlags) error {
	root, err := a.recoveryRoot(ctx, dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	claim, err := node.LearnFromPeers(ctx, filepath.Join(dir, node.ConfigFile), file, root, a.warnings())
	if err != nil {
		return err
	}
	return a.showClaim(dir, claim)
}

func (a *app) warnings() *slog.Logger {
	return slog.New(slog.NewJSONHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// recoveryRoot opens the root key as `tamga run` does: with the passphrase, or with
// the custodians' shares.
func (a *app) recoveryRoot(ctx context.Context, dir string, from rootFlags) (custody.Root, error) {
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return custody.Root{}, err
	}
	return a.runRoot(ctx, dir, dir, from, cfg, a.warnings())
}

func (a *app) showClaim(dir string, c recovery.Claim) error {
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
		a.say("hint: tamga recovery accept %s --operator FOLDER --out ACCEPTANCE, by two operators", filepath.Join(dir, "data", "recovery.json"))
	} else {
		a.say("hint: tamga recovery status --dir %s --checkpoint FILE, with what a peer or an auditor kept", dir)
	}
	return a.emit(struct {
		recovery.Claim
		Missing uint64 `json:"missing"`
	}{c, c.Missing()}, append(rows, [2]string{"missing", missing}))
}

func (a *app) recoveryAccept() *cobra.Command {
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
				return usage("--operator and --out are needed: the operator's folder, and the file to write")
			}
			return a.acceptGap(args[0], operator, passphraseFile, out)
		},
	}
	c.Flags().StringVar(&operator, "operator", "", "the operator's folder (required)")
	c.Flags().StringVar(&out, "out", "", "file to write the acceptance to (required)")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the operator's key, - for standard input")
	return c
}

func (a *app) acceptGap(file, operator, passphraseFile, out string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading claim: %w", err)
	}
	claim, err := recovery.Parse(b)
	if err != nil {
		return err
	}
	key, err := a.openOperator(operator, passphraseFile)
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
	return a.emit(map[string]any{"acceptance": out, "entity_id": claim.EntityID, "missing": claim.Missing(), "key_id": key.Public().KeyID()},
		[][2]string{{"accepted", fmt.Sprintf("%d missing entries of %s", claim.Missing(), claim.Kept.Origin)}, {"by", key.Public().KeyID()}, {"acceptance", out}})
}

func (a *app) recoveryFinish() *cobra.Command {
	var dir string
	var from rootFlags
	c := &cobra.Command{
		Use:   "finish ACCEPTANCE ACCEPTANCE",
		Short: "Begin another ledger, whose first entry is the accepted gap",
		Long: `Demands acceptances by two different operators of recovery.operators. The ledger at hand
stays as it is; the new one has an origin of its own, so nothing that was signed is
contradicted. Peers learn of it with the Entity Configuration.`,
		Example: `  tamga recovery finish --dir kaz --passphrase-file pass.txt aigul.jwt bolat.jwt`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.finishRecovery(c.Context(), dir, from, args)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.add(c.Flags(), " of the node's root key")
	return c
}

func (a *app) finishRecovery(ctx context.Context, dir string, from rootFlags, files []string) error {
	if dir == "" {
		return usage("--dir is needed: the node's folder")
	}
	var acceptances []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading acceptance: %w", err)
		}
		acceptances = append(acceptances, strings.TrimSpace(string(b)))
	}
	root, err := a.recoveryRoot(ctx, dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	claim, err := folder.Finish(ctx, filepath.Join(dir, node.ConfigFile), root, acceptances, time.Now)
	if err != nil {
		return err
	}
	a.say("hint: tamga run --dir %s; then hand its %s to the Trust Anchor, because the ledger's origin is new", dir, node.EntityConfigurationFile)
	if cfg, err := config.Load(filepath.Join(dir, node.ConfigFile)); err == nil && cfg.Trust.Subordinates > 0 {
		a.say("hint: whom it vouches for is as of the backup, suspensions too: tamga anchor list --dir %s, before it runs", dir)
	}
	return a.emit(map[string]any{"entity_id": claim.EntityID, "missing": claim.Missing(), "ledger": claim.Next},
		[][2]string{{"given up", fmt.Sprintf("%d entries of %s", claim.Missing(), claim.Kept.Origin)}, {"ledger", claim.Next}})
}
