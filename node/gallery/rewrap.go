package gallery

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// UseRing has the gallery use another ring of KEKs from now on: keys of new subjects
// are wrapped under its current generation. A ring that lacks a generation which is
// still in use makes its subjects damaged; see [Gallery.RewrapAll]. The ring of before
// may be wiped at once.
func (g *Gallery) UseRing(r *envelope.Ring) { g.ring.Store(r) }

// withRing runs f with the ring, and again when that was replaced and wiped meanwhile.
func (g *Gallery) withRing(f func(*envelope.Ring) error) error {
	for {
		r := g.ring.Load()
		err := f(r)
		if !errors.Is(err, envelope.ErrNoKey) || g.ring.Load() == r {
			return err
		}
	}
}

// RewrapAll wraps the key of every subject under the current generation of the ring
// and returns how many it found under another one. Enrolments and look-ups go on
// meanwhile. It may be stopped and begun again at any time: what is done is durable
// and is passed over. When it returns nil, no key of a subject in the store is
// wrapped by another generation, so those can be destroyed.
func (g *Gallery) RewrapAll(ctx context.Context, progress func(rewrapped uint64)) (uint64, error) {
	// A commit under way may still wrap under the ring of before; the next one does
	// not.
	select {
	case g.turn <- struct{}{}:
		<-g.turn
	case <-ctx.Done():
		return 0, fmt.Errorf("rewrapping keys: %w", ctx.Err())
	}
	var total uint64
	for after := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return total, fmt.Errorf("rewrapping keys: %w", err)
		}
		found, last, err := g.stale(after)
		if err != nil {
			return total, fmt.Errorf("rewrapping keys: %w", err)
		}
		if len(found) > 0 {
			c := &call{done: make(chan struct{}), results: make([]Result, len(found)), size: len(found) * maxKeyring}
			for _, p := range found {
				c.jobs = append(c.jobs, job{p: p, rewrap: true})
			}
			if err := g.await(ctx, c); err != nil {
				return total, fmt.Errorf("rewrapping keys: %w", err)
			}
			for _, r := range c.results {
				if r.Change == Failed && !errors.Is(r.Err, ErrUnknownSubject) { // unknown: erased meanwhile
					return total, fmt.Errorf("rewrapping keys: %w", r.Err)
				}
			}
			total += uint64(len(found))
			if progress != nil {
				progress(total)
			}
		}
		if last == nil {
			return total, nil
		}
		after = last
	}
}

// maxRewrap bounds how many keyrings one commit rewrites, so that enrolments do not
// wait long.
const maxRewrap = 64

// stale lists subjects after a key whose DEK is wrapped by another than the current
// generation, and the key to go on after; nil at the end.
func (g *Gallery) stale(after []byte) (found []pseudonym.Pseudonym, last []byte, err error) {
	current := g.ring.Load().Current()
	err = g.view(func(txn store.Reader) error {
		for row, err := range txn.Scan([]byte("k"), after) {
			if err != nil {
				return err
			}
			if len(found) == maxRewrap {
				return nil
			}
			last = bytes.Clone(row.Key)
			generation, err := generationOf(row)
			if err != nil {
				return damaged("reading keyring", err)
			}
			if generation != current {
				found = append(found, pseudonym.Pseudonym(last[1:]))
			}
		}
		last = nil
		return nil
	})
	return found, last, err
}

func generationOf(row Row) (uint32, error) {
	var k keyring
	if err := cbor.Unmarshal(row.Value, &k); err != nil {
		return 0, err
	}
	if len(k.DEK) != envelope.WrappedSize || len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
		return 0, errors.New("key of the wrong length")
	}
	return binary.BigEndian.Uint32(k.DEK), nil
}

// stageRewrap works out the keyring of a subject under the current generation.
func (g *Gallery) stageRewrap(txn store.Reader, commit uint32, p pseudonym.Pseudonym) (staged, error) {
	s, err := g.load(txn, p)
	if err != nil {
		return staged{}, err
	}
	defer s.dek.Wipe()
	if s.dek.Generation() == g.ring.Load().Current() {
		return staged{change: Unchanged}, nil
	}
	var fresh envelope.DEK
	err = g.withRing(func(r *envelope.Ring) (err error) {
		if s.wrapped, err = r.Rewrap(p[:], s.wrapped); err == nil {
			fresh, err = r.UnwrapDEK(p[:], s.wrapped)
		}
		return err
	})
	if err != nil {
		return staged{}, damaged("rewrapping subject key", err)
	}
	s.dek.Wipe()
	s.dek = fresh
	defer s.dek.Wipe()
	k, err := g.sealKeyring(s, commit)
	if err != nil {
		return staged{}, err
	}
	stamp := binary.BigEndian.AppendUint32(nil, commit)
	return staged{Updated, s.stamp, []write{{keyringKey(p), k}, {stampKey(p), stamp}}}, nil
}
