package directory

import (
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// Superiors are the Intermediates that the last Refresh found, each with the Trust Chain of its path, and
// those found before whose chain has not run out. The map is the caller's.
func (d *Directory) Superiors() map[trust.Path][]string {
	if all := d.superiors.Load(); all != nil {
		return maps.Clone(*all)
	}
	return map[trust.Path][]string{}
}

// Leads reports whether a chain that is known, of now or of a former member, leads through the
// superior.
func (d *Directory) Leads(superior trust.Path) bool {
	if all := d.superiors.Load(); all != nil && (*all)[superior] != nil {
		return true
	}
	s := d.snapshot.Load()
	for _, e := range s.former {
		if e.through(superior) {
			return true
		}
	}
	return slices.ContainsFunc(s.ordered, func(e *entry) bool { return e.through(superior) })
}

// WasBelow reports whether a chain that is known of the Entity, member or not any more, leads
// through the superior.
func (d *Directory) WasBelow(id trust.EntityID, superior trust.Path) bool {
	s := d.snapshot.Load()
	for _, e := range []*entry{s.entities[id], s.former[id]} {
		if e != nil && e.through(superior) {
			return true
		}
	}
	return false
}

// Names reports whether a chain that is known of the Entity, member or not any more, names the
// other as a superior, by whatever path: for decisions about whoever says that he is below it.
func (d *Directory) Names(id, superior trust.EntityID) bool {
	s := d.snapshot.Load()
	for _, e := range []*entry{s.entities[id], s.former[id]} {
		if e != nil && slices.ContainsFunc(e.chains(), func(c *entry) bool { return slices.Contains(c.superiors, superior) }) {
			return true
		}
	}
	return false
}

// through reports whether one of the member's chains leads through the superior.
func (e *entry) through(superior trust.Path) bool {
	return slices.ContainsFunc(e.chains(), func(c *entry) bool { return c.at(superior) >= 0 })
}

// superiors are those through whom the walks went, or may go.
func (r *round) superiors() map[trust.Path][]string {
	out := make(map[trust.Path][]string)
	if old := r.d.superiors.Load(); old != nil {
		for at, chain := range *old {
			if holds(chain, *r.d.anchors.Load(), r.now) {
				out[at] = chain
			}
		}
	}
	for _, w := range r.walks {
		w.mu.Lock()
		maps.Copy(out, w.superiors)
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
