package gallery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Which generations are the least that anything may be stored under from now on, because
// those before are about to be destroyed. In a shared store it keeps others from using
// them, and everywhere a keystore of before, put back:
//
//	least = generation (4) HMAC-SHA256 (32) ; as tallies are sealed
const (
	leastProtection = "least-generation" // of the secret that templates are turned by
	leastKEK        = "least-kek"
)

// ErrOutdated: another node of the same store has rotated to a key that is not current
// here.
var ErrOutdated = errors.New("the store is under a newer key than this node's: give it the keystore of the node that rotated")

// ErrOlderKeys: the keystore is of before a key was replaced that the gallery is under.
// Nobody could be read with it, and who were enrolled would be under a key that is about
// to be destroyed.
var ErrOlderKeys = errors.New("the keystore is an older one than what the gallery was last changed with")

// outrun says what it means that the store is under a newer key.
func (g *Gallery) outrun() error {
	if g.shared() {
		return ErrOutdated
	}
	return ErrOlderKeys
}

// Accepts is nil when the gallery may use these keys from now on, and [ErrOlderKeys] when
// they are of before those that it was changed with. In a shared store others may be
// ahead, which is no reason: see [ErrOutdated].
func (g *Gallery) Accepts(ring *envelope.Ring, protection Protection) error {
	return g.line.View(func(txn store.Reader) error { return g.accepts(txn, ring, protection) })
}

func (g *Gallery) accepts(txn store.Reader, ring *envelope.Ring, protection Protection) error {
	if g.shared() {
		return nil
	}
	least, err := g.least(txn, leastKEK)
	if err != nil {
		return err
	}
	if ring.Current() < least {
		return fmt.Errorf("%w: its current KEK is number %d, and that of the gallery %d", ErrOlderKeys, ring.Current(), least)
	}
	if protection == nil {
		return nil
	}
	if least, err = g.least(txn, leastProtection); err == nil && protection.Current() < least {
		err = fmt.Errorf("%w: its current template key is number %d, and that of the gallery %d", ErrOlderKeys, protection.Current(), least)
	}
	return err
}

// acceptsOwn is about the keys that the gallery has.
func (g *Gallery) acceptsOwn(txn store.Reader) error {
	return g.accepts(txn, g.vault.Ring(), g.protection)
}

// note has the store say which KEK is current, where that is its own affair: what a bundle
// wraps must not be found later with a keystore that lacks it.
func (g *Gallery) note(b *commit.Bundle) error {
	if g.shared() {
		return nil
	}
	least, err := g.least(b.Txn, leastKEK)
	if now := g.vault.Current(); err == nil && now > max(least, firstGeneration) {
		err = b.Set(commit.Write{Key: keyLeast(leastKEK), Value: g.sealLeast(leastKEK, now)})
	}
	return err
}

// firstGeneration needs no row: there is none before it.
const firstGeneration = 1

func keyLeast(of string) []byte { return []byte("m" + of) }

func (g *Gallery) sealLeast(of string, generation uint32) []byte {
	return g.tallies.Tag(of, binary.BigEndian.AppendUint32(nil, generation))
}

// least reads one; 0 when nothing was rotated yet.
func (g *Gallery) least(txn store.Reader, of string) (uint32, error) {
	b, err := txn.Get(keyLeast(of))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, store.Damaged("reading "+of, err)
	case len(b) != 4+sha256.Size || !hmac.Equal(b, g.sealLeast(of, binary.BigEndian.Uint32(b))):
		return 0, fmt.Errorf("reading %s: %w", of, ErrDamaged)
	}
	return binary.BigEndian.Uint32(b), nil
}

// announce returns once nothing new is stored under generations before the current one
// any more: neither by a commit of this gallery that is under way, nor by others that
// share the store.
func (g *Gallery) announce(ctx context.Context, of string, current func() uint32) (now uint32, err error) {
	err = g.line.InTurn(ctx, func() error {
		return g.line.Update([][]byte{keyLeast(of)}, func(b *commit.Bundle) error {
			if err := g.catchUp(b.Txn); err != nil {
				return err
			}
			least, err := g.least(b.Txn, of)
			now = current()
			switch {
			case err != nil:
				return err
			case least > now:
				return g.outrun()
			case least == now, least == 0 && now == firstGeneration && !g.shared():
				return nil
			}
			return b.Set(commit.Write{Key: keyLeast(of), Value: g.sealLeast(of, now)})
		})
	})
	return now, err
}
