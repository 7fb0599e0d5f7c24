package gallery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
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
func (g *Gallery) join(dir string) (err error) {
	if !g.shared() {
		return g.line.View(g.acceptsOwn)
	}
	err = g.line.View(func(txn store.Reader) error {
		if err := g.catchUp(txn); err != nil {
			return err
		}
		least, err := g.least(txn, leastKEK)
		if err == nil && least > g.vault.Current() {
			err = fmt.Errorf("%w: %w", ErrUnavailable, ErrOutdated)
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
	g.board, err = presence.New(g.line.Store(), g.presence, host, filepath.Join(dir, presenceFile))
	return err
}

// shared reports whether others may use the store; of a folder that is examined and not
// open nobody does.
func (g *Gallery) shared() bool { return g.line != nil && g.line.Shared() }

// Replicas says to those who share the store that this gallery is there and which keys
// it uses, and returns them: each process calls it every [presence.Every]. Before that it
// takes up what the others have gone on to, as far as its keys allow. In a store that is
// not shared it does nothing.
func (g *Gallery) Replicas(now time.Time) (others []presence.Other, err error) {
	err = g.line.While(func(db store.Store) error {
		if g.board == nil {
			return nil
		}
		err := db.View(func(txn store.Reader) error {
			if _, err := g.seeNames(txn); err != nil {
				return err
			}
			return g.catchUp(txn)
		})
		// One that cannot go on is there all the same, and is to be waited for.
		if err := errors.Join(err, g.board.Beat(g.uses())); err != nil {
			return err
		}
		others, err = g.board.Others(now)
		return err
	})
	return others, err
}

// uses are the keys of this gallery.
func (g *Gallery) uses() presence.Keys {
	ring, keys := g.vault.Ring(), g.keys.Load()
	out := presence.Keys{
		KeyKEK:       span(ring.Generations(), ring.Current()),
		KeyPseudonym: span(keys.Generations(), g.names.Load().Target()),
	}
	if g.protection != nil {
		current := g.protection.Current()
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
func (g *Gallery) Behind(now time.Time, key string, keep uint32) (names []string, err error) {
	others, err := g.Replicas(now)
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

// AwaitReplicas returns when nobody is [Gallery.Behind], who is told to waiting when it changes.
func (g *Gallery) AwaitReplicas(ctx context.Context, key string, keep uint32, waiting func([]string)) error {
	for told := 0; ; {
		names, err := g.Behind(time.Now(), key, keep)
		if err != nil && !errors.Is(err, ErrUnavailable) {
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
func (g *Gallery) catchUp(txn store.Reader) error {
	if !g.shared() {
		return nil
	}
	least, err := g.least(txn, leastKEK)
	if err != nil {
		return err
	}
	for {
		ring := g.vault.Ring()
		if least <= ring.Current() {
			return nil
		}
		next, err := ring.Using(least)
		if errors.Is(err, envelope.ErrGeneration) && g.vault.Ring() == ring {
			return nil // what it would write is refused: see mayWrap
		}
		if err == nil && g.vault.Replace(ring, next) {
			return nil
		}
	}
}

// lacks says what it means that the KEK of a keyring is not there: that others of a
// shared store have gone on, where the store says so, and damage everywhere else.
func (g *Gallery) lacks(txn store.Reader, p pseudonym.Pseudonym, cause error) error {
	if !g.shared() {
		return cause
	}
	row, err := txn.Get(keyring.Row(p))
	if err != nil {
		return store.Damaged("reading keyring", err)
	}
	generation, err := keyring.GenerationOf(Row{Key: keyring.Row(p), Value: row})
	if err != nil {
		return err
	}
	if least, err := g.least(txn, leastKEK); err == nil && generation > g.vault.Current() && least >= generation {
		return fmt.Errorf("unwrapping subject key: %w: %w", ErrUnavailable, ErrOutdated)
	}
	return cause
}

// load opens a subject's key and record list: see vault.load.
func (g *Gallery) load(txn store.Reader, p pseudonym.Pseudonym) (keyring.Subject, error) {
	s, err := g.vault.Load(txn, p)
	if errors.Is(err, envelope.ErrGeneration) {
		err = g.lacks(txn, p, err)
	}
	return s, err
}
