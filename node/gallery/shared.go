package gallery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Several galleries may share a store. Each then takes the store's tally for the
// latest, never an older one than it has seen.

// errBehind is a store that shows less than it has acknowledged to this gallery: a
// former primary that has not noticed, or an older copy that was put back.
var errBehind = fmt.Errorf("%w: it is behind what it has acknowledged", ErrUnavailable)

const (
	// settleTime is how long a commit in doubt is asked after before its callers are
	// told that. It is shorter than a failover, which nobody waits for at a counter.
	settleTime  = 10 * time.Second
	settlePause = 250 * time.Millisecond
)

// settle finds out whether a bundle in doubt stands: nil when it does. The caller has
// the turn. Of a store that is not shared only opening it again tells.
func (g *Gallery) settle(b *bundle, doubt error) error {
	if !g.db.Shared() {
		g.failed = fmt.Errorf("committing: %w; %w", doubt, ErrReopen)
		return g.failed
	}
	for giveUp := time.After(g.patience); ; {
		stands, err := g.stands(b)
		if err == nil && stands {
			return nil
		}
		switch {
		case err == nil:
			return fmt.Errorf("committing: %w", ErrUnavailable)
		case errors.Is(err, errOverwritten):
			return fmt.Errorf("committing: %w", doubt)
		}
		select {
		case <-time.After(settlePause):
		case <-giveUp:
			return fmt.Errorf("committing: %w", doubt)
		}
	}
}

// errOverwritten: others have gone on, and what would tell is not there any more.
var errOverwritten = errors.New("cannot be told any more")

// stands reports whether a bundle is in the store. It asks with an update, which waits
// until the one in doubt is over, and whose own commit makes sure of what it has read.
// Rows are sealed with a nonce each, so that the last one tells this bundle from others.
func (g *Gallery) stands(b *bundle) (stands bool, err error) {
	err = g.db.Update(func(txn store.Txn) error {
		stored, err := g.tallies.Stored(txn)
		if err != nil {
			return err
		}
		if stored.Commit < g.tally.Commit {
			return errBehind
		}
		same := b.last.key == nil && stored == b.tally
		if b.last.key != nil {
			value, err := txn.Get(b.last.key)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			same = bytes.Equal(value, b.last.value)
		}
		if stands = same && stored.Commit >= b.tally.Commit; !stands && stored.Commit > b.tally.Commit {
			return errOverwritten
		}
		return nil
	})
	return stands, err
}

// notBehind refuses to look a subject up in a shared store that shows less than it has
// acknowledged, where an enrolled subject might be unknown.
func (g *Gallery) notBehind(txn store.Reader, who named) error {
	if !g.db.Shared() {
		return nil
	}
	least := g.commits.Load()
	keys := [][]byte{tally.Row(), keyNames()}
	for _, p := range who.pseudonyms() {
		keys = append(keys, keyring.StampRow(p), keyring.Row(p))
	}
	if err := txn.Fetch(keys...); err != nil {
		return err
	}
	if _, err := g.seeNames(txn); err != nil {
		return err
	}
	stored, err := g.tallies.Stored(txn)
	switch {
	case err != nil:
		return store.Damaged("reading tally", err)
	case stored.Commit < least:
		return errBehind
	case stored.Commit > least:
		g.subjects.Store(int64(stored.Subjects))
	}
	return nil
}

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
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if g.failed != nil {
		return 0, g.failed
	}
	if now = current(); !g.db.Shared() {
		return now, nil
	}
	err = g.update([][]byte{keyLeast(of)}, func(b *bundle) error {
		if err := g.catchUp(b.txn); err != nil {
			return err
		}
		least, err := g.least(b.txn, of)
		now = current()
		switch {
		case err != nil:
			return err
		case least > now:
			return ErrOutdated
		case least == now:
			return nil
		}
		return b.set(write{keyLeast(of), g.sealLeast(of, now)})
	})
	return now, err
}
