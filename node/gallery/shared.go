package gallery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Which generations are the least that anything may be stored under in a shared store
// from now on, because those before are about to be destroyed:
//
//	least = generation (4) HMAC-SHA256 (32) ; as tallies are sealed
const (
	leastProtection = "least-generation" // of the secret that templates are turned by
	leastKEK        = "least-kek"
)

// ErrOutdated: another node of the same store has rotated to a key that is not current
// here.
var ErrOutdated = errors.New("the store is under a newer key than this node's: give it the keystore of the node that rotated")

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
		if now = current(); !g.shared() {
			return nil
		}
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
				return ErrOutdated
			case least == now:
				return nil
			}
			return b.Set(commit.Write{Key: keyLeast(of), Value: g.sealLeast(of, now)})
		})
	})
	return now, err
}
