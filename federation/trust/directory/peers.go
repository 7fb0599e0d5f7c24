package directory

import (
	"cmp"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// maxFormer bounds for how many that are members no longer the peer IDs stay reserved:
// more than there are countries.
const maxFormer = 256

// holder is to whom a peer ID belonged before. Its zero value is nobody.
type holder struct {
	member *entry
	former bool // it is no candidate now: suspended, or removed
}

// The ranks of claims to one peer ID, which is public text before its owner uses it: the
// least has it. What an Anchor says of its own member goes before what somebody below an
// Intermediate of that Anchor got to be said; who held it before goes before the rest.
const (
	rankHeldDirect = iota
	rankSameAnchor // directly below an Anchor of the holder's, who is further down or gone
	rankHeld
	rankDirect
	rankBelow // and as many more as there are superiors
)

// rank is that of e's claim.
func (h holder) rank(e *entry) int {
	direct := len(e.superiors) == 1
	switch held := h.member; {
	case held != nil && held.node.EntityID == e.node.EntityID && direct:
		return rankHeldDirect
	case held != nil && direct && held.below(e.anchor) && (h.former || len(held.superiors) > 1):
		return rankSameAnchor
	case held != nil && held.node.EntityID == e.node.EntityID:
		return rankHeld
	case direct:
		return rankDirect
	}
	return rankBelow + len(e.superiors)
}

// owners are the Entities to which the peer IDs belong that the candidates claim, in
// their order of precedence where the rank is one.
func owners(candidates []*entry, before map[string]holder) map[string]trust.EntityID {
	type claim struct {
		rank int
		of   trust.EntityID
	}
	best := make(map[string]claim)
	for _, e := range candidates {
		for _, id := range e.node.IDs() {
			c := claim{before[id].rank(e), e.node.EntityID}
			if b, ok := best[id]; !ok || c.rank < b.rank {
				best[id] = c
			}
		}
	}
	out := make(map[string]trust.EntityID, len(best))
	for id, c := range best {
		out[id] = c.of
		if h := before[id]; h.former && c.rank > rankHeld {
			out[id] = h.member.node.EntityID
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

// heldBefore says whose the peer IDs were before that somebody holds whose chain has not
// run out, and those of the former members.
func (s *snapshot) heldBefore(candidates []*entry, former map[trust.EntityID]*entry, now time.Time) map[string]holder {
	out := make(map[string]holder)
	for _, e := range former {
		for _, id := range e.node.IDs() {
			out[id] = holder{e, true}
		}
	}
	for _, e := range candidates {
		for _, id := range e.node.IDs() {
			if held := s.peers[id]; held != nil && held.node.EntityID == e.node.EntityID && held.valid(now) {
				out[id] = holder{held, false}
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
		return slices.ContainsFunc(c.superiors, func(id trust.EntityID) bool { return (*told)[id].suspended[e.node.EntityID] })
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
		left, ok := e.with(func(id string) bool { o, claimed := owner[id]; return !claimed || o == of })
		if !ok {
			continue
		}
		s.former[of] = left
		for _, id := range left.node.IDs() {
			s.reserved[id] = of
		}
	}
}
