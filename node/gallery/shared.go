package gallery

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
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
		g.failed = fmt.Errorf("committing: %w; %w", doubt, errReopen)
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
		stored, err := g.storedTally(txn)
		if err != nil {
			return err
		}
		if stored.commit < g.tally.commit {
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
		if stands = same && stored.commit >= b.tally.commit; !stands && stored.commit > b.tally.commit {
			return errOverwritten
		}
		return nil
	})
	return stands, err
}

// notBehind refuses to look a subject up in a shared store that shows less than it has
// acknowledged, where an enrolled subject might be unknown.
func (g *Gallery) notBehind(txn store.Reader, p pseudonym.Pseudonym) error {
	if !g.db.Shared() {
		return nil
	}
	least := g.commits.Load()
	if err := txn.Fetch(keyTally(), stampKey(p), keyringKey(p)); err != nil {
		return err
	}
	stored, err := g.storedTally(txn)
	switch {
	case err != nil:
		return damaged("reading tally", err)
	case stored.commit < least:
		return errBehind
	case stored.commit > least:
		g.subjects.Store(int64(stored.subjects))
	}
	return nil
}
