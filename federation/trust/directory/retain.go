package directory

import (
	"maps"
	"slices"

	"github.com/tamga-id/tamga/federation/trust"
)

// Retain makes the directory believe in no other members of the Anchor than ids, at once
// and until it is told others: what the Anchor says of its members by a way faster than
// the next [Directory.Refresh], which cannot bring back who is not among them. It neither
// fetches nor waits, and returns which members are believed in no longer by that Anchor's
// word. A member below an Intermediate goes and stays with it.
func (d *Directory) Retain(anchor trust.EntityID, ids []trust.EntityID) []trust.EntityID {
	d.retaining.Lock()
	defer d.retaining.Unlock()
	next := map[trust.EntityID]map[trust.EntityID]bool{}
	if old := d.retained.Load(); old != nil {
		maps.Copy(next, *old)
	}
	set := make(map[trust.EntityID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	var dropped []trust.EntityID
	for _, e := range d.snapshot.Load().ordered {
		if slices.ContainsFunc(append([]*entry{e}, e.others...), func(c *entry) bool { return c.anchor == anchor && d.vouched(c) && !set[c.top()] }) {
			dropped = append(dropped, e.node.EntityID)
		}
	}
	next[anchor] = set
	d.retained.Store(&next)
	return dropped
}

// vouched reports whether the member's Anchor, as far as Retain was told, vouches for it.
func (d *Directory) vouched(e *entry) bool {
	all := d.retained.Load()
	if all == nil {
		return true
	}
	set, told := (*all)[e.anchor]
	return !told || set[e.top()]
}
