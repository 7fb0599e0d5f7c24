package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/registrar"
)

func (a *app) templatesCommand() *cobra.Command {
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
	c.AddCommand(a.templatesRenew())
	return c
}

type renewFlags struct {
	node nodeFlags
	from rootFlags
}

func (a *app) templatesRenew() *cobra.Command {
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
		RunE: func(c *cobra.Command, _ []string) error { return a.renewTemplates(c.Context(), r) },
	}
	c.Flags().StringVar(&r.node.dir, "dir", "", "the node's folder (required)")
	r.from.addBoth(c.Flags(), ", when the node is not running")
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

func (a *app) renewTemplates(ctx context.Context, f renewFlags) error {
	if err := needDir(f.node.dir); err != nil {
		return err
	}
	cl, err := a.running(ctx, f.node)
	if err != nil {
		return err
	}
	p := renewalProgress{app: a, doing: "renewing"}
	var r renewal
	if cl != nil {
		r, err = p.follow(ctx, cl)
	} else {
		r, err = p.stopped(ctx, f)
	}
	p.end()
	if err != nil {
		return err
	}
	rows := [][2]string{{"templates of", fmt.Sprintf("%d of %d people renewed", r.Renewed, r.Subjects)}, {"generation", fmt.Sprint(r.Generation)},
		{"destroyed", strings.Trim(fmt.Sprint(r.Destroyed), "[]")}}
	if r.Resumed {
		a.say("this went on with a renewal that was cut off")
	}
	a.say("hint: write the key escrow anew (tamga backup escrow), take a backup (those from before have expired), and destroy key escrows and copies of keystore.json from before; they hold what was destroyed")
	return a.emit(r, rows)
}

// stopped renews the templates of a node that is not running.
func (p *renewalProgress) stopped(ctx context.Context, f renewFlags) (renewal, error) {
	roots, err := p.app.openRoots(f.node.dir, f.from)
	if err != nil {
		return renewal{}, err
	}
	defer roots.Wipe()
	done, err := registrar.RenewTemplates(ctx, filepath.Join(f.node.dir, node.ConfigFile), roots, func(r registrar.Renewal) { p.show(r.Looked, r.Subjects) })
	if err != nil {
		return renewal{}, unfinished(classify(err))
	}
	p.app.keepEscrow(f.node.dir, roots.Node)
	return renewal{State: string(done.State), Generation: done.Generation, Resumed: done.Resumed, Looked: done.Looked, Renewed: done.Renewed,
		Subjects: done.Subjects, Destroyed: append([]uint32{}, done.Destroyed...)}, nil
}

// unfinished says of a failure what became of the renewal.
func unfinished(f *failure) error {
	if f.hint == "" {
		f.hint = "run the same command again: it goes on where it stopped, and both secrets are there until it is done"
	}
	return f
}

// pollEvery is how often the running node is asked, from memory, how far it is.
const pollEvery = 200 * time.Millisecond

// follow has the running node do it, and returns when it has.
func (p *renewalProgress) follow(ctx context.Context, cl *client) (r renewal, err error) {
	if err := cl.call(ctx, http.MethodPost, renewalPath, "", nil, &r); err != nil {
		return renewal{}, err
	}
	resumed := r.Resumed
	every := time.NewTicker(pollEvery)
	defer every.Stop()
	for {
		p.show(r.Looked, r.Subjects)
		switch r.State {
		case string(registrar.RenewalDone):
			r.Resumed = resumed
			return r, nil
		case string(registrar.RenewalFailed):
			exit := exitFailure
			if r.Code == protocol.CodeStoreDamaged {
				exit = exitIntegrity
			}
			return renewal{}, &failure{exit: exit, code: r.Code, err: errors.New("renewing templates: " + r.Title),
				hint: "the node tries again by itself and both secrets are there until it is done; its log says what is in the way"}
		}
		select {
		case <-ctx.Done():
			return renewal{}, unfinishedHere(ctx.Err())
		case <-every.C:
		}
		var next renewal
		if err := cl.call(ctx, http.MethodGet, renewalPath, "", nil, &next); err != nil {
			return renewal{}, unfinishedHere(err)
		}
		r = next
	}
}

// unfinishedHere is a failure to learn how far the running node is.
func unfinishedHere(err error) error {
	f := *classify(err)
	f.hint = "the node goes on by itself, also when it is started again; run the same command again to see how far it is"
	return &f
}

// renewalProgress draws a bar when somebody looks, says every tenth of a large register
// when there is no terminal, or in NDJSON says every step.
type renewalProgress struct {
	app   *app
	doing string
	bar   *progressbar.ProgressBar
	next  uint64
}

func (p *renewalProgress) show(looked, subjects uint64) {
	a := p.app
	switch {
	case a.format == "ndjson":
		_ = json.NewEncoder(a.out).Encode(map[string]uint64{"looked": looked, "subjects": subjects})
	case terminal(a.err):
		if p.bar == nil {
			p.bar = progressbar.NewOptions64(int64(subjects), progressbar.OptionSetWriter(a.err), progressbar.OptionSetDescription(p.doing),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true))
		}
		_ = p.bar.Set64(int64(min(looked, subjects)))
	case subjects >= 1000 && looked*10 >= (p.next+1)*subjects:
		p.next = looked * 10 / subjects
		a.say("%s: %d %% (%d of %d)", p.doing, p.next*10, looked, subjects)
	}
}

func (p *renewalProgress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		fmt.Fprintln(p.app.err)
	}
}
