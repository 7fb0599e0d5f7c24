package directory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// maxFormer bounds for how many that are members no longer the peer IDs stay reserved:
// more than there are countries.
const maxFormer = 256

// owners are the Entities to which the peer IDs belong that the candidates claim, or that are kept for former members. For
// several to claim one its key must have signed for each of them ([trust.Chain.Node] passes over what is not proved), so
// nobody loses a peer ID to one who has not its key. What is left is that a key which was stolen, or signs for two, moves
// none: who held it before has it, and else the first of the candidates, which are in their order of precedence. What is
// kept for a former member goes only to one that an Anchor of that member vouches for itself: it knows what became of it.
func owners(candidates []*entry, r reserved) map[string]trust.EntityID {
	out := make(map[string]trust.EntityID)
	maps.Copy(out, r.peers)
	kept := make(map[string]*entry)
	for _, f := range r.former {
		for _, id := range f.node.IDs() {
			kept[id] = f
		}
	}
	for _, e := range candidates {
		for _, id := range e.node.IDs() {
			if f := kept[id]; out[id] == "" && (f == nil || len(e.superiors) == 1 && f.below(e.anchor)) {
				out[id] = e.node.EntityID
			}
		}
	}
	for id, f := range kept {
		if out[id] == "" {
			out[id] = f.node.EntityID
		}
	}
	return out
}

// narrow is the entry with those of its peer IDs that belong to it; the IDs stay in their
// order, so that the first is still the one in use if it can be. False means that none does.
func (e *entry) narrow(owner map[string]trust.EntityID) (*entry, bool) {
	return e.with(func(id string) bool { return owner[id] == e.node.EntityID })
}

// with is the entry with those of its peer IDs that are good.
func (e *entry) with(good func(string) bool) (*entry, bool) {
	all := e.node.IDs()
	own := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return !good(id) })
	if len(own) == 0 {
		return nil, false
	}
	if len(own) == len(all) {
		return e, true
	}
	c := *e
	c.node.PeerID, c.node.PeerIDs = own[0], own[1:]
	return &c, true
}

// heldBefore says which of the candidates held the peer IDs before that they claim: each by a chain that has not run out,
// or because it was kept for it.
func (s *snapshot) heldBefore(candidates []*entry, now time.Time) map[string]trust.EntityID {
	out := make(map[string]trust.EntityID)
	for _, e := range candidates {
		for _, id := range e.node.IDs() {
			held := s.peers[id]
			if held != nil && held.node.EntityID == e.node.EntityID && held.valid(now) || s.reserved[id] == e.node.EntityID {
				out[id] = e.node.EntityID
			}
		}
	}
	return out
}

// gone are the members that are no candidates any more, from before or from now, as long as
// their chain would hold or a superior says that they are suspended: one that is reinstated
// finds its peer IDs its own. Of too many, those nearest to an Anchor stay.
func (d *Directory) gone(old *snapshot, candidates []*entry, now time.Time) map[trust.EntityID]*entry {
	present := make(map[trust.EntityID]bool, len(candidates))
	for _, e := range candidates {
		present[e.node.EntityID] = true
	}
	var all []*entry
	for _, known := range []map[trust.EntityID]*entry{old.entities, old.former} {
		for _, e := range known {
			if !present[e.node.EntityID] && (e.valid(now) || d.suspended(e)) {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(len(a.superiors), len(b.superiors)), b.checked.Compare(a.checked), cmp.Compare(a.node.EntityID, b.node.EntityID))
	})
	out := make(map[trust.EntityID]*entry)
	for _, e := range all[:min(len(all), maxFormer)] {
		out[e.node.EntityID] = e
	}
	return out
}

// suspended reports whether a superior in one of the member's chains has said so.
func (d *Directory) suspended(e *entry) bool {
	told := d.retained.Load()
	return told != nil && slices.ContainsFunc(e.chains(), func(c *entry) bool {
		return slices.ContainsFunc(c.paths, func(at trust.Path) bool { return (*told)[at].suspended[e.node.EntityID] })
	})
}

// chains are the entry and those of the same member to further Anchors.
func (e *entry) chains() []*entry { return append([]*entry{e}, e.others...) }

// below reports whether one of the member's chains leads to the Anchor.
func (e *entry) below(anchor trust.EntityID) bool {
	return slices.ContainsFunc(e.chains(), func(c *entry) bool { return c.anchor == anchor })
}

// keep has the snapshot keep their peer IDs for those who are members no longer, less
// what belongs to another by now.
func (s *snapshot) keep(former map[trust.EntityID]*entry, owner map[string]trust.EntityID) {
	s.former, s.reserved = make(map[trust.EntityID]*entry, len(former)), make(map[string]trust.EntityID)
	for of, e := range former {
		left, ok := e.narrow(owner)
		if !ok {
			continue
		}
		s.former[of] = left
		for _, id := range left.node.IDs() {
			s.reserved[id] = of
		}
	}
}
