package rotation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/stores"
)

// A KEK or pseudonym key is retired in four steps: the keystore says that it is being
// retired; everything in the gallery is moved to a later one, which is made sure of; all
// who share the store have gone on to that; then it is destroyed. Whoever has the gallery
// open does the last three, a running node or the command. Before the last, both keys
// open what they opened, and a crash costs no more than doing the second step again,
// which passes over what was moved.

// RetirementState is where the retirement of a key's old generations stands.
type RetirementState string

// The states.
const (
	RetirementRunning RetirementState = "running" // what they are needed for is moved
	RetirementWaiting RetirementState = "waiting" // until others do not need them either
	RetirementFailed  RetirementState = "failed"  // is tried again by itself; nothing was lost
)

// Retirement says how far it is. There is none once the generations are destroyed.
type Retirement struct {
	State   RetirementState
	Keep    uint32   // the generations before it are to be destroyed
	Done    uint64   // subjects that were looked at
	Total   uint64   // that there are
	Waiting []string // for what
	Err     error    // when Failed
}

// MoveOn moves everything in the gallery to the current generation of a key, and returns
// that: nothing is under an older one then, or ever will be.
func MoveOn(ctx context.Context, g *gallery.Gallery, f keys.Family, progress func(looked uint64)) (uint32, error) {
	if f == keys.Pseudonym {
		generation, _, err := g.RenameAll(ctx, func(r renewal.Renamed) { progress(r.Looked) })
		return generation, err
	}
	done, err := g.RewrapAll(ctx, func(r renewal.Rewrapped) { progress(r.Looked) })
	return done.Generation, err
}

// RetireKey destroys the generations before the current one, of a node that is not
// running, and returns their numbers. Before it destroys KEKs or pseudonym keys it makes
// sure that the gallery needs none of them, and nobody who shares its store. While
// another process has the gallery open that is [gallery.ErrLocked]: a running node does it, then.
func RetireKey(ctx context.Context, configFile string, roots keystore.Roots, f keys.Family, progress func(Retirement)) (gone []uint32, err error) {
	dir := filepath.Dir(configFile)
	if IsUsed(f) {
		return retireUsed(ctx, configFile, roots, f, progress)
	}
	err = roots.Update(dir, f, func(secrets map[string][]byte) error {
		g, err := keys.Of(secrets, f)
		if err == nil && f == keys.Ledger {
			err = ledgerResigned(ctx, configFile, secrets, time.Now)
		}
		if err == nil && f == keys.Federation && g.Oldest() < g.Current {
			err = keepHistory(configFile, g, time.Now())
		}
		if err != nil {
			return err
		}
		gone, err = keys.Retire(secrets, f, g.Current)
		return err
	})
	return gone, err
}

// ErrLedgerKey refuses to destroy ledger keys that are still needed.
var ErrLedgerKey = errors.New("the ledger is not signed with the present ledger key alone yet")

// ledgerResigned makes sure that the ledger, and those that ended before it, open without
// the ledger keys before the current ones: that their checkpoints, and the copy outside, are
// signed with these. A ledger that ended gets them here, since nobody else signs it anew:
// its tree stays the one that it ended with.
func ledgerResigned(ctx context.Context, configFile string, secrets map[string][]byte, now func() time.Time) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	number := ledgers.Number(cfg)
	for n := 1; n <= number; n++ {
		signer, err := keystore.LedgerSigner(secrets, ledgers.Origin(cfg.EntityID, n))
		if err != nil {
			return err
		}
		dir := filepath.Join(cfg.DataDir, ledgers.Name(n))
		files := []string{filepath.Join(dir, "checkpoint")}
		if n < number {
			if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
				continue // it was lost with its node
			}
			if err := resignEnded(ctx, dir, signer, now); err != nil {
				return fmt.Errorf("retiring %s: %w", keys.Ledger, err)
			}
		} else if cfg.Recovery.CheckpointFile != "" {
			files = append(files, cfg.Recovery.CheckpointFile)
		}
		if err := signedByCurrent(signer, files); err != nil {
			return err
		}
	}
	return nil
}

// resignEnded opens a ledger that nothing is appended to any more, which signs what it ends
// with by all keys of the signer.
func resignEnded(ctx context.Context, dir string, signer lognote.Signer, now func() time.Time) error {
	l, err := ledger.Open(ctx, ledger.Config{Dir: dir, Signer: signer, Now: now})
	if err != nil {
		return err
	}
	return l.Close()
}

func signedByCurrent(signer lognote.Signer, files []string) error {
	v, err := lognote.NewVerifier(signer.Origin(), signer.VerifierKeys())
	if err != nil {
		return err
	}
	for _, file := range files {
		if ok, err := ledger.SignedBy(file, v); err != nil || !ok {
			return errors.Join(fmt.Errorf("retiring %s: %w: %s", keys.Ledger, ErrLedgerKey, filepath.Base(file)), err)
		}
	}
	return nil
}

// retireUsed retires the keys that the gallery uses: KEKs or pseudonym keys.
func retireUsed(ctx context.Context, configFile string, roots keystore.Roots, f keys.Family, progress func(Retirement)) (gone []uint32, err error) {
	dir := filepath.Dir(configFile)
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(stores.GalleryDir(cfg)); err != nil {
		return nil, fmt.Errorf("opening gallery: %w", err)
	}
	r := Retirement{State: RetirementRunning}
	if r.Keep, err = MarkKey(dir, roots, f); err != nil {
		return nil, err
	}
	k, err := keystore.Open(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	if err := keystore.NeedPseudonyms(cfg, k); err != nil {
		return nil, fmt.Errorf("retiring %s: %w", f, err)
	}
	g, err := stores.OpenGallery(ctx, cfg, k)
	if err != nil {
		return nil, err
	}
	// Held open until the keys are gone, so that nobody uses them meanwhile.
	defer func() { err = errors.Join(err, g.Close()) }()
	r.Total = uint64(g.Subjects())
	show := func(change func(*Retirement)) {
		if change(&r); progress != nil {
			progress(r)
		}
	}
	moved, err := MoveOn(ctx, g, f, func(looked uint64) { show(func(r *Retirement) { r.Done = looked }) })
	if err != nil {
		return nil, err
	}
	if moved < r.Keep {
		return nil, fmt.Errorf("retiring %s: %w", f, custody.ErrBusy)
	}
	err = g.AwaitReplicas(ctx, string(f), r.Keep, func(names []string) {
		show(func(r *Retirement) { r.State, r.Waiting = RetirementWaiting, names })
	})
	if err != nil {
		return nil, err
	}
	// Everything is under the generation that was current when it was marked, or a later one. Another may be by now, and
	// then this one is needed.
	return DestroyBefore(dir, roots, f, r.Keep)
}
