// Package conformcmd is `tamga conform`: a node is examined by the conformance suite.
package conformcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/conformance"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/trustanchor"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lab"
	"github.com/tamga-id/tamga/node/mutant"
)

type conformFlags struct {
	target, as, passphraseFile string
	jsonFile, junitFile        string
	only                       []string
	people                     int
	seed                       uint64
}

// Command is `tamga conform`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "conform",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Examine any node against PROTOCOL.md",
		Long: `The conformance suite asks a node from outside, as a member of its federation, one fault at
a time, and reports which requirements of PROTOCOL.md it keeps.`,
		Example: `  tamga conform run --target demo
  tamga conform list`,
	}
	c.AddCommand(conformRun(a), conformList(a))
	return c
}

func conformRun(a *cli.App) *cobra.Command {
	var f conformFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the suite against a target",
		Long: `TARGET is one of

  demo            a node that this command starts, with synthetic people
  mutant:NAME     the same, wrong in one way: shows what the suite notices
  https://...     the Entity Identifier of a real node. --as names the folder of a member
                  that you made with tamga init, enrolled, and do not run; the target must
                  have enrolled the people of tamga sandbox identities.

Nothing can fail before the preflight has passed: a wrong set-up is CONFIG_ERROR and no
verdict on the node. Exit code 0 when all that applies passed, 20 when a case failed,
3 when the set-up is wrong.`,
		Example: `  tamga conform run --target demo
  tamga conform run --target mutant:accepts-replays
  tamga conform run --target https://kgz.example --as lab --passphrase-file pass.txt --json report.json --junit junit.xml
  tamga conform run --target demo --only TMG-Q-008`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return conform(c.Context(), a, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.target, "target", "", "demo, mutant:NAME or the target's Entity Identifier (required)")
	fl.StringVar(&f.as, "as", "", "folder of the member that asks, for a real target")
	fl.StringVar(&f.passphraseFile, "passphrase-file", "", "file with that member's passphrase, - for standard input")
	fl.StringVar(&f.jsonFile, "json", "", "write the report as JSON to this file")
	fl.StringVar(&f.junitFile, "junit", "", "write the report as JUnit XML to this file")
	fl.StringSliceVar(&f.only, "only", nil, "cases or requirements to run (default all)")
	fl.IntVar(&f.people, "people", 12, "how many synthetic people the target has enrolled")
	fl.Uint64Var(&f.seed, "seed", 0, "chooses people and places to damage (default: random; it is in the report)")
	return c
}

func conformList(a *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the cases and the mutants",
		Long:    `Lists every case with the requirements it shows, and every mutant.`,
		Example: `  tamga conform list -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var rows [][2]string
			for _, c := range conformance.Cases() {
				rows = append(rows, [2]string{c.ID, c.Title + "  (" + strings.Join(c.Requirements, " ") + ")"})
			}
			type wrong struct {
				Name string `json:"name"`
				Does string `json:"does"`
			}
			var mutants []wrong
			for _, m := range mutant.All() {
				rows = append(rows, [2]string{"mutant:" + m.Name, m.Does})
				mutants = append(mutants, wrong{m.Name, m.Does})
			}
			return a.Emit(map[string]any{"cases": conformance.Cases(), "mutants": mutants}, rows)
		},
	}
}

func conform(ctx context.Context, a *cli.App, f conformFlags) (err error) {
	if f.seed == 0 {
		f.seed = uint64(time.Now().UnixNano())
	}
	name, isMutant := strings.CutPrefix(f.target, "mutant:")
	var bench *examination
	switch {
	case f.target == "demo" || isMutant:
		bench, err = examineSandbox(ctx, a, f, name, isMutant)
	case strings.HasPrefix(f.target, "https://"):
		bench, err = examineMember(ctx, a, f)
	default:
		return fault.Usage("--target takes demo, mutant:NAME or an https Entity Identifier")
	}
	if err != nil {
		return err
	}
	r, err := conformance.Run(ctx, bench.options)
	if err := errors.Join(err, bench.close()); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := reports(a, r, f); err != nil {
		return err
	}
	switch {
	case r.OK():
		return nil
	case r.Totals.Fail > 0:
		return fault.Verdict{Exit: fault.ExitConformance}
	case r.Totals.ConfigError > 0:
		return fault.Verdict{Exit: fault.ExitConfig}
	}
	return fault.Verdict{Exit: fault.ExitFailure}
}

func reports(a *cli.App, r conformance.Report, f conformFlags) error {
	for file, write := range map[string]func(io.Writer) error{f.jsonFile: r.WriteJSON, f.junitFile: r.WriteJUnit} {
		if file == "" {
			continue
		}
		out, err := os.Create(file)
		if err != nil {
			return fmt.Errorf("writing report: %w", err)
		}
		if err := errors.Join(write(out), out.Close()); err != nil {
			return fmt.Errorf("writing report: %w", err)
		}
	}
	switch a.Format {
	case "json":
		return r.WriteJSON(a.Out)
	case "ndjson":
		enc := json.NewEncoder(a.Out)
		for _, c := range slices.Concat(r.Preflight, r.Cases) {
			if err := enc.Encode(c); err != nil {
				return fmt.Errorf("writing report: %w", err)
			}
		}
		return nil
	}
	return r.WriteText(a.Out)
}

// examination is a suite ready to run and what must be closed after it.
type examination struct {
	options conformance.Options
	close   func() error
}

// options are what the suite needs of a lab and its target.
func options(a *cli.App, f conformFlags, l *lab.Lab, t lab.Target) conformance.Options {
	o := conformance.Options{
		Target: party.Target{Entity: string(t.EntityID), Jurisdiction: t.Jurisdiction, Peer: t.Peer,
			Modalities: t.Modalities, Purposes: t.Purposes},
		Tester: party.Tester{Entity: string(l.EntityID), Jurisdiction: l.Jurisdiction, Signing: l.Signing,
			Exchanger: t.Line, Stranger: t.Stranger, Trust: t.Trust, Consent: t.Consent},
		Subjects: party.Synthetic(demo.Seed, t.Jurisdiction, f.people),
		Only:     f.only, Seed: f.seed, Now: time.Now,
	}
	if len(t.SealingKeys) > 0 {
		o.Target.SealingKey = t.SealingKeys[0]
	}
	if cli.Terminal(a.Err) {
		o.Progress = func(c conformance.CaseResult) { a.Say("%-12s %s %s", c.Result, c.ID, c.Title) }
	}
	return o
}

// sandboxTarget is the country whose node is examined in a sandbox: its law serves
// every purpose that the cases need.
const sandboxTarget = "UZB"

// examineSandbox starts one node, honest or mutant, and two laboratories: one asks,
// the other lends its name to what the first forges.
func examineSandbox(ctx context.Context, a *cli.App, f conformFlags, name string, isMutant bool) (_ *examination, err error) {
	var c cli.Closers
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	overrides := map[string]node.Overrides{}
	if isMutant {
		o, err := mutant.Overrides(name)
		if err != nil {
			return nil, fault.Usage("there is no mutant of that name; they are %s", strings.Join(mutant.Names(), ", "))
		}
		overrides[sandboxTarget] = o
	}
	dir, remove, err := demo.TempDir()
	if err != nil {
		return nil, err
	}
	c.Add(func() error { remove(); return nil })
	countries := slices.DeleteFunc(demo.Countries(), func(c demo.Country) bool { return c.Code != sandboxTarget })
	fed, err := demo.Start(ctx, demo.Options{Dir: dir, Countries: countries, People: f.people, Log: slog.New(slog.DiscardHandler), Overrides: overrides})
	if err != nil {
		return nil, err
	}
	c.Add(fed.Close)
	labs := make([]*lab.Lab, 2)
	for i, code := range []string{"XTS", "XTT"} {
		labs[i], err = lab.Join(ctx, lab.Config{EntityID: trust.EntityID(demo.EntityID(code)), Jurisdiction: code, Anchor: fed.Anchor, Now: time.Now,
			Enrol: func(_ context.Context, configuration string) error {
				_, err := fed.Authority().Enroll(configuration, authority.EnrollOptions{Jurisdiction: code})
				return err
			}})
		if err != nil {
			return nil, err
		}
		c.Add(labs[i].Close)
	}
	if err := fed.Introduce(ctx); err != nil {
		return nil, err
	}
	t, err := labs[0].Country(sandboxTarget)
	if err != nil {
		return nil, err
	}
	o := options(a, f, labs[0], t)
	o.Tester.Other = party.Member{Entity: string(labs[1].EntityID), Signing: labs[1].Signing}
	return &examination{o, c.Close}, nil
}

// examineMember asks a real node in the name of an enrolled member that is not running.
func examineMember(ctx context.Context, a *cli.App, f conformFlags) (*examination, error) {
	if f.as == "" {
		return nil, fault.Usage("a real target needs --as: the folder of a member that you made with `tamga init` and enrolled")
	}
	cfg, err := config.Load(filepath.Join(f.as, node.ConfigFile))
	if err != nil {
		return nil, err
	}
	if len(cfg.Trust.Anchors) == 0 {
		return nil, fault.Usage("the member's configuration names no Trust Anchor")
	}
	anchor, err := trustanchor.Read(cfg.Trust.Anchors[0].KeysFile)
	if err != nil {
		return nil, err
	}
	if at := cfg.Trust.Anchors[0].Location; at != "" {
		anchor.Location = at
	}
	pass, err := a.Passphrase(f.passphraseFile, "Passphrase of the member's root key")
	if err != nil {
		return nil, err
	}
	seeds, err := keystore.OpenSeeds(f.as, pass)
	clear(pass)
	if err != nil {
		return nil, err
	}
	l, err := lab.Join(ctx, lab.Config{EntityID: trust.EntityID(cfg.EntityID), Jurisdiction: cfg.Jurisdiction, Name: cfg.Name, Anchor: anchor,
		Keys: lab.Keys(seeds), Now: time.Now})
	if err != nil {
		return nil, err
	}
	t, err := l.Entity(trust.EntityID(f.target))
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &examination{options(a, f, l, t), l.Close}, nil
}
