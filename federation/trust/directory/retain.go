package directory

import (
	"maps"
	"slices"

	"github.com/tamga-id/tamga/federation/trust"
)

// standing is what an Anchor or Intermediate said last of whom it vouches for. Immutable.
type standing struct {
	members, suspended map[trust.EntityID]bool
}

// Retain makes the directory believe in no other members below the superior, an Anchor or
// Intermediate by its path, than ids, and in none that is suspended or below one who is, at once and until
// it is told others: what the superior says of its members by a way faster than the next
// [Directory.Refresh], which cannot bring back who is not among them. It neither fetches nor
// waits, and returns which members are believed in no longer by that superior's word. It
// changes nothing for chains that do not lead through the superior. A member below an
// Intermediate goes and stays with it; when the superior has suspended the member itself, as
// which it was enrolled there, too, it goes all the same.
func (d *Directory) Retain(superior trust.Path, ids, suspended []trust.EntityID) []trust.EntityID {
	d.retaining.Lock()
	defer d.retaining.Unlock()
	next := map[trust.Path]standing{}
	if old := d.retained.Load(); old != nil {
		maps.Copy(next, *old)
	}
	told := standing{setOf(ids), setOf(suspended)}
	var dropped []trust.EntityID
	for _, e := range d.snapshot.Load().ordered {
		if slices.ContainsFunc(e.chains(), func(c *entry) bool {
			i := c.at(superior)
			return i >= 0 && d.vouched(c) && !told.vouchesFor(c, i)
		}) {
			dropped = append(dropped, e.node.EntityID)
		}
	}
	next[superior] = told
	d.retained.Store(&next)
	return dropped
}

// Release takes back what Retain was told of those for whom keep is false: Intermediates that
// are none any more.
func (d *Directory) Release(keep func(trust.Path) bool) {
	d.retaining.Lock()
	defer d.retaining.Unlock()
	old := d.retained.Load()
	if old == nil {
		return
	}
	next := maps.Clone(*old)
	maps.DeleteFunc(next, func(at trust.Path, _ standing) bool { return !keep(at) })
	d.retained.Store(&next)
}

func setOf(ids []trust.EntityID) map[trust.EntityID]bool {
	set := make(map[trust.EntityID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// vouchesFor reports whether the superior that is the i-th above the member vouches for
// whoever is between them, and the member.
func (s standing) vouchesFor(e *entry, i int) bool {
	below := e.node.EntityID
	if i > 0 {
		below = e.superiors[i-1]
	}
	return s.members[below] && !s.suspended[e.node.EntityID] &&
		!slices.ContainsFunc(e.superiors[:i], func(id trust.EntityID) bool { return s.suspended[id] })
}

// vouched reports whether the member's superiors, as far as Retain was told, vouch for it.
func (d *Directory) vouched(e *entry) bool {
	all := d.retained.Load()
	if all == nil {
		return true
	}
	for i, at := range e.paths {
		if told, ok := (*all)[at]; ok && !told.vouchesFor(e, i) {
			return false
		}
		if told, ok := (*all)[trust.Path(e.superiors[i])]; ok && !told.vouchesFor(e, i) {
			return false
		}
	}
	return true
}

// at is where among the member's superiors one is, less than 0 for nowhere. An Anchor is itself below another one, too.
func (e *entry) at(superior trust.Path) int {
	if i := slices.Index(e.paths, superior); i >= 0 {
		return i
	}
	return slices.Index(e.superiors, trust.EntityID(superior))
}

// Vouched reports whether an Anchor vouches for the Entity by a chain that is known, run out
// or not: also one that lists an Intermediate above it, and not the Entity itself.
func (d *Directory) Vouched(id trust.EntityID) bool {
	e := d.snapshot.Load().entities[id]
	return e != nil && slices.ContainsFunc(e.chains(), d.vouched)
}
