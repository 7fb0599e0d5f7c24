package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/ledgers"
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

// busyReading is what is waited for beside other nodes.
const busyReading = "a backup, copy or check of the gallery that is under way"

// errReading: a key is dropped when nothing that is under way may come across it.
var errReading = errors.New("waiting for the end of " + busyReading)

// retirements are those of a running node.
type retirements struct {
	wake chan struct{} // room for one: there is something to do

	mu  sync.Mutex
	all map[keys.Family]Retirement

	// Owned by rotating: up to which generation everything is known to be moved.
	moved map[keys.Family]uint32
}

func (r *retirements) set(f keys.Family, change func(*Retirement)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[keys.Family]Retirement)
	}
	one := r.all[f]
	change(&one)
	r.all[f] = one
}

// progress notes how many subjects were looked at for a retirement that is under way.
func (r *retirements) progress(f keys.Family, looked uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one, ok := r.all[f]; ok {
		one.Done = looked
		r.all[f] = one
	}
}

func (r *retirements) end(f keys.Family) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, f)
}

func (r *retirements) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Retirements reports, by key, how far the retirements are that are under way.
func (n *Node) Retirements() map[keys.Family]Retirement {
	n.retirements.mu.Lock()
	defer n.retirements.mu.Unlock()
	out := maps.Clone(n.retirements.all)
	for f, r := range out {
		r.Total = uint64(n.gallery.Subjects())
		out[f] = r
	}
	return out
}

// TakeUpKeys puts the keys of a changed keystore into use now, and has begun what it says
// is to be done. Run does it by itself within the refresh time.
func (n *Node) TakeUpKeys(ctx context.Context) (map[keys.Family]Retirement, error) {
	if err := n.reload(ctx); err != nil && !errors.Is(err, errReading) {
		return nil, err
	}
	n.meet(ctx)
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		if keep := n.family(f).keep; keep != 0 {
			n.retirements.set(f, func(r *Retirement) {
				if r.Keep != keep || r.State == RetirementFailed {
					*r = Retirement{State: RetirementRunning, Keep: keep}
				}
			})
		}
	}
	n.retirements.rouse()
	return n.Retirements(), nil
}

// family is what the node knows of a key that rotates.
func (n *Node) family(f keys.Family) familyState {
	n.takingUp.Lock()
	defer n.takingUp.Unlock()
	return n.keys.families[f]
}

// waitPause is how often is looked whether what a retirement waits for has come.
const waitPause = time.Second

// retiring goes on with every retirement as far as that is possible now. Again fires when
// it is worth looking again before the next refresh; stop gives it up.
func (n *Node) retiring(ctx context.Context) (again <-chan time.Time, stop func()) {
	waiting := false
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		keep := n.family(f).keep
		if keep == 0 {
			n.retirements.end(f)
			continue
		}
		n.retirements.set(f, func(r *Retirement) {
			if r.Keep != keep {
				*r = Retirement{State: RetirementRunning, Keep: keep}
			}
		})
		names, err := n.retire(ctx, f, keep)
		switch {
		case err != nil && ctx.Err() == nil:
			n.reading.relent() // backups and checks go on, which show what is wrong
			n.retirements.set(f, func(r *Retirement) { r.State, r.Waiting, r.Err = RetirementFailed, nil, err })
			n.log.WarnContext(ctx, "old keys not destroyed", slog.String("key", string(f)), slog.String("cause", err.Error()))
		case err == nil && len(names) > 0:
			waiting = true
			n.retirements.set(f, func(r *Retirement) {
				if !slices.Equal(r.Waiting, names) {
					n.log.InfoContext(ctx, "old keys are still needed", slog.String("key", string(f)), slog.Any("by", names))
				}
				r.State, r.Waiting, r.Err = RetirementWaiting, names, nil
			})
		}
	}
	if !waiting {
		return nil, func() {}
	}
	t := time.NewTimer(waitPause)
	return t.C, func() { t.Stop() }
}

// retire destroys the generations before keep, unless somebody still needs them, who is
// named.
func (n *Node) retire(ctx context.Context, f keys.Family, keep uint32) (waiting []string, err error) {
	if n.retirements.moved[f] < keep {
		moved, err := moveOn(ctx, n.gallery, f, func(looked uint64) { n.retirements.progress(f, looked) })
		if err != nil {
			return nil, err
		}
		if n.retirements.moved == nil {
			n.retirements.moved = make(map[keys.Family]uint32)
		}
		n.retirements.moved[f] = moved
	}
	if n.retirements.moved[f] < keep {
		return nil, fmt.Errorf("retiring %s: generation %d is not in use yet", f, keep)
	}
	if waiting, err = n.gallery.Behind(time.Now(), string(f), keep); err != nil || len(waiting) > 0 {
		n.reading.relent()
		return waiting, err
	}
	if !n.reading.tryClose() {
		return []string{busyReading}, nil
	}
	defer n.reading.open()
	gone, err := n.destroy(f, keep)
	if errors.Is(err, custody.ErrBusy) {
		return []string{"a command that changes the keystore"}, nil
	}
	if err != nil {
		return nil, err
	}
	n.log.InfoContext(ctx, "old keys destroyed", slog.String("key", string(f)), slog.Any("generations", gone))
	n.retirements.rouse()
	return nil, n.reload(ctx) // and forgets them
}

func (n *Node) destroy(f keys.Family, keep uint32) (gone []uint32, err error) {
	roots, err := n.currentRoots()
	if err != nil {
		return nil, err
	}
	defer roots.Wipe()
	return destroyBefore(n.dir, roots, f, keep)
}

// moveOn moves everything in the gallery to the current generation of a key, and returns
// that: nothing is under an older one then, or ever will be.
func moveOn(ctx context.Context, g *gallery.Gallery, f keys.Family, progress func(looked uint64)) (uint32, error) {
	if f == keys.Pseudonym {
		generation, _, err := g.RenameAll(ctx, func(r gallery.Renamed) { progress(r.Looked) })
		return generation, err
	}
	done, err := g.RewrapAll(ctx, func(r gallery.Rewrapped) { progress(r.Looked) })
	return done.Generation, err
}

// destroyBefore destroys the generations before keep, if they are there still.
func destroyBefore(dir string, roots Roots, f keys.Family, keep uint32) (gone []uint32, err error) {
	err = roots.update(dir, f, func(secrets map[string][]byte) (err error) {
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
func MarkKey(dir string, roots Roots, f keys.Family) (keep uint32, err error) {
	err = roots.update(dir, f, func(secrets map[string][]byte) (err error) {
		keep, err = keys.Mark(secrets, f, 0)
		return err
	})
	return keep, err
}

// IsUsed reports whether the gallery uses a key, so that retiring it takes more than a
// moment.
func IsUsed(f keys.Family) bool { return f == keys.KEK || f == keys.Pseudonym }

// RetireKey destroys the generations before the current one, of a node that is not
// running, and returns their numbers. Before it destroys KEKs or pseudonym keys it makes
// sure that the gallery needs none of them, and nobody who shares its store. While
// another process has the gallery open that is [gallery.ErrLocked]: a running node does it, then.
func RetireKey(ctx context.Context, configFile string, roots Roots, f keys.Family, progress func(Retirement)) (gone []uint32, err error) {
	dir := filepath.Dir(configFile)
	if IsUsed(f) {
		return retireUsed(ctx, configFile, roots, f, progress)
	}
	err = roots.update(dir, f, func(secrets map[string][]byte) error {
		g, err := keys.Of(secrets, f)
		if err == nil && f == keys.Ledger {
			err = ledgerResigned(configFile, secrets)
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

// ledgerResigned makes sure that the ledger opens without the ledger keys before the
// current ones: that its checkpoint, and the copy outside, are signed with these, and that
// there is no ledger before it, which nobody signs anew.
func ledgerResigned(configFile string, secrets map[string][]byte) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	number := ledgers.Number(cfg)
	if number > 1 {
		return fmt.Errorf("retiring %s: %w: ledgers that ended are signed with those before", keys.Ledger, ErrLedgerKey)
	}
	signer, err := ledgerSigner(secrets, ledgers.Origin(cfg.EntityID, number))
	if err != nil {
		return err
	}
	v, err := ledger.NewVerifier(signer.Origin(), signer.VerifierKeys())
	if err != nil {
		return err
	}
	files := []string{filepath.Join(ledgers.Dir(cfg), "checkpoint")}
	if cfg.Recovery.CheckpointFile != "" {
		files = append(files, cfg.Recovery.CheckpointFile)
	}
	for _, file := range files {
		if ok, err := ledger.SignedBy(file, v); err != nil || !ok {
			return errors.Join(fmt.Errorf("retiring %s: %w: %s", keys.Ledger, ErrLedgerKey, filepath.Base(file)), err)
		}
	}
	return nil
}

// retireUsed retires the keys that the gallery uses: KEKs or pseudonym keys.
func retireUsed(ctx context.Context, configFile string, roots Roots, f keys.Family, progress func(Retirement)) (gone []uint32, err error) {
	dir := filepath.Dir(configFile)
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(galleryDir(cfg)); err != nil {
		return nil, fmt.Errorf("opening gallery: %w", err)
	}
	r := Retirement{State: RetirementRunning}
	if r.Keep, err = MarkKey(dir, roots, f); err != nil {
		return nil, err
	}
	k, err := openKeys(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return nil, err
	}
	defer k.wipe()
	if err := needPseudonyms(cfg, k); err != nil {
		return nil, fmt.Errorf("retiring %s: %w", f, err)
	}
	g, err := openGallery(ctx, cfg, k)
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
	moved, err := moveOn(ctx, g, f, func(looked uint64) { show(func(r *Retirement) { r.Done = looked }) })
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
	return destroyBefore(dir, roots, f, r.Keep)
}

// LockRotation keeps other commands from changing the keys of the node until release is
// called or the process ends: [custody.ErrBusy]. A running node is none of them.
func LockRotation(configFile string) (release func(), err error) {
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
