package registrar

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
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
	if r.Generation, r.Resumed, err = BeginRenewal(ctx, dir, roots, l, cfg.EntityID, time.Now); err != nil {
		return Renewal{}, fmt.Errorf("renewing templates: %w", err)
	}
	fresh, err := keystore.Open(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return Renewal{}, err
	}
	defer fresh.Wipe()
	k.Faces.Replace(fresh.Faces) // the gallery holds these
	r.Destroyed, err = FinishRenewal(ctx, dir, roots, g, r.Generation, func(done renewal.Renewed) {
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

// BeginRenewal makes a new generation of the template key the current one, after an
// entry in the ledger, unless one before it is still there: then that renewal goes on.
func BeginRenewal(ctx context.Context, dir string, roots keystore.Roots, l *ledger.Log, entity string, now func() time.Time) (generation uint32, resumed bool, err error) {
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

// FinishRenewal moves every template to the generation, which is the gallery's current
// one, and then destroys those before it.
func FinishRenewal(ctx context.Context, dir string, roots keystore.Roots, g *gallery.Gallery, generation uint32, progress func(renewal.Renewed)) (gone []uint32, err error) {
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
