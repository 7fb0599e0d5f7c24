package live

import (
	"context"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/rotation"
)

// Meet tells the nodes that share the gallery's store of this one, and has this one's
// keystore follow theirs: what was prepared here and is current there becomes current
// here, and what they have destroyed is retired here.
func (k *Keys) Meet(ctx context.Context) {
	others, err := k.cfg.Gallery.Replicas(time.Now())
	if err == nil {
		k.others.Store(&others)
		err = k.follow(others)
	}
	if err != nil && ctx.Err() == nil {
		k.log.WarnContext(ctx, "not in step with the other nodes of the store", slog.String("cause", err.Error()))
	}
}

// Replicas are the other nodes of the gallery's store, as last seen.
func (k *Keys) Replicas() []presence.Other {
	if others := k.others.Load(); others != nil {
		return *others
	}
	return nil
}

func (k *Keys) follow(others []presence.Other) error {
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		mine := k.Family(f)
		var oldest, current uint32
		for _, o := range others {
			theirs := o.Keys[string(f)]
			oldest, current = max(oldest, theirs.Oldest), max(current, theirs.Current)
		}
		activate := current > mine.Current && current == mine.Newest
		retire := oldest > max(mine.Oldest, mine.Keep) && oldest <= mine.Current
		if !activate && !retire {
			continue
		}
		if err := k.followKey(f, activate, oldest); err != nil {
			return err
		}
	}
	return nil
}

// followKey activates the prepared generation of a key, or has those before oldest retired.
func (k *Keys) followKey(f keys.Family, activate bool, oldest uint32) error {
	roots, err := k.currentRoots()
	if err != nil {
		return err
	}
	defer roots.Wipe()
	if activate {
		_, err = rotation.ActivateKey(k.dir, roots, f, k.cfg.Now())
	} else {
		err = roots.Update(k.dir, f, func(secrets map[string][]byte) error {
			_, err := keys.Mark(secrets, f, oldest)
			return err
		})
	}
	if err == nil {
		k.retirements.rouse()
	}
	return err
}
