package directory

import (
	"maps"
	"slices"

	"github.com/tamga-id/tamga/federation/trust"
)

// standing is what an Anchor said last of whom it vouches for. Immutable.
type standing struct {
	members, suspended map[trust.EntityID]bool
}

// Retain makes the directory believe in no other members of the Anchor than ids, and in
// none that is suspended or below one who is, at once and until it is told others: what the
// Anchor says of its members by a way faster than the next [Directory.Refresh], which cannot
// bring back who is not among them. It neither fetches nor waits, and returns which members
// are believed in no longer by that Anchor's word. A member below an Intermediate goes and
// stays with it; when the Anchor has suspended the member itself, as which it was enrolled
// there, too, it goes all the same.
func (d *Directory) Retain(anchor trust.EntityID, ids, suspended []trust.EntityID) []trust.EntityID {
	d.retaining.Lock()
	defer d.retaining.Unlock()
	next := map[trust.EntityID]standing{}
	if old := d.retained.Load(); old != nil {
		maps.Copy(next, *old)
	}
	told := standing{setOf(ids), setOf(suspended)}
	var dropped []trust.EntityID
	for _, e := range d.snapshot.Load().ordered {
		if slices.ContainsFunc(e.chains(), func(c *entry) bool { return c.anchor == anchor && d.vouched(c) && !told.vouchesFor(c) }) {
			dropped = append(dropped, e.node.EntityID)
		}
	}
	next[anchor] = told
	d.retained.Store(&next)
	return dropped
}

func setOf(ids []trust.EntityID) map[trust.EntityID]bool {
	set := make(map[trust.EntityID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func (s standing) vouchesFor(e *entry) bool {
	if !s.members[e.top()] || s.suspended[e.node.EntityID] {
		return false
	}
	for _, id := range e.superiors {
		if s.suspended[id] {
			return false
		}
	}
	return true
}

// vouched reports whether the member's Anchor, as far as Retain was told, vouches for it.
func (d *Directory) vouched(e *entry) bool {
	all := d.retained.Load()
	if all == nil {
		return true
	}
	told, ok := (*all)[e.anchor]
	return !ok || told.vouchesFor(e)
}

// Vouched reports whether an Anchor vouches for the Entity by a chain that is known, run out
// or not: also one that lists an Intermediate above it, and not the Entity itself.
func (d *Directory) Vouched(id trust.EntityID) bool {
	e := d.snapshot.Load().entities[id]
	return e != nil && slices.ContainsFunc(e.chains(), d.vouched)
}
