package custodycmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/stores"
)

func custodyPseudonymCommand(a *cli.App) *cobra.Command {
	var dir string
	var from rootkey.Flags
	k := rootkey.KeystoreFlags{Pass: cli.SecretFlags{Prefix: rootkey.PseudonymPrefix}}
	c := &cobra.Command{
		Use:   "pseudonym",
		Short: "Give the pseudonym key a keystore of its own",
		Long: `Moves the pseudonym key, every generation of it, out of the node's keystore into one of its
own: a new folder, best on another disk, under its own passphrase or custodians, and names
it in tamga.yaml. Who has the node's folder and what opens its root key then still cannot
test whether a guessed number is enrolled. The node must be stopped. A move that was cut
off is finished by the same command.

From then on everything that computes pseudonyms needs both: tamga run, enrol, subject
erase, gallery fsck. The disk may be taken away while the node runs. Backups do not hold
the folder: copy it yourself, to a place of its own, and again after each rotation of
the pseudonym key, or nobody who is enrolled will ever be found again.

Copies of keystore.json from before, and backups, still hold the key: rotate it
(tamga key rotate prepare pseudonym-key, activate, retire) and destroy them.`,
		Example: `  tamga custody pseudonym --dir kaz --passphrase-file pass.txt --to /media/kaz/pseudonym --pseudonym-passphrase-file other.txt
  tamga custody pseudonym --dir kaz --passphrase-file pass.txt --to /media/kaz/pseudonym --pseudonym-plan plan.json --pseudonym-shares shares`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return movePseudonymKey(c.Context(), a, dir, from, k) },
	}
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "the node's folder (required)")
	from.Add(f, " of the root key")
	f.StringVar(&k.To, "to", "", "new folder for the keystore (required)")
	k.Pass.Add(f, " of the pseudonym keystore")
	k.AddPlan(c)
	return c
}

func movePseudonymKey(ctx context.Context, a *cli.App, dir string, from rootkey.Flags, k rootkey.KeystoreFlags) error {
	if err := cli.NeedDir(dir); err != nil {
		return err
	}
	if k.To == "" {
		return fault.Usage("--to is needed: a new folder for the keystore, best on another disk")
	}
	if from.File == "-" && k.Pass.File == "-" {
		return fault.Usage("standard input holds one passphrase: give the other in a file")
	}
	cl, err := nodeclient.Flags{Dir: dir}.Running(ctx)
	if err != nil {
		return err
	}
	if cl != nil {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeStoreLocked, Err: errors.New("moving pseudonym key: the node runs"), Hint: "stop the node first. Nothing was changed"}
	}
	root, err := rootkey.Open(a, dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	o, err := rootkey.ReadKeystore(a, k)
	if err != nil {
		return err
	}
	defer clear(o.Passphrase)
	// What was cut off opens by the passphrase; with custodians it is begun anew.
	open := func(at string) (custody.Root, error) {
		if o.Plan != nil {
			return custody.Root{}, &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: fmt.Errorf("%s holds a keystore already", at), Hint: "name another folder, or, if a move into this one was cut off before the key was moved, remove it"}
		}
		return custody.Open(keystore.RootFile(at), o.Passphrase)
	}
	if err := keystore.MovePseudonymKey(ctx, filepath.Join(dir, node.ConfigFile), root, o, open, stores.Hold); err != nil {
		return err
	}
	a.Say("hint: copy %s to a safe place: backups do not hold it, and without it nobody enrolled is found", o.Dir)
	a.Say("hint: copies of keystore.json and backups from before still hold the key; replace it: tamga key rotate prepare --dir %s pseudonym-key", dir)
	if o.Plan != nil {
		a.Say("hint: hand each custodian his share and %s of %s; each answers with `tamga ceremony join`", keystore.TranscriptFile, o.Shares)
	}
	r := struct {
		Keystore string `json:"keystore"`
		Ceremony string `json:"ceremony,omitempty"`
	}{Keystore: o.Dir}
	rows := [][2]string{{"pseudonym keystore", o.Dir}}
	if o.Plan != nil {
		r.Ceremony = ceremony.ID([custody.CeremonySize]byte(o.Plan.Ceremony))
		rows = append(rows, [2]string{"ceremony", r.Ceremony})
	}
	return a.Emit(r, rows)
}
