package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

// busyReading is what is waited for beside other nodes.
const busyReading = "a backup, copy or check of the gallery that is under way"

// errReading: a key is dropped when nothing that is under way may come across it.
var errReading = errors.New("waiting for the end of " + busyReading)

// retirements are those of a running node.
type retirements struct {
	wake chan struct{} // room for one: there is something to do

	mu  sync.Mutex
	all map[keys.Family]rotation.Retirement

	// Owned by rotating: up to which generation everything is known to be moved.
	moved map[keys.Family]uint32
}

func (r *retirements) set(f keys.Family, change func(*rotation.Retirement)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[keys.Family]rotation.Retirement)
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
func (n *Node) Retirements() map[keys.Family]rotation.Retirement {
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
func (n *Node) TakeUpKeys(ctx context.Context) (map[keys.Family]rotation.Retirement, error) {
	if err := n.reload(ctx); err != nil && !errors.Is(err, errReading) {
		return nil, err
	}
	n.meet(ctx)
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		if keep := n.family(f).Keep; keep != 0 {
			n.retirements.set(f, func(r *rotation.Retirement) {
				if r.Keep != keep || r.State == rotation.RetirementFailed {
					*r = rotation.Retirement{State: rotation.RetirementRunning, Keep: keep}
				}
			})
		}
	}
	n.retirements.rouse()
	return n.Retirements(), nil
}

// family is what the node knows of a key that rotates.
func (n *Node) family(f keys.Family) keystore.State {
	n.takingUp.Lock()
	defer n.takingUp.Unlock()
	return n.keys.Families[f]
}

// waitPause is how often is looked whether what a retirement waits for has come.
const waitPause = time.Second

// retiring goes on with every retirement as far as that is possible now. Again fires when
// it is worth looking again before the next refresh; stop gives it up.
func (n *Node) retiring(ctx context.Context) (again <-chan time.Time, stop func()) {
	waiting := false
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		keep := n.family(f).Keep
		if keep == 0 {
			n.retirements.end(f)
			continue
		}
		n.retirements.set(f, func(r *rotation.Retirement) {
			if r.Keep != keep {
				*r = rotation.Retirement{State: rotation.RetirementRunning, Keep: keep}
			}
		})
		names, err := n.retire(ctx, f, keep)
		switch {
		case err != nil && ctx.Err() == nil:
			n.reading.Relent() // backups and checks go on, which show what is wrong
			n.retirements.set(f, func(r *rotation.Retirement) { r.State, r.Waiting, r.Err = rotation.RetirementFailed, nil, err })
			n.log.WarnContext(ctx, "old keys not destroyed", slog.String("key", string(f)), slog.String("cause", err.Error()))
		case err == nil && len(names) > 0:
			waiting = true
			n.retirements.set(f, func(r *rotation.Retirement) {
				if !slices.Equal(r.Waiting, names) {
					n.log.InfoContext(ctx, "old keys are still needed", slog.String("key", string(f)), slog.Any("by", names))
				}
				r.State, r.Waiting, r.Err = rotation.RetirementWaiting, names, nil
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
		moved, err := rotation.MoveOn(ctx, n.gallery, f, func(looked uint64) { n.retirements.progress(f, looked) })
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
		n.reading.Relent()
		return waiting, err
	}
	if !n.reading.TryClose() {
		return []string{busyReading}, nil
	}
	defer n.reading.Open()
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
	return rotation.DestroyBefore(n.dir, roots, f, keep)
}
