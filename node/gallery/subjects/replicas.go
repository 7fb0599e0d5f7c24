package subjects

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Keys that a gallery uses, under their names in [presence.Keys].
const (
	KeyKEK       = "kek"
	KeyPseudonym = "pseudonym-key"
	KeyTemplate  = "template-key"
)

// presenceFile, in the gallery's folder, is for node/gallery/presence.
const presenceFile = "gallery-presence"

// join prepares to tell others who share the store of this gallery, and refuses to begin
// with a keystore of before a KEK was replaced that is in use now.
func (ss *Set) join(dir string) (err error) {
	if !ss.shared() {
		return ss.Line.View(ss.AcceptsOwn)
	}
	err = ss.Line.View(func(txn store.Reader) error {
		if err := ss.catchUp(txn); err != nil {
			return err
		}
		least, err := ss.Least(txn, LeastKEK)
		if err == nil && least > ss.Vault.Current() {
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, ErrOutdated)
		}
		return err
	})
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	ss.board, err = presence.New(ss.Line.Store(), ss.presence, host, filepath.Join(dir, presenceFile))
	return err
}

// shared reports whether others may use the store; of a folder that is examined and not
// open nobody does.
func (ss *Set) shared() bool { return ss.Line != nil && ss.Line.Shared() }

// Replicas says to those who share the store that this gallery is there and which keys
// it uses, and returns them: each process calls it every [presence.Every]. Before that it
// takes up what the others have gone on to, as far as its keys allow. In a store that is
// not shared it does nothing.
func (ss *Set) Replicas(now time.Time) (others []presence.Other, err error) {
	err = ss.Line.While(func(db store.Store) error {
		if ss.board == nil {
			return nil
		}
		err := db.View(func(txn store.Reader) error {
			if _, err := ss.See(txn); err != nil {
				return err
			}
			return ss.catchUp(txn)
		})
		// One that cannot go on is there all the same, and is to be waited for.
		if err := errors.Join(err, ss.board.Beat(ss.uses())); err != nil {
			return err
		}
		others, err = ss.board.Others(now)
		return err
	})
	return others, err
}

// uses are the keys of this gallery.
func (ss *Set) uses() presence.Keys {
	ring, keys := ss.Vault.Ring(), ss.keys.Load()
	out := presence.Keys{
		KeyKEK:       span(ring.Generations(), ring.Current()),
		KeyPseudonym: span(keys.Generations(), ss.names.Load().Target()),
	}
	if ss.templates != nil {
		current := ss.templates.Current()
		out[KeyTemplate] = presence.Span{Oldest: current, Current: current, Newest: current}
	}
	return out
}

func span(generations []uint32, current uint32) presence.Span {
	s := presence.Span{Current: current}
	if len(generations) > 0 {
		s.Oldest, s.Newest = generations[0], generations[len(generations)-1]
	}
	return s
}

// Behind returns which of those who share the store do not use generation keep of a key,
// or a later one, yet: as long as there are any, the ones before are not to be destroyed.
func (ss *Set) Behind(now time.Time, key string, keep uint32) (names []string, err error) {
	others, err := ss.Replicas(now)
	if err != nil {
		return nil, fmt.Errorf("asking who uses old keys: %w", err)
	}
	for _, o := range others {
		if o.Keys[key].Current < keep {
			names = append(names, o.Name)
		}
	}
	return names, nil
}

// askPause is how long AwaitReplicas waits before it asks again.
const askPause = 250 * time.Millisecond

// AwaitReplicas returns when nobody is [Set.Behind], who is told to waiting when it changes.
func (ss *Set) AwaitReplicas(ctx context.Context, key string, keep uint32, waiting func([]string)) error {
	for told := 0; ; {
		names, err := ss.Behind(time.Now(), key, keep)
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if err == nil && len(names) == 0 {
			return nil
		}
		if len(names) != told && waiting != nil {
			waiting(names)
		}
		told = len(names)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askPause):
		}
	}
}

// catchUp has new keys wrapped under the KEK that others of a shared store have gone on
// to, if it is there.
func (ss *Set) catchUp(txn store.Reader) error {
	if !ss.shared() {
		return nil
	}
	least, err := ss.Least(txn, LeastKEK)
	if err != nil {
		return err
	}
	for {
		ring := ss.Vault.Ring()
		if least <= ring.Current() {
			return nil
		}
		next, err := ring.Using(least)
		if errors.Is(err, envelope.ErrGeneration) && ss.Vault.Ring() == ring {
			return nil // what it would write is refused: see mayWrap
		}
		if err == nil && ss.Vault.Replace(ring, next) {
			return nil
		}
	}
}
