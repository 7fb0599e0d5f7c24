package directory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory/internal/age"
)

// Renew takes over a newer Entity Configuration that a member announces itself, below the statements that are known of its
// superiors, and reports whether it is newer than the one known. What the superiors fixed stays fixed. It is in force at
// once, and a [Directory.Refresh] that brings an older one does not undo it. The error matches trust.ErrNotMember, or
// holds a *trust.ChainError; with true it says that the cache file could not be written.
func (d *Directory) Renew(id trust.EntityID, configuration string, now time.Time) (bool, error) {
	if _, err := d.Renewed(id, configuration, now); err != nil {
		return false, fmt.Errorf("renewing %q: %w", id.Clip(), err)
	}
	d.replacing.Lock()
	defer d.replacing.Unlock()
	s := d.snapshot.Load()
	e, ok := s.entities[id]
	if !ok {
		return false, fmt.Errorf("renewing %q: %w", id.Clip(), trust.ErrNotMember)
	}
	if configuration == e.chain[0] {
		return false, nil
	}
	if !age.Newer(configuration, e.chain[0]) {
		return false, errors.New("renewing a member: its Entity Configuration is not newer than the one known")
	}
	next := *s
	renewed := d.under(e, configuration, now)
	renewed.others = nil
	for _, o := range e.others {
		renewed.others = append(renewed.others, d.under(o, configuration, now))
	}
	next.entities, next.peers, next.countries = maps.Clone(s.entities), maps.Clone(s.peers), maps.Clone(s.countries)
	next.ordered = slices.Clone(s.ordered)
	next.entities[id] = renewed
	for peer, held := range s.peers {
		switch {
		case held != e:
		case slices.ContainsFunc(renewed.chains(), func(c *entry) bool { return c.node.Is(peer) }):
			next.peers[peer] = renewed
		default: // it proves it no longer
			delete(next.peers, peer)
		}
	}
	for country, held := range s.countries {
		if held == e {
			next.countries[country] = renewed
		}
	}
	next.ordered[slices.Index(s.ordered, e)] = renewed
	d.heard.Store(id, configuration)
	d.snapshot.Store(&next)
	// In force whether or not it can be kept for the next start, when the superior's copy may still be older.
	if err := next.save(d.cacheFile); err != nil {
		return true, fmt.Errorf("renewing %q: %w", id.Clip(), err)
	}
	return true, nil
}

// under is the entry with the member's own statement replaced, or unchanged where the chain does not hold with that.
func (d *Directory) under(e *entry, configuration string, now time.Time) *entry {
	c, err := trust.VerifyChain(append([]string{configuration}, e.chain[1:]...), *d.anchors.Load(), now)
	if err != nil || c.Leaf != e.node.EntityID {
		return e
	}
	n, err := newEntry(c, e.checked)
	if err != nil {
		return e
	}
	n.evidence, n.node.Marks = e.evidence, e.node.Marks
	// What the superior pinned is the same, less what belongs to another.
	n, ok := n.with(e.node.Is)
	if !ok {
		return e
	}
	return n
}

// latest puts the newest Entity Configuration that is known of each member into its chain: the superior's copy may be
// older than what the member has announced since.
func (d *Directory) latest(candidates []*entry, old *snapshot, now time.Time) {
	for i, e := range candidates {
		if known := old.entities[e.node.EntityID]; known != nil && known.chain[0] != e.chain[0] && age.Newer(known.chain[0], e.chain[0]) {
			e = d.under(e, known.chain[0], now)
		}
		if heard, ok := d.heard.Load(e.node.EntityID); ok && heard != e.chain[0] && age.Newer(heard.(string), e.chain[0]) {
			e = d.under(e, heard.(string), now)
		}
		candidates[i] = e
	}
}
