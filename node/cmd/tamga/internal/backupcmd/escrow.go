package backupcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
)

type escrowFlags struct {
	dir, to    string
	recipients recipientFlags
	from       rootkey.Flags
}

func backupEscrow(a *cli.App) *cobra.Command {
	var f escrowFlags
	c := &cobra.Command{
		Use:   "escrow",
		Short: "Write the key escrow anew, without a backup",
		Long: `Writes the node's keys as they are now, sealed under the root key, in the place of a key
escrow of before, which is overwritten. Do this after a key was retired, the root key
replaced, or what opens it changed, unless backup.escrow_file of tamga.yaml has the node do
it: the escrow of before still holds what was destroyed. Destroy copies of that, too.

A pseudonym keystore (pseudonym.keystore) is not in it: its owner keeps a copy of it.

At every moment, a power cut included, the file is the old escrow or the new one, whole.`,
		Example: `  tamga backup escrow --dir kaz --to /media/safe/kaz.tamga-escrow --recipients-file directors.txt`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return writeEscrow(c.Context(), a, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.dir, "dir", "", "the node's folder (required)")
	fl.StringVar(&f.to, "to", "", "file to write (required)")
	f.recipients.add(fl, "", "the key escrow")
	f.from.AddBoth(fl, ", when the node is not running")
	return c
}

func writeEscrow(ctx context.Context, a *cli.App, f escrowFlags) (err error) {
	if f.dir == "" || f.to == "" {
		return fault.Usage("--dir and --to are needed: the node's folder, and the file to write")
	}
	if err := f.recipients.read(); err != nil {
		return err
	}
	if err := ownEscrow(f.dir, f.to); err != nil {
		return err
	}
	n, err := openBacker(ctx, a, f.dir, f.from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	l, err := n.writeEscrow(ctx, f.dir, f.to, f.recipients.recipients)
	if err != nil {
		return err
	}
	a.Say("hint: destroy every other key escrow of before; they hold keys that may have been destroyed")
	return a.Emit(newSurveyed(backup.Finding{File: f.to, State: backup.Current, Label: l}),
		[][2]string{{"key escrow", f.to}, {"entity", l.EntityID}, {"created", l.Created.Format(time.RFC3339)}, {"holds", l.Keys.String()}})
}

// ownEscrow refuses a file for a key escrow that is there and is none of this node.
func ownEscrow(dir, file string) error {
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return err
	}
	return backup.Replaceable(file, cfg.EntityID)
}

func entityConfiguration(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, node.EntityConfigurationFile))
	if err != nil {
		return "", fmt.Errorf("reading entity configuration: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// writeEscrow makes a key escrow and puts it in its place.
func (n *backer) writeEscrow(ctx context.Context, dir, file string, recipients []string) (backup.Label, error) {
	b, err := n.escrow(ctx, recipients)
	if err != nil {
		return backup.Label{}, err
	}
	u, err := backup.ReadLabel(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return backup.Label{}, fmt.Errorf("receiving key escrow: %w", err)
	}
	configuration, err := entityConfiguration(dir)
	if err != nil {
		return backup.Label{}, err
	}
	l, err := u.Verify(configuration)
	if err == nil {
		err = custody.WriteFile(file, b)
	}
	return l, err
}
