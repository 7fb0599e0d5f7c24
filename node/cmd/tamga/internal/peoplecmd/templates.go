package peoplecmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/progress"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/registrar"
)

// Templates is `tamga templates`.
func Templates(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "templates",
		Short: "Renew the stored face templates",
		Long: `A node stores face templates turned by a secret of its own (template-key in
` + "`tamga key list`" + `): what leaks of them compares with nothing elsewhere, and can be
replaced without asking anybody for a photograph.`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: "  tamga templates renew --dir kaz",
	}
	c.AddCommand(templatesRenew(a))
	return c
}

type renewFlags struct {
	node nodeclient.Flags
	from rootkey.Flags
}

func templatesRenew(a *cli.App) *cobra.Command {
	var r renewFlags
	c := &cobra.Command{
		Use:   "renew",
		Short: "Move all face templates to a new secret, and destroy the old one",
		Long: `Makes a new secret, moves every stored face template to it, and then destroys the old
secret. People are verified and enrolled meanwhile, and scores stay what they are. Cut
off, by a crash of the node too, it goes on when the node is started again, or when you
run it again; no other secret is made until it is done. The ledger says that it was begun.

When the node is running it does the work, and this shows how far it is: interrupting
this does not stop it. Otherwise this opens the gallery itself and needs the passphrase.

Do this when templates may have leaked, and as often as your rules say. Copies of
keystore.json and key escrows from before still hold the old secret, and backups from
before the templates under it, which expire with it: write the key escrow anew, take a
backup, and destroy those of before. An older copy of the gallery put back under the
new keystore has no faces to compare. Several nodes on one database need the keystore
of the one that did this: the old secret stays until those that are alive have it.`,
		Example: `  tamga templates renew --dir kaz
  tamga templates renew --dir kaz --passphrase-file pass.txt -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return renewTemplates(c.Context(), a, r) },
	}
	c.Flags().StringVar(&r.node.Dir, "dir", "", "the node's folder (required)")
	r.from.AddBoth(c.Flags(), ", when the node is not running")
	return c
}

// renewal is the command's JSON result, and what the API reports.
type renewal struct {
	State      string        `json:"state"`
	Generation uint32        `json:"generation"`
	Resumed    bool          `json:"resumed"`
	Looked     uint64        `json:"looked"`
	Renewed    uint64        `json:"renewed"`
	Subjects   uint64        `json:"subjects"`
	Destroyed  []uint32      `json:"destroyed"`
	Code       protocol.Code `json:"code,omitempty"`
	Title      string        `json:"title,omitempty"`
}

const renewalPath = "/v1/templates/renewal"

func renewTemplates(ctx context.Context, a *cli.App, f renewFlags) error {
	if err := cli.NeedDir(f.node.Dir); err != nil {
		return err
	}
	cl, err := f.node.Running(ctx)
	if err != nil {
		return err
	}
	p := progress.Bar{App: a, Doing: "renewing"}
	var r renewal
	if cl != nil {
		r, err = follow(ctx, &p, cl)
	} else {
		r, err = stopped(ctx, &p, f)
	}
	p.End()
	if err != nil {
		return err
	}
	rows := [][2]string{{"templates of", fmt.Sprintf("%d of %d people renewed", r.Renewed, r.Subjects)}, {"generation", fmt.Sprint(r.Generation)},
		{"destroyed", strings.Trim(fmt.Sprint(r.Destroyed), "[]")}}
	if r.Resumed {
		a.Say("this went on with a renewal that was cut off")
	}
	a.Say("hint: write the key escrow anew (tamga backup escrow), take a backup (those from before have expired), and destroy key escrows and copies of keystore.json from before; they hold what was destroyed")
	return a.Emit(r, rows)
}

// stopped renews the templates of a node that is not running.
func stopped(ctx context.Context, p *progress.Bar, f renewFlags) (renewal, error) {
	roots, err := rootkey.OpenRoots(p.App, f.node.Dir, f.from)
	if err != nil {
		return renewal{}, err
	}
	defer roots.Wipe()
	done, err := registrar.RenewTemplates(ctx, filepath.Join(f.node.Dir, node.ConfigFile), roots, func(r registrar.Renewal) { p.Show(r.Looked, r.Subjects) })
	if err != nil {
		return renewal{}, unfinished(fault.Classify(err))
	}
	rootkey.KeepEscrow(p.App, f.node.Dir, roots.Node)
	return renewal{State: string(done.State), Generation: done.Generation, Resumed: done.Resumed, Looked: done.Looked, Renewed: done.Renewed,
		Subjects: done.Subjects, Destroyed: append([]uint32{}, done.Destroyed...)}, nil
}

// unfinished says of a failure what became of the renewal.
func unfinished(f *fault.Failure) error {
	if f.Hint == "" {
		f.Hint = "run the same command again: it goes on where it stopped, and both secrets are there until it is done"
	}
	return f
}

// follow has the running node do it, and returns when it has.
func follow(ctx context.Context, p *progress.Bar, cl *nodeclient.Client) (r renewal, err error) {
	if err := cl.Call(ctx, http.MethodPost, renewalPath, "", nil, &r); err != nil {
		return renewal{}, err
	}
	resumed := r.Resumed
	every := time.NewTicker(progress.PollEvery)
	defer every.Stop()
	for {
		p.Show(r.Looked, r.Subjects)
		switch r.State {
		case string(registrar.RenewalDone):
			r.Resumed = resumed
			return r, nil
		case string(registrar.RenewalFailed):
			exit := fault.ExitFailure
			if r.Code == protocol.CodeStoreDamaged {
				exit = fault.ExitIntegrity
			}
			return renewal{}, &fault.Failure{Exit: exit, Code: r.Code, Err: errors.New("renewing templates: " + r.Title),
				Hint: "the node tries again by itself and both secrets are there until it is done; its log says what is in the way"}
		}
		select {
		case <-ctx.Done():
			return renewal{}, unfinishedHere(ctx.Err())
		case <-every.C:
		}
		var next renewal
		if err := cl.Call(ctx, http.MethodGet, renewalPath, "", nil, &next); err != nil {
			return renewal{}, unfinishedHere(err)
		}
		r = next
	}
}

// unfinishedHere is a failure to learn how far the running node is.
func unfinishedHere(err error) error {
	f := *fault.Classify(err)
	f.Hint = "the node goes on by itself, also when it is started again; run the same command again to see how far it is"
	return &f
}
