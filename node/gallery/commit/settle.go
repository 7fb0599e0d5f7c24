package commit

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Several lines may share a store. Each then takes the store's tally for the
// latest, never an older one than it has seen.

// errBehind is a store that shows less than it has acknowledged to this gallery: a
// former primary that has not noticed, or an older copy that was put back.
var errBehind = fmt.Errorf("%w: it is behind what it has acknowledged", store.ErrUnavailable)

const (
	// settleTime is how long a commit in doubt is asked after before its callers are
	// told that. It is shorter than a failover, which nobody waits for at a counter.
	settleTime  = 10 * time.Second
	settlePause = 250 * time.Millisecond
)

// settle finds out whether a bundle in doubt stands: nil when it does. The caller has
// the turn. Of a store that is not shared only opening it again tells.
func (l *Line) settle(b *Bundle, doubt error) error {
	if !l.db.Shared() {
		l.failed = fmt.Errorf("committing: %w; %w", doubt, ErrReopen)
		return l.failed
	}
	for giveUp := time.After(l.Patience); ; {
		stands, err := l.stands(b)
		if err == nil && stands {
			return nil
		}
		switch {
		case err == nil:
			return fmt.Errorf("committing: %w", store.ErrUnavailable)
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
func (l *Line) stands(b *Bundle) (stands bool, err error) {
	err = l.db.Update(func(txn store.Txn) error {
		stored, err := l.tallies.Stored(txn)
		if err != nil {
			return err
		}
		if stored.Commit < l.tally.Commit {
			return errBehind
		}
		same := b.last.Key == nil && stored == b.tally
		if b.last.Key != nil {
			value, err := txn.Get(b.last.Key)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			same = bytes.Equal(value, b.last.Value)
		}
		if stands = same && stored.Commit >= b.tally.Commit; !stands && stored.Commit > b.tally.Commit {
			return errOverwritten
		}
		return nil
	})
	return stands, err
}

// Current refuses a shared store that shows less than it has acknowledged, where an enrolled
// subject might be unknown. keys are those of rows that are looked at next.
func (l *Line) Current(txn store.Reader, keys ...[]byte) error {
	if !l.db.Shared() {
		return nil
	}
	least := l.commits.Load()
	if err := txn.Fetch(append(keys, tally.Row(), l.rules.Row())...); err != nil {
		return err
	}
	if _, err := l.rules.See(txn); err != nil {
		return err
	}
	stored, err := l.tallies.Stored(txn)
	switch {
	case err != nil:
		return store.Damaged("reading tally", err)
	case stored.Commit < least:
		return errBehind
	case stored.Commit > least:
		l.subjects.Store(int64(stored.Subjects))
	}
	return nil
}
