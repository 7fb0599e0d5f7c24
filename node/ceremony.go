package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/ledgers"
)

// TranscriptFile is the transcript in the folder that a ceremony writes to; the
// shares are beside it.
const TranscriptFile = "transcript.json"

// ErrForeignPlan: the plan of a ceremony is for another node's key.
var ErrForeignPlan = errors.New("the plan is for another entity")

// ShareFile is the name of the sealed share of the plan's custodian i, from 0.
func ShareFile(p ceremony.Plan, i int) string {
	return fmt.Sprintf("share-%d-%s.age", i+1, p.Custodians[i].Name)
}

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
		return fmt.Errorf("starting ceremony: %w", ErrForeignPlan)
	}
	dir := filepath.Dir(configFile)
	k, err := openKeys(dir, Roots{Node: root}, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return err
	}
	defer k.wipe()
	d, err := ceremony.Deal(p)
	if err != nil {
		return err
	}
	defer clear(d.Key)
	if err := writeCeremony(out, p, d, k.federation); err != nil {
		return err
	}
	return custody.Protect(RootFile(dir), root, custody.Shared(d.Terms, d.Key))
}

// writeCeremony writes what custodians and auditors are to get, flushed.
func writeCeremony(out string, p ceremony.Plan, d ceremony.Dealt, key jose.PrivateKey) error {
	t, err := d.Transcript(key)
	if err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		return fmt.Errorf("writing shares: %w", err)
	}
	for i, sealed := range d.Sealed {
		if err := writeNew(filepath.Join(out, ShareFile(p, i)), sealed, 0o600); err != nil {
			return fmt.Errorf("writing shares: %w", err)
		}
	}
	if err := writeNew(filepath.Join(out, TranscriptFile), t.Encode(), 0o644); err != nil {
		return fmt.Errorf("writing transcript: %w", err)
	}
	f, err := os.Open(out)
	if err != nil {
		return fmt.Errorf("writing transcript: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
