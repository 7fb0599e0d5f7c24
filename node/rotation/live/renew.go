package live

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/registrar"
)

// renewals are the renewals of a running node.
type renewals struct {
	wake chan struct{} // room for one: there is something to do

	mu    sync.Mutex
	state registrar.Renewal
}

func (r *renewals) now() registrar.Renewal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

func (r *renewals) set(change func(*registrar.Renewal)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.state)
}

// resume has what was begun finished.
func (r *renewals) resume(generation uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.State == registrar.RenewalIdle || r.state.State == registrar.RenewalDone {
		r.state = registrar.Renewal{State: registrar.RenewalRunning, Generation: generation, Resumed: true}
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
func (k *Keys) Renewal() registrar.Renewal {
	r := k.renewals.now()
	r.Subjects = uint64(k.cfg.Gallery.Subjects())
	return r
}

// RenewTemplates begins to renew the stored templates under a new secret, after saying
// so in the ledger, and returns while Renewing does it. When one is under way already, or was
// cut off, that goes on and no other secret is made.
func (k *Keys) RenewTemplates(ctx context.Context) (registrar.Renewal, error) {
	// Held throughout: of two callers the second joins.
	k.renewals.mu.Lock()
	if k.renewals.state.State != registrar.RenewalRunning {
		var generation uint32
		var resumed bool
		roots, err := k.currentRoots()
		if err == nil {
			generation, resumed, err = registrar.BeginRenewal(ctx, k.dir, roots, k.cfg.Ledger, k.node.EntityID, k.cfg.Now)
			roots.Wipe()
		}
		if err == nil {
			err = k.reload(ctx)
		}
		if err != nil {
			k.renewals.mu.Unlock()
			k.log.WarnContext(ctx, "templates not renewed", slog.String("cause", err.Error()))
			return registrar.Renewal{}, fmt.Errorf("renewing templates: %w", err)
		}
		k.renewals.state = registrar.Renewal{State: registrar.RenewalRunning, Generation: generation, Resumed: resumed}
		k.renewals.rouse()
	}
	k.renewals.mu.Unlock()
	return k.Renewal(), nil
}

// Renewing does what RenewTemplates begins, and what was cut off before the node was
// started. What fails is tried again, until ctx ends.
func (k *Keys) Renewing(ctx context.Context) error {
	again := time.NewTicker(k.node.Trust.Refresh)
	defer again.Stop()
	for {
		if s := k.renewals.now().State; s == registrar.RenewalRunning || s == registrar.RenewalFailed {
			k.renew(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.renewals.wake:
		case <-again.C:
		}
	}
}

func (k *Keys) renew(ctx context.Context) {
	generation := k.set.Faces.Current()
	roots, err := k.currentRoots()
	var gone []uint32
	if err == nil {
		err = k.cfg.Reading.Enter(ctx) // it looks at every subject as of one moment
	}
	if err == nil {
		defer k.cfg.Reading.Leave()
		gone, err = registrar.FinishRenewal(ctx, k.dir, roots, k.cfg.Gallery, generation, func(r renewal.Renewed) {
			k.renewals.set(func(s *registrar.Renewal) { s.Looked, s.Renewed = r.Looked, r.Subjects })
		})
	}
	roots.Wipe()
	// The generations before are dropped from memory when Run takes up the keystore:
	// a Query under way may have read a template of one.
	switch {
	case err == nil:
		k.renewals.set(func(s *registrar.Renewal) { s.State, s.Destroyed, s.Err = registrar.RenewalDone, gone, nil })
		k.log.InfoContext(ctx, "templates renewed", slog.Uint64("generation", uint64(generation)), slog.Uint64("subjects", k.Renewal().Renewed))
	case ctx.Err() == nil:
		k.renewals.set(func(s *registrar.Renewal) { s.State, s.Err = registrar.RenewalFailed, err })
		k.log.WarnContext(ctx, "templates not renewed", slog.String("cause", err.Error()))
	}
}
