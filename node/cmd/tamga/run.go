package main

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
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
	"github.com/tamga-id/tamga/node/unseal"
)

func (a *app) runCommand() *cobra.Command {
	var dir string
	var from rootFlags
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
		RunE: func(c *cobra.Command, _ []string) error { return a.run(c.Context(), dir, from) },
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.addBoth(c.Flags(), "")
	return c
}

func (a *app) run(ctx context.Context, dir string, from rootFlags) (err error) {
	if dir == "" {
		return usage("--dir is needed: the folder that `tamga init` made")
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
	log := slog.New(slog.NewJSONHandler(a.err, &slog.HandlerOptions{Level: level}))
	if err := custody.HideProcess(); err != nil {
		log.WarnContext(ctx, "process not hidden from core dumps", slog.String("cause", err.Error()))
	}
	roots, err := a.runRoots(ctx, dir, from, cfg, log)
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
	a.say("running %s; API http://%s; peers %s", cfg.EntityID, n.APIAddress(), strings.Join(n.Status().Addresses, " "))
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

// runRoots opens the root keys that the node needs.
func (a *app) runRoots(ctx context.Context, dir string, from rootFlags, cfg config.Config, log *slog.Logger) (r keystore.Roots, err error) {
	if cfg.Pseudonym.Keystore != "" {
		if err := pseudonymKeystoreThere(cfg); err != nil {
			return keystore.Roots{}, err // before anybody brings shares
		}
	}
	if r.Node, err = a.runRoot(ctx, dir, dir, from, cfg, log); err != nil || cfg.Pseudonym.Keystore == "" {
		return r, err
	}
	r.PseudonymDir = cfg.Pseudonym.Keystore
	if r.Pseudonym, err = a.runRoot(ctx, dir, r.PseudonymDir, *from.pseudonym, cfg, log); err != nil {
		r.Wipe()
		return keystore.Roots{}, ofPseudonymKeystore(err)
	}
	return r, nil
}

// runRoot opens the root key in the folder at, the node's or that of its pseudonym
// key: with a passphrase where there is one, and else waits, sealed, for custodians.
func (a *app) runRoot(ctx context.Context, dir, at string, from rootFlags, cfg config.Config, log *slog.Logger) (custody.Root, error) {
	if err := rotation.SettleRoot(at); err != nil {
		return custody.Root{}, err
	}
	p, err := custody.Inspect(keystore.RootFile(at))
	if err != nil {
		return custody.Root{}, err
	}
	if p.Custodians == nil || a.given(from.secretFlags) || len(from.shares) > 0 || from.module != "" {
		return a.openRoot(at, from)
	}
	s, dropped, err := unseal.Open(dir, keystore.RootFile(at))
	if err != nil {
		return custody.Root{}, err
	}
	for _, name := range dropped {
		log.WarnContext(ctx, "share of an earlier start dropped", slog.String("file", name))
	}
	a.say("sealed: %d shares are missing; shares are taken at http://%s%s, sealed to the recipient %s", s.Progress().Missing, cfg.Listen.API, unseal.Path, s.Progress().Fingerprint)
	a.say("hint: tamga unseal --dir %s --share FILE --identity FILE", dir)
	root, err := node.ServeSealed(ctx, cfg, s, log)
	if err == nil {
		a.say("unsealed")
	}
	return root, err
}

func (a *app) statusCommand() *cobra.Command {
	var nf nodeFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show a running node: members, law, ledger",
		Long:  `Asks a running node for its state. Exit code 7 when it does not answer.`,
		Example: `  tamga status --dir kaz
  tamga status --api http://127.0.0.1:7443 --token-file api-token -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := nf.client()
			if err != nil {
				return err
			}
			var s node.Status
			if err := cl.call(c.Context(), http.MethodGet, "/v1/status", "", nil, &s); err != nil {
				return err
			}
			return a.emit(s, statusRows(s))
		},
	}
	nf.add(c.Flags())
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
