package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/gallery/subjects"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/stores"
)

// A renewal has three steps, each durable: the keystore gets a new generation of the
// template key, current at once; every stored template is moved to it; the generations
// before are destroyed. Between any two both generations open, and an old one in the
// keystore says that the last two steps are still to be done.

// RenewalState is where the renewal of the stored templates stands.
type RenewalState string

// The states.
const (
	RenewalIdle    RenewalState = "idle"    // none since the node was started, and none to finish
	RenewalRunning RenewalState = "running" // goes on by itself, past a restart too
	RenewalDone    RenewalState = "done"
	RenewalFailed  RenewalState = "failed" // is tried again by itself; nothing was lost
)

// Renewal says how far it is.
type Renewal struct {
	State      RenewalState
	Generation uint32   // that templates are stored under, or will be
	Resumed    bool     // it was begun before and not finished
	Looked     uint64   // subjects that were looked at
	Renewed    uint64   // of them, those that had a template of another generation
	Subjects   uint64   // that there are
	Destroyed  []uint32 // generations of the template key
	Err        error    // when Failed
}

// renewals are the renewals of a running node.
type renewals struct {
	wake chan struct{} // room for one: there is something to do

	mu    sync.Mutex
	state Renewal
}

func (r *renewals) now() Renewal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

func (r *renewals) set(change func(*Renewal)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.state)
}

// resume has what was begun finished.
func (r *renewals) resume(generation uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.State == RenewalIdle || r.state.State == RenewalDone {
		r.state = Renewal{State: RenewalRunning, Generation: generation, Resumed: true}
		r.rouse()
	}
}

func (r *renewals) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Renewal reports from memory how far the renewal is.
func (n *Node) Renewal() Renewal {
	r := n.renewals.now()
	r.Subjects = uint64(n.gallery.Subjects())
	return r
}

// RenewTemplates begins to renew the stored templates under a new secret, after saying
// so in the ledger, and returns while Run does it. When one is under way already, or was
// cut off, that goes on and no other secret is made.
func (n *Node) RenewTemplates(ctx context.Context) (Renewal, error) {
	// Held throughout: of two callers the second joins.
	n.renewals.mu.Lock()
	if n.renewals.state.State != RenewalRunning {
		var generation uint32
		var resumed bool
		roots, err := n.currentRoots()
		if err == nil {
			generation, resumed, err = beginRenewal(ctx, n.dir, roots, n.ledger, n.cfg.EntityID, n.now)
			roots.Wipe()
		}
		if err == nil {
			err = n.reload(ctx)
		}
		if err != nil {
			n.renewals.mu.Unlock()
			n.log.WarnContext(ctx, "templates not renewed", slog.String("cause", err.Error()))
			return Renewal{}, fmt.Errorf("renewing templates: %w", err)
		}
		n.renewals.state = Renewal{State: RenewalRunning, Generation: generation, Resumed: resumed}
		n.renewals.rouse()
	}
	n.renewals.mu.Unlock()
	return n.Renewal(), nil
}

// renewing does what RenewTemplates begins, and what was cut off before the node was
// started. What fails is tried again.
func (n *Node) renewing(ctx context.Context) error {
	again := time.NewTicker(n.cfg.Trust.Refresh)
	defer again.Stop()
	for {
		if s := n.renewals.now().State; s == RenewalRunning || s == RenewalFailed {
			n.renew(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.renewals.wake:
		case <-again.C:
		}
	}
}

func (n *Node) renew(ctx context.Context) {
	generation := n.keys.Faces.Current()
	roots, err := n.currentRoots()
	var gone []uint32
	if err == nil {
		err = n.reading.enter(ctx) // it looks at every subject as of one moment
	}
	if err == nil {
		defer n.reading.leave()
		gone, err = finishRenewal(ctx, n.dir, roots, n.gallery, generation, func(r renewal.Renewed) {
			n.renewals.set(func(s *Renewal) { s.Looked, s.Renewed = r.Looked, r.Subjects })
		})
	}
	roots.Wipe()
	// The generations before are dropped from memory when rotating takes up the keystore:
	// a Query under way may have read a template of one.
	switch {
	case err == nil:
		n.renewals.set(func(s *Renewal) { s.State, s.Destroyed, s.Err = RenewalDone, gone, nil })
		n.log.InfoContext(ctx, "templates renewed", slog.Uint64("generation", uint64(generation)), slog.Uint64("subjects", n.Renewal().Renewed))
	case ctx.Err() == nil:
		n.renewals.set(func(s *Renewal) { s.State, s.Err = RenewalFailed, err })
		n.log.WarnContext(ctx, "templates not renewed", slog.String("cause", err.Error()))
	}
}

// RenewTemplates renews the stored templates of a node that is not running, to the end.
func RenewTemplates(ctx context.Context, configFile string, roots keystore.Roots, progress func(Renewal)) (_ Renewal, err error) {
	dir := filepath.Dir(configFile)
	cfg, err := config.Load(configFile)
	if err != nil {
		return Renewal{}, err
	}
	if err := gap.Refuse(cfg); err != nil {
		return Renewal{}, err
	}
	k, err := keystore.Open(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return Renewal{}, err
	}
	defer k.Wipe()
	g, l, err := stores.Open(ctx, cfg, k, time.Now)
	if err != nil {
		return Renewal{}, err
	}
	defer func() { err = errors.Join(err, stores.Close(g, l)) }()
	r := Renewal{State: RenewalRunning, Subjects: uint64(g.Subjects())}
	if r.Generation, r.Resumed, err = beginRenewal(ctx, dir, roots, l, cfg.EntityID, time.Now); err != nil {
		return Renewal{}, fmt.Errorf("renewing templates: %w", err)
	}
	fresh, err := keystore.Open(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return Renewal{}, err
	}
	defer fresh.Wipe()
	k.Faces.Replace(fresh.Faces) // the gallery holds these
	r.Destroyed, err = finishRenewal(ctx, dir, roots, g, r.Generation, func(done renewal.Renewed) {
		r.Looked, r.Renewed = done.Looked, done.Subjects
		if progress != nil {
			progress(r)
		}
	})
	if err == nil {
		r.State = RenewalDone
	}
	return r, err
}

// errBegun leaves a keystore as it is.
var errBegun = errors.New("a renewal was begun already")

// beginRenewal makes a new generation of the template key the current one, after an
// entry in the ledger, unless one before it is still there: then that renewal goes on.
func beginRenewal(ctx context.Context, dir string, roots keystore.Roots, l *ledger.Log, entity string, now func() time.Time) (generation uint32, resumed bool, err error) {
	err = roots.Update(dir, keys.Template, func(secrets map[string][]byte) error {
		g, err := keys.Of(secrets, keys.Template)
		if err != nil {
			return err
		}
		if generation = g.Current; g.Numbers()[0] < g.Current {
			return errBegun
		}
		leaf, err := operatorLeaf(entity, "renew", "templates", now())
		if err != nil {
			return err
		}
		if _, err := l.Append(ctx, leaf); err != nil {
			return &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err}
		}
		if _, err := keys.Prepare(secrets, keys.Template); err != nil && !errors.Is(err, keys.ErrPrepared) {
			return err
		}
		generation, err = keys.Activate(secrets, keys.Template, now())
		return err
	})
	if errors.Is(err, errBegun) {
		return generation, true, nil
	}
	return generation, false, err
}

// ErrReplicas: other nodes of the gallery's store still use keys that are to be destroyed.
var ErrReplicas = errors.New("other nodes of the store still use the key before: give them this node's keystore")

// finishRenewal moves every template to the generation, which is the gallery's current
// one, and then destroys those before it.
func finishRenewal(ctx context.Context, dir string, roots keystore.Roots, g *gallery.Gallery, generation uint32, progress func(renewal.Renewed)) (gone []uint32, err error) {
	if _, err := g.RenewAll(ctx, progress); err != nil {
		return nil, err
	}
	behind, err := g.Behind(time.Now(), subjects.KeyTemplate, generation)
	if err != nil {
		return nil, err
	}
	if len(behind) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrReplicas, strings.Join(behind, ", "))
	}
	err = roots.Update(dir, keys.Template, func(secrets map[string][]byte) (err error) {
		gone, err = keys.Retire(secrets, keys.Template, generation)
		return err
	})
	if errors.Is(err, keys.ErrNothingOld) {
		return nil, nil // destroyed, and then something failed
	}
	return gone, err
}
