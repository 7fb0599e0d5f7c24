package live

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

	// Owned by Run: up to which generation everything is known to be moved.
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
func (k *Keys) Retirements() map[keys.Family]rotation.Retirement {
	k.retirements.mu.Lock()
	defer k.retirements.mu.Unlock()
	out := maps.Clone(k.retirements.all)
	for f, r := range out {
		r.Total = uint64(k.cfg.Gallery.Subjects())
		out[f] = r
	}
	return out
}

// TakeUp puts the keys of a changed keystore into use now, and has begun what it says
// is to be done. Run does it by itself within the refresh time.
func (k *Keys) TakeUp(ctx context.Context) (map[keys.Family]rotation.Retirement, error) {
	if err := k.reload(ctx); err != nil && !errors.Is(err, errReading) {
		return nil, err
	}
	k.Meet(ctx)
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		if keep := k.Family(f).Keep; keep != 0 {
			k.retirements.set(f, func(r *rotation.Retirement) {
				if r.Keep != keep || r.State == rotation.RetirementFailed {
					*r = rotation.Retirement{State: rotation.RetirementRunning, Keep: keep}
				}
			})
		}
	}
	k.retirements.rouse()
	return k.Retirements(), nil
}

// Family is what the node knows of a key that rotates.
func (k *Keys) Family(f keys.Family) keystore.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set.Families[f]
}

// waitPause is how often is looked whether what a retirement waits for has come.
const waitPause = time.Second

// retiring goes on with every retirement as far as that is possible now. Again fires when
// it is worth looking again before the next refresh.
func (k *Keys) retiring(ctx context.Context) (again <-chan time.Time) {
	waiting := false
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		keep := k.Family(f).Keep
		if keep == 0 {
			k.retirements.end(f)
			continue
		}
		k.retirements.set(f, func(r *rotation.Retirement) {
			if r.Keep != keep {
				*r = rotation.Retirement{State: rotation.RetirementRunning, Keep: keep}
			}
		})
		names, err := k.retire(ctx, f, keep)
		switch {
		case err != nil && ctx.Err() == nil:
			k.cfg.Reading.Relent() // backups and checks go on, which show what is wrong
			k.retirements.set(f, func(r *rotation.Retirement) { r.State, r.Waiting, r.Err = rotation.RetirementFailed, nil, err })
			k.log.WarnContext(ctx, "old keys not destroyed", slog.String("key", string(f)), slog.String("cause", err.Error()))
		case err == nil && len(names) > 0:
			waiting = true
			k.retirements.set(f, func(r *rotation.Retirement) {
				if !slices.Equal(r.Waiting, names) {
					k.log.InfoContext(ctx, "old keys are still needed", slog.String("key", string(f)), slog.Any("by", names))
				}
				r.State, r.Waiting, r.Err = rotation.RetirementWaiting, names, nil
			})
		}
	}
	if !waiting {
		return nil
	}
	return time.After(waitPause)
}

// retire destroys the generations before keep, unless somebody still needs them, who is
// named.
func (k *Keys) retire(ctx context.Context, f keys.Family, keep uint32) (waiting []string, err error) {
	if k.retirements.moved[f] < keep {
		moved, err := rotation.MoveOn(ctx, k.cfg.Gallery, f, func(looked uint64) { k.retirements.progress(f, looked) })
		if err != nil {
			return nil, err
		}
		if k.retirements.moved == nil {
			k.retirements.moved = make(map[keys.Family]uint32)
		}
		k.retirements.moved[f] = moved
	}
	if k.retirements.moved[f] < keep {
		return nil, fmt.Errorf("retiring %s: generation %d is not in use yet", f, keep)
	}
	if waiting, err = k.cfg.Gallery.Behind(time.Now(), string(f), keep); err != nil || len(waiting) > 0 {
		k.cfg.Reading.Relent()
		return waiting, err
	}
	if !k.cfg.Reading.TryClose() {
		return []string{busyReading}, nil
	}
	defer k.cfg.Reading.Open()
	gone, err := k.destroy(f, keep)
	if errors.Is(err, custody.ErrBusy) {
		return []string{"a command that changes the keystore"}, nil
	}
	if err != nil {
		return nil, err
	}
	k.log.InfoContext(ctx, "old keys destroyed", slog.String("key", string(f)), slog.Any("generations", gone))
	k.retirements.rouse()
	return nil, k.reload(ctx) // and forgets them
}

func (k *Keys) destroy(f keys.Family, keep uint32) (gone []uint32, err error) {
	roots, err := k.currentRoots()
	if err != nil {
		return nil, err
	}
	defer roots.Wipe()
	return rotation.DestroyBefore(k.dir, roots, f, keep)
}
