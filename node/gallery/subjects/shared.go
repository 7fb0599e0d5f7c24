package subjects

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
	LeastTemplates = "least-generation" // of the secret that templates are turned by
	LeastKEK       = "least-kek"
)

// ErrOutdated: another node of the same store has rotated to a key that is not current
// here.
var ErrOutdated = errors.New("the store is under a newer key than this node's: give it the keystore of the node that rotated")

// ErrOlderKeys: the keystore is of before a key was replaced that the gallery is under.
// Nobody could be read with it, and who were enrolled would be under a key that is about
// to be destroyed.
var ErrOlderKeys = errors.New("the keystore is an older one than what the gallery was last changed with")

// Outrun says what it means that the store is under a newer key.
func (ss *Set) Outrun() error {
	if ss.shared() {
		return ErrOutdated
	}
	return ErrOlderKeys
}

// Accepts is nil when the gallery may use these keys from now on, and [ErrOlderKeys] when
// they are of before those that it was changed with. In a shared store others may be
// ahead, which is no reason: see [ErrOutdated].
func (ss *Set) Accepts(ring *envelope.Ring, templates Templates) error {
	return ss.Line.View(func(txn store.Reader) error { return ss.accepts(txn, ring, templates) })
}

func (ss *Set) accepts(txn store.Reader, ring *envelope.Ring, templates Templates) error {
	if ss.shared() {
		return nil
	}
	least, err := ss.Least(txn, LeastKEK)
	if err != nil {
		return err
	}
	if ring.Current() < least {
		return fmt.Errorf("%w: its current KEK is number %d, and that of the gallery %d", ErrOlderKeys, ring.Current(), least)
	}
	if templates == nil {
		return nil
	}
	if least, err = ss.Least(txn, LeastTemplates); err == nil && templates.Current() < least {
		err = fmt.Errorf("%w: its current template key is number %d, and that of the gallery %d", ErrOlderKeys, templates.Current(), least)
	}
	return err
}

// AcceptsOwn is about the keys that the gallery has.
func (ss *Set) AcceptsOwn(txn store.Reader) error {
	return ss.accepts(txn, ss.Vault.Ring(), ss.templates)
}

// note has the store say which KEK is current, where that is its own affair: what a bundle
// wraps must not be found later with a keystore that lacks it.
func (ss *Set) note(b *commit.Bundle) error {
	if ss.shared() {
		return nil
	}
	least, err := ss.Least(b.Txn, LeastKEK)
	if now := ss.Vault.Current(); err == nil && now > max(least, firstGeneration) {
		err = b.Set(commit.Write{Key: keyLeast(LeastKEK), Value: ss.sealLeast(LeastKEK, now)})
	}
	return err
}

// firstGeneration needs no row: there is none before it.
const firstGeneration = 1

func keyLeast(of string) []byte { return []byte("m" + of) }

func (ss *Set) sealLeast(of string, generation uint32) []byte {
	return ss.Tallies.Tag(of, binary.BigEndian.AppendUint32(nil, generation))
}

// Least reads one; 0 when nothing was rotated yet.
func (ss *Set) Least(txn store.Reader, of string) (uint32, error) {
	b, err := txn.Get(keyLeast(of))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, store.Damaged("reading "+of, err)
	case len(b) != 4+sha256.Size || !hmac.Equal(b, ss.sealLeast(of, binary.BigEndian.Uint32(b))):
		return 0, fmt.Errorf("reading %s: %w", of, store.ErrDamaged)
	}
	return binary.BigEndian.Uint32(b), nil
}

// Announce returns once nothing new is stored under generations before the current one
// any more: neither by a commit of this gallery that is under way, nor by others that
// share the store.
func (ss *Set) Announce(ctx context.Context, of string, current func() uint32) (now uint32, err error) {
	err = ss.Line.InTurn(ctx, func() error {
		return ss.Line.Update([][]byte{keyLeast(of)}, func(b *commit.Bundle) error {
			if err := ss.catchUp(b.Txn); err != nil {
				return err
			}
			least, err := ss.Least(b.Txn, of)
			now = current()
			switch {
			case err != nil:
				return err
			case least > now:
				return ss.Outrun()
			case least == now, least == 0 && now == firstGeneration && !ss.shared():
				return nil
			}
			return b.Set(commit.Write{Key: keyLeast(of), Value: ss.sealLeast(of, now)})
		})
	})
	return now, err
}
