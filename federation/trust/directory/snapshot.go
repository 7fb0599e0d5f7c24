package directory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

// entry is one member with the chain that makes it one. Immutable.
type entry struct {
	node      trust.Node
	anchor    trust.EntityID
	superiors []trust.EntityID // immediate first, the Anchor last
	paths     []trust.Path     // of those
	chain     []string
	evidence  []trustmark.Evidence // for node.Marks
	checked   time.Time            // when the chain was resolved last
	// others are the same member's chains to further Anchors.
	others []*entry
}

// top is the Entity for which the Anchor itself vouches.
func (e *entry) top() trust.EntityID {
	if n := len(e.superiors); n > 1 {
		return e.superiors[n-2]
	}
	return e.node.EntityID
}

// snapshot is the state of a Directory. Immutable after newSnapshot.
type snapshot struct {
	entities  map[trust.EntityID]*entry
	peers     map[string]*entry
	countries map[string]*entry
	ordered   []*entry // by jurisdiction
	// unresolved are listed members that nothing verified is known about.
	unresolved map[trust.EntityID]bool
	// whole says that everybody is known since the last refresh.
	whole bool
	// listings are what superiors answered last that they list.
	listings map[listed]listing
	// newest holds, by issuer and subject, the Subordinate Statement that was issued last.
	newest map[link]issued
	// former are members no longer, and reserved the peer IDs that are kept for them.
	former   map[trust.EntityID]*entry
	reserved map[string]trust.EntityID
}

// link is what a Subordinate Statement is from and about.
type link struct{ issuer, subject trust.EntityID }

// issued is a statement with its time, and when it was had last.
type issued struct {
	token       string
	at, checked time.Time
}

// listed is a superior as it was come to from an Anchor.
type listed struct{ anchor, superior trust.EntityID }

// listing is whom a superior lists, but for those that it cannot make members. Immutable.
type listing struct {
	members map[trust.EntityID]bool
	at      time.Time
	present bool // the superior was asked in the last refresh
}

func (s *snapshot) absent(undetermined bool) error {
	if undetermined || !s.whole {
		return trust.ErrUndetermined
	}
	return trust.ErrNotMember
}

// index notes the Subordinate Statements of a chain that was verified, and resolved last at checked.
func (s *snapshot) index(chain []string, checked time.Time) {
	for _, token := range chain[1:] {
		u, err := trust.ParseStatement(token)
		if err != nil || u.IsConfiguration() {
			continue
		}
		l := link{u.Issuer(), u.Subject()}
		switch known := s.newest[l]; {
		case known.token == "" || u.IssuedAt().After(known.at):
			s.newest[l] = issued{token, u.IssuedAt(), checked}
		case known.token == token && checked.After(known.checked):
			known.checked = checked
			s.newest[l] = known
		}
	}
}

// maxBelow is how many nodes of one country may stand below its own: each has connections
// and memory of its own here, whatever share of the work they have together.
const maxBelow = 32

// newSnapshot indexes members. Two that claim one jurisdiction or peer ID can only
// come from different superiors, or from one that errs. A jurisdiction stays with whom it is
// reserved for, or else with the earlier in the list, and the other is returned as a conflict;
// a peer ID goes to whom it belongs to by [owners], and the other is known by what IDs it has
// besides. Only one that has none is left out. A node below another of its country, such as a
// ministry's, claims no jurisdiction; what a country has of them beyond maxBelow is a conflict, too.
func newSnapshot(members []*entry, r reserved) (*snapshot, []trust.EntityID) {
	s := &snapshot{
		entities: make(map[trust.EntityID]*entry, len(members)), peers: make(map[string]*entry, len(members)),
		countries: make(map[string]*entry, len(members)), unresolved: make(map[trust.EntityID]bool),
		newest: make(map[link]issued, len(members)),
	}
	var admitted []*entry
	var conflicts []trust.EntityID
	joined := make(map[trust.EntityID]*entry, len(members))
	below, countries := map[string]int{}, map[string]bool{}
	for _, m := range members {
		n := m.node
		s.index(m.chain, m.checked)
		if held := joined[n.EntityID]; held != nil {
			if !held.joins(m) {
				conflicts = append(conflicts, n.EntityID)
				continue
			}
			admitted = append(admitted, m)
			continue
		}
		if n.Under == "" && (countries[n.Jurisdiction] || r.from(n)) {
			conflicts = append(conflicts, n.EntityID)
			continue
		}
		if n.Under != "" {
			if below[n.Jurisdiction]++; below[n.Jurisdiction] > maxBelow {
				conflicts = append(conflicts, n.EntityID)
				continue
			}
		} else {
			countries[n.Jurisdiction] = true
		}
		m = m.alone()
		joined[n.EntityID] = m
		admitted = append(admitted, m)
	}
	owner := owners(admitted, r)
	s.keep(r.former, owner)
	for _, m := range admitted {
		own, ok := m.narrow(owner)
		if own != m {
			conflicts = append(conflicts, m.node.EntityID)
		}
		if ok {
			s.add(own)
		}
	}
	slices.SortFunc(s.ordered, func(a, b *entry) int {
		return cmp.Or(strings.Compare(a.node.Jurisdiction, b.node.Jurisdiction),
			strings.Compare(string(a.node.Under), string(b.node.Under)), strings.Compare(string(a.node.EntityID), string(b.node.EntityID)))
	})
	return s, conflicts
}

// add indexes a member, or a further chain of one, under the peer IDs that are left to it.
func (s *snapshot) add(m *entry) {
	n := m.node
	held := s.entities[n.EntityID]
	if held == nil {
		held = m.alone()
		s.entities[n.EntityID] = held
		s.ordered = append(s.ordered, held)
		if n.Under == "" {
			s.countries[n.Jurisdiction] = held
		}
	} else if m.anchor != held.anchor && !slices.ContainsFunc(held.others, func(o *entry) bool { return o.anchor == m.anchor }) {
		held.others = append(held.others, m.alone())
	}
	for _, id := range n.IDs() {
		s.peers[id] = held
	}
}

// joins reports whether m is a further chain of the same member, which must say the same of
// what members can be told apart by; of the peer IDs one in common is enough, since one of the
// Anchors may not have heard of the next key yet. A second chain to one Anchor says nothing new.
func (e *entry) joins(m *entry) bool {
	return m.node.Shares(e.node) && m.node.Jurisdiction == e.node.Jurisdiction && m.node.Under == e.node.Under
}

// alone is a copy without further chains.
func (e *entry) alone() *entry {
	c := *e
	c.others = nil
	return &c
}

// all are the members with each of their chains.
func (s *snapshot) all() []*entry {
	var out []*entry
	for _, e := range s.ordered {
		out = append(append(out, e), e.others...)
	}
	return out
}

// holds reports whether the snapshot gives e's Entity the same jurisdiction and
// a peer ID of its, still valid at now.
func (s *snapshot) holds(e *entry, now time.Time) bool {
	held := s.entities[e.node.EntityID]
	if held == nil {
		return false
	}
	return held.valid(now) && held.node.Jurisdiction == e.node.Jurisdiction && held.node.Shares(e.node)
}

// reserved says to whom peer IDs and jurisdictions belong by what was known before.
type reserved struct {
	peers     map[string]trust.EntityID // of those that claim them now
	countries map[string]trust.EntityID
	former    map[trust.EntityID]*entry
}

// from reports whether the node claims the jurisdiction that belongs to another.
func (r reserved) from(n trust.Node) bool {
	country, held := r.countries[n.Jurisdiction]
	return held && country != n.EntityID
}

// reservations are the peer IDs and jurisdictions of the candidates that hold them already,
// each for itself: a member that changes its peer ID does not lose its country to a
// newcomer meanwhile; and the peer IDs of those who are no candidates now.
func (d *Directory) reservations(s *snapshot, candidates []*entry, now time.Time) reserved {
	r := reserved{countries: make(map[string]trust.EntityID), former: d.gone(s, candidates, now)}
	r.peers = s.heldBefore(candidates, now)
	for _, e := range candidates {
		n := e.node
		if held := s.countries[n.Jurisdiction]; n.Under == "" && held != nil && held.node.EntityID == n.EntityID && held.valid(now) {
			r.countries[n.Jurisdiction] = n.EntityID
		}
	}
	return r
}

// valid reports whether one of the member's chains has not run out.
func (e *entry) valid(now time.Time) bool {
	return now.Before(e.node.ExpiresAt) || slices.ContainsFunc(e.others, func(o *entry) bool { return now.Before(o.node.ExpiresAt) })
}

// byPrecedence orders candidates: members that hold their places already, so that a
// newcomer under another Anchor cannot push them out, but for one below an Intermediate
// under the identifier of another that its Anchor itself vouches for; then those nearer to their Anchor, so
// that what an Intermediate lets somebody claim does not go before an Anchor's own word;
// then as the Anchors are ordered, which is the order they come in.
func (s *snapshot) byPrecedence(candidates []*entry, now time.Time) {
	direct := make(map[link]*entry)
	for _, e := range candidates {
		if len(e.superiors) == 1 {
			direct[link{e.anchor, e.node.EntityID}] = e
		}
	}
	rank := func(e *entry) int {
		own := direct[link{e.anchor, e.node.EntityID}]
		if s.holds(e, now) && (own == nil || own.joins(e)) {
			return 0
		}
		return len(e.superiors)
	}
	slices.SortStableFunc(candidates, func(a, b *entry) int { return cmp.Compare(rank(a), rank(b)) })
}
