package storecmd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/ledgers"
)

// Ledger is `tamga ledger`.
func Ledger(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "ledger",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Short:   "Look after the node's transparency log",
		Long:    `The ledger holds one entry for every question asked or answered, in a Merkle tree whose head is signed.`,
		Example: `  tamga ledger verify --dir kaz`,
	}
	c.AddCommand(ledgerVerify(a))
	return c
}

func ledgerVerify(a *cli.App) *cobra.Command {
	var dir, configuration string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Recompute the ledger and compare it with what was signed",
		Long: `Reads every entry, recomputes every hash and compares them with the signed checkpoint. One
changed byte, a missing entry or entries cut off since the last signed head give exit
code 9. A whole folder put back to an earlier state is sound in itself: compare its
size with receipts that peers hold. It
needs no passphrase. The public keys come from the Entity Configuration in the node's
folder, which an insider could replace together with the ledger: an auditor brings the
one that the Trust Anchor holds, with --entity-configuration. A running node is asked
to verify its own ledger; stop it for the audit of the files.`,
		Example: `  tamga ledger verify --dir kaz
  tamga ledger verify --dir kaz --entity-configuration from-the-anchor.jwt -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return verifyLedger(c.Context(), a, dir, configuration) },
	}
	c.Flags().StringVar(&configuration, "entity-configuration", "", "the node's Entity Configuration from an independent source (default: the one in its folder)")
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	return c
}

// Audited is the command's JSON result.
type Audited struct {
	OK   bool   `json:"ok"`
	Size uint64 `json:"size"`
	Root string `json:"root"`
	By   string `json:"by"`
}

func verifyLedger(ctx context.Context, a *cli.App, dir, configuration string) error {
	if dir == "" {
		return fault.Usage("--dir is needed: the folder that `tamga init` made")
	}
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return err
	}
	if configuration == "" {
		configuration = filepath.Join(dir, node.EntityConfigurationFile)
	}
	v, err := ledgerVerifier(configuration)
	if err != nil {
		return err
	}
	progress := func(done, total uint64) {
		if cli.Terminal(a.Err) {
			fmt.Fprintf(a.Err, "\rverifying: %d of %d", done, total)
		}
	}
	r, err := ledger.Verify(ctx, ledgers.Dir(cfg), v, progress)
	switch {
	case err == nil:
		return sound(a, Audited{OK: true, Size: r.Size, Root: base64.StdEncoding.EncodeToString(r.Root[:]), By: "files"})
	case errors.Is(err, ledger.ErrLocked):
		return askLedger(ctx, a, dir)
	}
	return err
}

// askLedger lets the running node verify itself.
func askLedger(ctx context.Context, a *cli.App, dir string) error {
	cl, err := nodeclient.Flags{Dir: dir, Operator: true}.Client()
	if err != nil {
		return err
	}
	var r Audited
	if err := cl.Call(ctx, http.MethodPost, "/v1/ledger/verifications", "", nil, &r); err != nil {
		return err
	}
	if !r.OK {
		return &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeLedgerTampered, Err: fmt.Errorf("the running node's ledger does not hash to its signed root")}
	}
	r.By = "running node"
	return sound(a, r)
}

func sound(a *cli.App, r Audited) error {
	return a.Emit(r, [][2]string{{"ledger", "sound"}, {"entries", fmt.Sprint(r.Size)}, {"root", r.Root}, {"verified by", r.By}})
}

// ledgerVerifier takes the ledger's public keys from an Entity Configuration that its
// own federation key has signed.
func ledgerVerifier(file string) (lognote.Verifier, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return lognote.Verifier{}, fmt.Errorf("reading entity configuration: %w", err)
	}
	token := strings.TrimSpace(string(b))
	s, err := trust.ParseStatement(token)
	if err == nil {
		_, err = jose.Verify(token, "entity-statement+jwt", s.Keys())
	}
	if err != nil {
		return lognote.Verifier{}, &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeLedgerTampered, Err: fmt.Errorf("reading entity configuration: %w", err)}
	}
	m, err := s.Metadata()
	if err != nil || m.TamgaNode == nil || m.TamgaNode.Ledger == nil {
		return lognote.Verifier{}, fmt.Errorf("reading entity configuration: it names no ledger")
	}
	return lognote.NewVerifier(m.TamgaNode.Ledger.Origin, m.TamgaNode.Ledger.Keys)
}
