package node

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

// registrar.Renewal reports from memory how far the renewal is.
func (n *Node) Renewal() registrar.Renewal {
	r := n.renewals.now()
	r.Subjects = uint64(n.gallery.Subjects())
	return r
}

// RenewTemplates begins to renew the stored templates under a new secret, after saying
// so in the ledger, and returns while Run does it. When one is under way already, or was
// cut off, that goes on and no other secret is made.
func (n *Node) RenewTemplates(ctx context.Context) (registrar.Renewal, error) {
	// Held throughout: of two callers the second joins.
	n.renewals.mu.Lock()
	if n.renewals.state.State != registrar.RenewalRunning {
		var generation uint32
		var resumed bool
		roots, err := n.currentRoots()
		if err == nil {
			generation, resumed, err = registrar.BeginRenewal(ctx, n.dir, roots, n.ledger, n.cfg.EntityID, n.now)
			roots.Wipe()
		}
		if err == nil {
			err = n.reload(ctx)
		}
		if err != nil {
			n.renewals.mu.Unlock()
			n.log.WarnContext(ctx, "templates not renewed", slog.String("cause", err.Error()))
			return registrar.Renewal{}, fmt.Errorf("renewing templates: %w", err)
		}
		n.renewals.state = registrar.Renewal{State: registrar.RenewalRunning, Generation: generation, Resumed: resumed}
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
		if s := n.renewals.now().State; s == registrar.RenewalRunning || s == registrar.RenewalFailed {
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
		err = n.reading.Enter(ctx) // it looks at every subject as of one moment
	}
	if err == nil {
		defer n.reading.Leave()
		gone, err = registrar.FinishRenewal(ctx, n.dir, roots, n.gallery, generation, func(r renewal.Renewed) {
			n.renewals.set(func(s *registrar.Renewal) { s.Looked, s.Renewed = r.Looked, r.Subjects })
		})
	}
	roots.Wipe()
	// The generations before are dropped from memory when rotating takes up the keystore:
	// a Query under way may have read a template of one.
	switch {
	case err == nil:
		n.renewals.set(func(s *registrar.Renewal) { s.State, s.Destroyed, s.Err = registrar.RenewalDone, gone, nil })
		n.log.InfoContext(ctx, "templates renewed", slog.Uint64("generation", uint64(generation)), slog.Uint64("subjects", n.Renewal().Renewed))
	case ctx.Err() == nil:
		n.renewals.set(func(s *registrar.Renewal) { s.State, s.Err = registrar.RenewalFailed, err })
		n.log.WarnContext(ctx, "templates not renewed", slog.String("cause", err.Error()))
	}
}
