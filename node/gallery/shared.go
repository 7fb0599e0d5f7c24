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
// latest, never an older one than it has seen, and keeps its own copy of the list of
// erasures beside its folder; the store has one, too, written by the same commits, so
// that every gallery learns of every erasure, and a database that is put back to an
// earlier state meets galleries that know better.

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
		g.failed = fmt.Errorf("committing: %w; reopen the gallery", doubt)
		return g.failed
	}
	for giveUp := time.After(g.patience); ; {
		stands, err := g.stands(b)
		if err == nil && stands {
			return nil
		}
		g.unsure = true
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

// errListsDiffer: the list of erasures beside the folder is not the store's.
var errListsDiffer = errors.New("the lists of erasures differ")

func (g *Gallery) listsDiffer(stored tally) bool {
	return g.db.Shared() && (g.unsure || stored.erasures != g.erased.n)
}

// shareErasures makes the list of erasures beside the folder and the one in a shared
// store the same, as a bundle of its own. What the store has is taken over; what only
// this gallery has, because its commit failed or the store was put back to an earlier
// state, is listed again and carried out.
func (g *Gallery) shareErasures(b *bundle) error {
	stored := b.tally.erasures
	common, err := g.commonErasures(b.txn, stored)
	if err != nil {
		return damaged("reading the list of erasures", err)
	}
	var own []erasure
	if err := g.erased.from(common, func(x erasure) error { own = append(own, x); return nil }); err != nil {
		return err
	}
	next := g.erased.after(common)
	for i := common; i < stored; i++ {
		entry, err := b.txn.Get(erasureKey(i))
		if err != nil {
			return damaged("reading the list of erasures", err)
		}
		if err := next.take(entry); err != nil {
			return err
		}
	}
	for _, x := range own {
		entry := next.seal(x)
		if err := b.set(write{erasureKey(next.n - 1), entry}); err != nil {
			return err
		}
		b.tally.commit = max(b.tally.commit, x.commit+1)
		if err := b.eraseAgain(g, x); err != nil {
			return err
		}
	}
	if err := g.erased.put(next); err != nil {
		g.failed = fmt.Errorf("%w; reopen the gallery", err)
		return g.failed
	}
	b.tally.erasures = g.erased.n
	g.unsure = len(own) > 0 // until that stands
	return nil
}

// commonErasures is how many entries both lists begin with. An entry is tied to all
// before it, so that the last common one is looked for from the end.
func (g *Gallery) commonErasures(txn store.Reader, stored uint64) (uint64, error) {
	n := min(stored, g.erased.n)
	for ; n > 0; n-- {
		entry, err := txn.Get(erasureKey(n - 1))
		if err != nil {
			return 0, err
		}
		tag, err := g.erased.tagBefore(n)
		if err != nil {
			return 0, err
		}
		if bytes.HasSuffix(entry, tag[:]) {
			break
		}
	}
	return n, nil
}

// continuation is what is to follow the first entries of a list.
type continuation struct {
	e       *erasures
	from, n uint64
	last    [erasureTag]byte
	entries []byte
	err     error
}

// after begins a continuation of the first n entries.
func (e *erasures) after(n uint64) *continuation {
	c := &continuation{e: e, from: n, n: n}
	c.last, c.err = e.tagBefore(n)
	return c
}

func (c *continuation) add(entry []byte) {
	c.entries = append(c.entries, entry...)
	c.n, c.last = c.n+1, tagOf(entry)
}

// take adds an entry as it is, if it follows.
func (c *continuation) take(entry []byte) error {
	if _, err := c.e.open(entry, c.n, c.last); err != nil {
		return err
	}
	c.add(entry)
	return nil
}

// seal adds an entry that says x.
func (c *continuation) seal(x erasure) []byte {
	entry := c.e.seal(x, c.n, c.last)
	c.add(entry)
	return entry
}
