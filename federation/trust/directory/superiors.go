package directory

import (
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// Superiors are the Intermediates that the last Refresh found, each with its Trust Chain, and
// those found before whose chain has not run out. The map is the caller's.
func (d *Directory) Superiors() map[trust.EntityID][]string {
	if all := d.superiors.Load(); all != nil {
		return maps.Clone(*all)
	}
	return map[trust.EntityID][]string{}
}

// Leads reports whether a chain that is known, of now or of a former member, leads through the
// Entity.
func (d *Directory) Leads(id trust.EntityID) bool {
	if all := d.superiors.Load(); all != nil && (*all)[id] != nil {
		return true
	}
	s := d.snapshot.Load()
	for _, e := range s.former {
		if e.through(id) {
			return true
		}
	}
	return slices.ContainsFunc(s.ordered, func(e *entry) bool { return e.through(id) })
}

// WasBelow reports whether a chain that is known of the Entity, member or not any more, leads
// through the superior.
func (d *Directory) WasBelow(id, superior trust.EntityID) bool {
	s := d.snapshot.Load()
	for _, e := range []*entry{s.entities[id], s.former[id]} {
		if e != nil && e.through(superior) {
			return true
		}
	}
	return false
}

// through reports whether one of the member's chains leads through the superior.
func (e *entry) through(superior trust.EntityID) bool {
	return slices.ContainsFunc(e.chains(), func(c *entry) bool { return slices.Contains(c.superiors, superior) })
}

// superiors are those through whom the walks went, or may go.
func (r *round) superiors() map[trust.EntityID][]string {
	out := make(map[trust.EntityID][]string)
	if old := r.d.superiors.Load(); old != nil {
		for id, chain := range *old {
			if holds(chain, *r.d.anchors.Load(), r.now) {
				out[id] = chain
			}
		}
	}
	for _, w := range slices.Backward(r.walks) { // an earlier Anchor's chain goes first
		w.mu.Lock()
		for id, c := range w.chains {
			if c.Superior && lists(c) {
				out[id] = c.Statements()
			}
		}
		w.mu.Unlock()
	}
	return out
}

func holds(chain []string, anchors []trust.Anchor, now time.Time) bool {
	_, err := trust.VerifyChain(chain, anchors, now)
	return err == nil
}

// lists reports whether the Entity says that it has others below it.
func lists(c trust.Chain) bool {
	return c.Metadata.FederationEntity != nil && c.Metadata.FederationEntity.ListEndpoint != ""
}
