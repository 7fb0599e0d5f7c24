// Command tamga runs and operates a federated cross-border identity verification
// node. `tamga demo` shows the whole on one machine; `tamga help` lists the rest.
//
// This package is the tree of commands. Each of them has a package under internal/, which is
// flags in, exit code out: it hands over to a package under node/, federation/,
// matcher/evaluate or conformance. Results go to stdout, everything else to stderr.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol/sentences"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchorcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/askcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/backupcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/benchcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/calibratecmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/conformcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/consentcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/custodycmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/democmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/enrolcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/evaluatecmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/extractcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/holdercmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/keycmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodecmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/peercmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/peoplecmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/policycmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/recoverycmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/storecmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Libraries under the transport would write to stderr in forms of their own.
	transport.RouteLibraryLogs(slog.DiscardHandler)
	a := &cli.App{Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Credentials: os.Getenv("CREDENTIALS_DIRECTORY"),
		Language: cli.LanguageOf(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG"))}
	os.Exit(execute(ctx, a))
}

func execute(ctx context.Context, a *cli.App) int {
	root := root(a)
	root.SetArgs(a.Args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	return a.Exit(root.ExecuteContext(ctx))
}

func root(a *cli.App) *cobra.Command {
	root := &cobra.Command{
		Use:   "tamga",
		Short: "Federated cross-border identity verification node",
		Long: `Tamga lets one country's officers ask another country's node "is this traveller who
the document says?" and get a signed answer with a receipt. Biometrics never leave
the gallery of the country that holds them.`,
		Example: `  tamga demo                        # four countries on this machine, every outcome, under a minute
  tamga help exit-codes             # what the exit codes mean
  tamga help TMG-LAW-0001           # what a code means and what to do now`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch a.Format {
			case "table", "json", "ndjson":
			default:
				return fault.Usage("-o takes table, json or ndjson")
			}
			if a.Language != sentences.English && a.Language != sentences.Russian {
				given := a.Language
				a.Language = sentences.English
				return fault.Usage("--language takes en or ru, not %q", given)
			}
			return nil
		},
	}
	root.PersistentFlags().StringVar(&a.Language, "language", cmp.Or(a.Language, sentences.English), "language of what codes mean and what to do now: en or ru; without it, by LANG")
	root.PersistentFlags().StringVarP(&a.Format, "output", "o", "table", "output format: table, json or ndjson")
	root.AddGroup(
		&cobra.Group{ID: "start", Title: "Start:"},
		&cobra.Group{ID: "ask", Title: "Ask:"},
		&cobra.Group{ID: "people", Title: "People:"},
		&cobra.Group{ID: "keys", Title: "Keys:"},
		&cobra.Group{ID: "keep", Title: "Keep:"},
		&cobra.Group{ID: "federation", Title: "Federation:"},
		&cobra.Group{ID: "check", Title: "Check:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("start", democmd.Demo(a), democmd.Sandbox(a), nodecmd.Init(a), nodecmd.Run(a), nodecmd.Status(a))
	add("ask", askcmd.Verify(a), askcmd.Identify(a), askcmd.Resolve(a))
	add("keep", backupcmd.Command(a), recoverycmd.Command(a), storecmd.Gallery(a))
	add("people", enrolcmd.Command(a), consentcmd.Command(a), peoplecmd.Canary(a), peoplecmd.Subject(a), peoplecmd.Templates(a), extractcmd.Command(a))
	add("keys", custodycmd.Custody(a), holdercmd.Command(a), custodycmd.Ceremony(a), custodycmd.Unseal(a), keycmd.Command(a))
	add("federation", anchorcmd.Command(a), peercmd.Peer(a), peercmd.Trust(a))
	add("check", policycmd.Command(a), storecmd.Ledger(a), evaluatecmd.Command(a), calibratecmd.Command(a), conformcmd.Command(a), benchcmd.Command(a))
	root.SetHelpCommand(a.HelpCommand(root))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return fault.UsageOf(c, err) })
	return root
}
