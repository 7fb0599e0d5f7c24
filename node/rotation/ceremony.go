package rotation

import (
	"fmt"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
)

// StartCeremony deals shares of a new key after the plan, writes them and the
// transcript into the new folder out, and then puts the node's root key under the
// custodians, beside what opens it now. When it fails, the root key is as it was,
// and what lies in out opens nothing.
func StartCeremony(configFile string, root custody.Root, p ceremony.Plan, out string) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	if p.Entity != cfg.EntityID {
		return fmt.Errorf("starting ceremony: %w", keystore.ErrForeignPlan)
	}
	dir := filepath.Dir(configFile)
	k, err := keystore.Open(dir, keystore.Roots{Node: root}, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return err
	}
	defer k.Wipe()
	d, err := ceremony.Deal(p)
	if err != nil {
		return err
	}
	defer clear(d.Key)
	if err := keystore.WriteCeremony(out, p, d, k.Federation); err != nil {
		return err
	}
	return custody.Protect(keystore.RootFile(dir), root, custody.Shared(d.Terms, d.Key))
}
