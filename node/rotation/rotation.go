// Package rotation replaces a node's keys: it prepares, activates and retires generations of
// those in the keystores (node/keystore), and the root keys that these are sealed under.
//
// Each step is one durable change of a keystore, which a running node takes up by itself.
// [RetireKey] destroys a key that the gallery uses only once nothing there needs it; it does so for
// a node that does not run, and the node itself does the same with [MoveOn] and [DestroyBefore].
package rotation

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
)

// PrepareKey adds a generation that is not used yet, and returns its number.
func PrepareKey(dir string, roots keystore.Roots, f keys.Family) (number uint32, err error) {
	err = roots.Update(dir, f, func(secrets map[string][]byte) (err error) {
		if f == keys.Pseudonym {
			if err := mayReplace(secrets); err != nil {
				return err
			}
		}
		if number, err = keys.Prepare(secrets, f); err == nil && f == keys.Ledger {
			err = ledgerHolds(secrets)
		}
		return err
	})
	return number, err
}

// ErrUnretired refuses to prepare another generation of a key beside as many as fit.
var ErrUnretired = errors.New("too many generations are not retired yet")

// ledgerHolds refuses more generations of the ledger key than sign a ledger at once.
func ledgerHolds(secrets map[string][]byte) error {
	g, err := keys.Of(secrets, keys.Ledger)
	if err == nil && len(g.Secrets) > lognote.MaxGenerations {
		err = fmt.Errorf("preparing %s: %w: at most %d sign at once", keys.Ledger, ErrUnretired, lognote.MaxGenerations)
	}
	return err
}

// ActivateKey makes the prepared generation the current one, and returns its number.
func ActivateKey(dir string, roots keystore.Roots, f keys.Family, now time.Time) (number uint32, err error) {
	if f == keys.Pseudonym {
		if err := checkHolders(dir, roots); err != nil {
			return 0, fmt.Errorf("activating %s: %w", f, err)
		}
	}
	err = roots.Update(dir, f, func(secrets map[string][]byte) (err error) {
		number, err = keys.Activate(secrets, f, now)
		return err
	})
	return number, err
}

// DestroyBefore destroys the generations before keep, if they are there still.
func DestroyBefore(dir string, roots keystore.Roots, f keys.Family, keep uint32) (gone []uint32, err error) {
	err = roots.Update(dir, f, func(secrets map[string][]byte) (err error) {
		gone, err = keys.Retire(secrets, f, keep)
		return err
	})
	if errors.Is(err, keys.ErrNothingOld) {
		return nil, nil
	}
	return gone, err
}

// MarkKey has the keystore say that the generations of a KEK or pseudonym key before the
// current one are to be retired, which a running node then does.
func MarkKey(dir string, roots keystore.Roots, f keys.Family) (keep uint32, err error) {
	err = roots.Update(dir, f, func(secrets map[string][]byte) (err error) {
		keep, err = keys.Mark(secrets, f, 0)
		return err
	})
	return keep, err
}

// IsUsed reports whether the gallery uses a key, so that retiring it takes more than a
// moment.
func IsUsed(f keys.Family) bool { return f == keys.KEK || f == keys.Pseudonym }

// Lock keeps other commands from changing the keys of the node until release is
// called or the process ends: [custody.ErrBusy]. A running node is none of them.
func Lock(configFile string) (release func(), err error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(cfg.DataDir) // the folder itself, so that no file is left
	if err != nil {
		return nil, fmt.Errorf("locking keys: %w", err)
	}
	if err := store.Lock(f); err != nil {
		if errors.Is(err, store.ErrLocked) {
			err = custody.ErrBusy
		}
		return nil, errors.Join(fmt.Errorf("locking keys: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
