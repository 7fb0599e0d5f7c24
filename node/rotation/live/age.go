package live

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

// aging replaces and retires KEKs as kek.retention says, and keeps the key escrow of the
// configuration as new as the keys. What fails is tried again.
func (k *Keys) aging(ctx context.Context) {
	roots, err := k.currentRoots()
	if err != nil {
		k.log.WarnContext(ctx, "ages of keys not looked at", slog.String("cause", err.Error()))
		return
	}
	defer roots.Wipe()
	changed := false
	if k.node.KEK.Retention != 0 {
		changed = k.age(ctx, roots)
	}
	// The escrow has a new KEK before anything is wrapped under it.
	if k.node.Backup.EscrowFile != "" {
		written, err := folder.KeepEscrow(k.node, k.dir, k.Set().Federations, k.cfg.Now())
		if written != "" {
			k.log.InfoContext(ctx, "key escrow written anew")
		}
		k.cfg.Attention.Set(ctx, attention.EscrowStale, err != nil, err)
	}
	if !changed {
		return
	}
	if err := k.reload(ctx); err != nil {
		k.notTakenUp(ctx, err)
	}
	k.retirements.rouse()
}

var (
	errNothingDue = errors.New("nothing is due")
	errClock      = errors.New("the current KEK began in the future: compare the clock; if it is right, rotate the KEK by hand once")
	errShared     = errors.New("other nodes share the database: rotate the KEK by hand, and copy the keystore to them")
)

// age does what is due with the KEK and reports whether it changed the keystore. While
// others share the store it does not: their keystores are copied by their operators.
func (k *Keys) age(ctx context.Context, roots keystore.Roots) (changed bool) {
	others, unknown := k.cfg.Gallery.Replicas(time.Now()) // by the clock that they were seen by
	var a keys.Age
	change := func(secrets map[string][]byte) error {
		g, err := keys.Of(secrets, keys.KEK)
		if err != nil {
			return err
		}
		if a = g.Age(k.node.KEK.Retention, k.cfg.Now()); unknown != nil {
			return unknown // and what is overdue is said all the same
		}
		if len(others) > 0 {
			return errShared
		}
		return advance(secrets, g, a, k.cfg.Now())
	}
	secrets, err := keystore.OpenSecrets(k.dir, roots.Node)
	if err == nil {
		err = change(secrets)
		keystore.WipeSecrets(secrets)
	}
	if err == nil { // what was done to a copy; seldom, so that no command finds the keystore locked
		err = roots.Update(k.dir, keys.KEK, change)
	}
	switch {
	case err == nil: // whether it came about shows next time
		k.log.InfoContext(ctx, "KEK replaced or retired by its age")
		return true
	case !errors.Is(err, errNothingDue) && !errors.Is(err, errShared) && !errors.Is(err, errClock) && !errors.Is(err, custody.ErrBusy):
		k.log.WarnContext(ctx, "KEK not replaced or retired", slog.String("cause", err.Error()))
	}
	cause := err
	if errors.Is(err, errNothingDue) {
		cause = nil
	}
	k.cfg.Attention.Set(ctx, attention.KEKOverdue, rotation.Overdue(a, k.cfg.Now()), cause)
	return false
}

// advance does what is due to the secrets, or returns errNothingDue.
func advance(secrets map[string][]byte, g keys.Generations, a keys.Age, now time.Time) error {
	if a.Doubt {
		return errClock
	}
	due := false
	if a.Keep > max(g.Keep, g.Oldest()) {
		if _, err := keys.Mark(secrets, keys.KEK, a.Keep); err != nil {
			return err
		}
		due = true
	}
	if !a.Rotate.After(now) {
		if _, err := keys.Prepare(secrets, keys.KEK); err != nil && !errors.Is(err, keys.ErrPrepared) {
			return err
		}
		if _, err := keys.Activate(secrets, keys.KEK, now); err != nil {
			return err
		}
		due = true
	}
	if !due {
		return errNothingDue
	}
	return nil
}

// Finality is that of an erasure that was just carried out.
func (k *Keys) Finality() registrar.Finality {
	return registrar.FinalityOf(k.node.KEK.Retention, k.Family(keys.KEK).Current, k.cfg.Now())
}
