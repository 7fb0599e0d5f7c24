package rootkey

import (
	"context"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
	"github.com/tamga-id/tamga/node/unseal"
)

// OpenAllToRun opens the root keys that the node needs.
func OpenAllToRun(ctx context.Context, a *cli.App, dir string, from Flags, cfg config.Config, log *slog.Logger) (r keystore.Roots, err error) {
	if cfg.Pseudonym.Keystore != "" {
		if err := pseudonymKeystoreThere(cfg); err != nil {
			return keystore.Roots{}, err // before anybody brings shares
		}
	}
	if r.Node, err = OpenToRun(ctx, a, dir, dir, from, cfg, log); err != nil || cfg.Pseudonym.Keystore == "" {
		return r, err
	}
	r.PseudonymDir = cfg.Pseudonym.Keystore
	if r.Pseudonym, err = OpenToRun(ctx, a, dir, r.PseudonymDir, *from.Pseudonym, cfg, log); err != nil {
		r.Wipe()
		return keystore.Roots{}, ofPseudonymKeystore(err)
	}
	return r, nil
}

// OpenToRun opens the root key in the folder at, the node's or that of its pseudonym
// key: with a passphrase where there is one, and else waits, sealed, for custodians.
func OpenToRun(ctx context.Context, a *cli.App, dir, at string, from Flags, cfg config.Config, log *slog.Logger) (custody.Root, error) {
	if err := rotation.SettleRoot(at); err != nil {
		return custody.Root{}, err
	}
	p, err := custody.Inspect(keystore.RootFile(at))
	if err != nil {
		return custody.Root{}, err
	}
	if p.Custodians == nil || a.Given(from.SecretFlags) || len(from.Shares) > 0 || from.Module != "" {
		return Open(a, at, from)
	}
	s, dropped, err := unseal.Open(dir, keystore.RootFile(at))
	if err != nil {
		return custody.Root{}, err
	}
	for _, name := range dropped {
		log.WarnContext(ctx, "share of an earlier start dropped", slog.String("file", name))
	}
	a.Say("sealed: %d shares are missing; shares are taken at http://%s%s, sealed to the recipient %s", s.Progress().Missing, cfg.Listen.API, unseal.Path, s.Progress().Fingerprint)
	a.Say("hint: tamga unseal --dir %s --share FILE --identity FILE", dir)
	root, err := node.ServeSealed(ctx, cfg, s, log)
	if err == nil {
		a.Say("unsealed")
	}
	return root, err
}
