// Package nodecmd is `tamga init`, `tamga run` and `tamga status`: a node is made, runs and says how it is.
package nodecmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
)

// Run is `tamga run`.
func Run(a *cli.App) *cobra.Command {
	var dir string
	var from rootkey.Flags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run a node until Ctrl-C",
		Long: `Opens the root key, the gallery and the ledger, listens to the other members, and serves
the HTTP API. Events go to stderr as JSON, one a line, without personal data.

Changed listen.libp2p and listen.advertise are taken up while the node runs, within
trust.refresh or at once upon SIGHUP: it listens on the new addresses, hands its new Entity
Configuration to every member, and gives the former ones up when all have it, after 24 hours at the
latest. Hand entity-configuration.jwt to the Trust Anchor all the same: who becomes a member
later hears of addresses there. What else changed waits for the next start.

The passphrase comes from --passphrase-file, from --passphrase-fd, or from the systemd
credential tamga-passphrase (LoadCredentialEncrypted= in the unit); that of a pseudonym
keystore from the same with pseudonym- in front, and tamga-pseudonym-passphrase. A node whose key
custodians hold starts sealed without one: it answers health checks and waits for
` + "`tamga unseal`" + `.`,
		Example: `  tamga run --dir kaz --passphrase-file pass.txt
  tamga run --dir kaz --passphrase-fd 3 3< pass.txt
  systemd-creds decrypt pass.cred - | tamga run --dir kaz --passphrase-file -
  kill -HUP PID        # after an address in tamga.yaml was changed`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), a, dir, from) },
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.AddBoth(c.Flags(), "")
	return c
}

func run(ctx context.Context, a *cli.App, dir string, from rootkey.Flags) (err error) {
	if dir == "" {
		return fault.Usage("--dir is needed: the folder that `tamga init` made")
	}
	// Who sends it means to have a file read again, and not to end a node that still waits
	// for its custodians: what comes before the node runs is attended to then.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	file := filepath.Join(dir, node.ConfigFile)
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	if err := node.Check(file); err != nil {
		return err
	}
	var level slog.Level
	if cfg.Log.Level != "" {
		if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
			return fmt.Errorf("reading log level: %w", err)
		}
	}
	log := slog.New(slog.NewJSONHandler(a.Err, &slog.HandlerOptions{Level: level}))
	if err := custody.HideProcess(); err != nil {
		log.WarnContext(ctx, "process not hidden from core dumps", slog.String("cause", err.Error()))
	}
	roots, err := rootkey.OpenAllToRun(ctx, a, dir, from, cfg, log)
	if errors.Is(err, context.Canceled) {
		return nil // stopped while sealed, as it is stopped while it runs
	} else if err != nil {
		return err
	}
	defer roots.Wipe()
	if !roots.Node.Locked() {
		log.WarnContext(ctx, "root key not in locked memory: raise RLIMIT_MEMLOCK (LimitMEMLOCK= of systemd)")
	}
	n, err := node.OpenUnsealed(ctx, file, roots, log, node.Overrides{})
	roots.Wipe()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	a.Say("running %s; API http://%s; peers %s", cfg.EntityID, n.APIAddress(), strings.Join(n.Status().Addresses, " "))
	ended, end := context.WithCancel(ctx)
	defer end()
	go func() {
		for {
			select {
			case <-hangup:
				n.Reconsider()
			case <-ended.Done():
				return
			}
		}
	}()
	return n.Run(ctx, api.Handler(n))
}

// Status is `tamga status`.
func Status(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show a running node: members, law, ledger",
		Long:  `Asks a running node for its state. Exit code 7 when it does not answer.`,
		Example: `  tamga status --dir kaz
  tamga status --api http://127.0.0.1:7443 --token-file api-token -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := nf.Client()
			if err != nil {
				return err
			}
			var s node.Status
			if err := cl.Call(c.Context(), http.MethodGet, "/v1/status", "", nil, &s); err != nil {
				return err
			}
			return a.Emit(s, statusRows(s))
		},
	}
	nf.Add(c.Flags())
	return c
}

func statusRows(s node.Status) [][2]string {
	confirmed := "working text, not confirmed by counsel"
	if s.Law.Confirmed {
		confirmed = "confirmed"
	}
	rows := [][2]string{
		{"entity", s.EntityID}, {"country", s.Jurisdiction}, {"peer id", s.PeerID}, {"addresses", strings.Join(s.Addresses, " ")},
		{"running since", s.Started.Format(time.RFC3339)},
		{"law", s.Law.Version + " (" + confirmed + "), serves " + strings.Join(s.Law.Serves, ", ")},
		{"subjects", fmt.Sprint(s.Subjects)}, {"ledger", fmt.Sprintf("%s, %d entries", s.Ledger.Origin, s.Ledger.Size)},
	}
	for _, what := range s.Attention {
		rows = append(rows, [2]string{"look after", what.Text()})
	}
	if s.Full {
		rows = append(rows, [2]string{"disk", "too little space is left: nothing is enrolled or erased"})
	}
	if len(s.Refused) > 0 {
		var said []string
		for _, cause := range slices.Sorted(maps.Keys(s.Refused)) {
			if n := s.Refused[cause]; n > 0 {
				said = append(said, fmt.Sprintf("%s %d", cause, n))
			}
		}
		rows = append(rows, [2]string{"refused", cmp.Or(strings.Join(said, ", "), "nothing")})
	}
	if len(s.Alarms) > 0 {
		var said []string
		for _, kind := range slices.Sorted(maps.Keys(s.Alarms)) {
			said = append(said, fmt.Sprintf("%s %d", kind, s.Alarms[kind]))
		}
		rows = append(rows, [2]string{"alarms", strings.Join(said, ", ") + "; tamga canary alarms lists them"})
	}
	if len(s.Members) == 0 {
		rows = append(rows, [2]string{"members", "none known: is the Trust Anchor reachable, and this node enrolled?"})
	}
	for _, m := range s.Members {
		state := "not connected"
		if m.Connected {
			state = "connected"
		}
		rows = append(rows, [2]string{"member " + m.Jurisdiction, fmt.Sprintf("%s, %s, until %s", m.EntityID, state, m.Expires.UTC().Format(time.RFC3339))})
	}
	return rows
}
