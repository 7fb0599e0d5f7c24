// Command tamga runs and operates a federated cross-border identity verification
// node. `tamga demo` shows the whole on one machine; `tamga help` lists the rest.
//
// This package is flags in, exit code out: every command hands over to a package
// under node/, federation/, matcher/evaluate or conformance. Results go to stdout,
// everything else to stderr.
package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Libraries under the transport would write to stderr in forms of their own.
	transport.RouteLibraryLogs(slog.DiscardHandler)
	a := &app{args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr, credentials: os.Getenv("CREDENTIALS_DIRECTORY"),
		language: languageOf(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG"))}
	os.Exit(a.execute(ctx))
}

// app is what every command needs of its surroundings.
type app struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	format   string // -o: table, json or ndjson

	// language is that of what codes mean: --language, or what the environment says.
	language string

	// credentials is the folder in which systemd puts a service's credentials
	// (systemd.exec(5)), or empty. It comes from the environment, which only main
	// reads.
	credentials string
}

func (a *app) execute(ctx context.Context) int {
	root := a.root()
	root.SetArgs(a.args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return a.exit(root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
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
			switch a.format {
			case "table", "json", "ndjson":
			default:
				return usage("-o takes table, json or ndjson")
			}
			if a.language != protocol.English && a.language != protocol.Russian {
				given := a.language
				a.language = protocol.English
				return usage("--language takes en or ru, not %q", given)
			}
			return nil
		},
	}
	root.PersistentFlags().StringVar(&a.language, "language", cmp.Or(a.language, protocol.English), "language of what codes mean and what to do now: en or ru; without it, by LANG")
	root.PersistentFlags().StringVarP(&a.format, "output", "o", "table", "output format: table, json or ndjson")
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
	add("start", a.demoCommand(), a.sandboxCommand(), a.initCommand(), a.runCommand(), a.statusCommand())
	add("ask", a.verifyCommand(), a.identifyCommand(), a.resolveCommand())
	add("keep", a.backupCommand(), a.recoveryCommand(), a.galleryCommand())
	add("people", a.enrolCommand(), a.consentCommand(), a.canaryCommand(), a.subjectCommand(), a.templatesCommand(), a.extractCommand())
	add("keys", a.custodyCommand(), a.holderCommand(), a.ceremonyCommand(), a.unsealCommand(), a.keyCommand())
	add("federation", a.anchorCommand(), a.peerCommand(), a.trustCommand())
	add("check", a.policyCommand(), a.ledgerCommand(), a.evaluateCommand(), a.calibrateCommand(), a.conformCommand(), a.benchCommand())
	root.SetHelpCommand(a.helpCommand(root))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageOf(c, err) })
	return root
}

// languageOf is the language of the first that is set of LC_ALL, LC_MESSAGES and LANG (POSIX.1-2017, 8.2): Russian, or
// English for every other.
func languageOf(locales ...string) string {
	for _, l := range locales {
		if l == "" {
			continue
		}
		if l == protocol.Russian || strings.HasPrefix(l, protocol.Russian+"_") || strings.HasPrefix(l, protocol.Russian+".") {
			return protocol.Russian
		}
		break
	}
	return protocol.English
}

// sentences are those of the code in the command's language.
func (a *app) sentences(c protocol.Code) protocol.CodeEntry {
	e, _ := protocol.Lookup(c)
	return e.In(a.language)
}

// terminal reports whether w is a terminal that may be drawn on.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
