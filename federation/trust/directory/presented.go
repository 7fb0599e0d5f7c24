package directory

import (
	"errors"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// Presented is the member that a Trust Chain makes out, which the member brings itself
// (OpenID Federation 1.0 section 4.3). It needs no more than the Anchors' keys: nothing
// is fetched and nothing is kept. A chain adds to what is known and never takes it back.
// It is believed only when the Entity Configuration in it is the one known or newer, and
// under the newest statement known of each superior: a federation key that a superior has
// replaced speaks no longer, although what was said of it before has not run out. It is not
// believed about an Entity that its Anchor was asked for and does not list; and not against
// [Directory.Retain], or another member that holds a peer ID of its or the country. The error
// matches trust.ErrNotMember, or holds a *trust.ChainError.
func (d *Directory) Presented(chain []string, now time.Time) (trust.Node, error) {
	s := d.snapshot.Load()
	c, err := trust.VerifyChain(s.renewed(chain), *d.anchors.Load(), now)
	if err != nil {
		return trust.Node{}, err
	}
	e, err := newEntry(c, now)
	if err != nil {
		return trust.Node{}, err
	}
	known := s.entities[e.node.EntityID]
	country := s.countries[e.node.Jurisdiction]
	held := func(id string) bool { return s.peers[id] != nil && s.peers[id] != known }
	switch {
	case !d.vouched(e), s.complete[c.Anchor] && !known.below(c.Anchor),
		slices.ContainsFunc(e.node.IDs(), held),
		e.node.Under == "" && country != nil && country != known:
		return trust.Node{}, trust.ErrNotMember
	case known != nil && chain[0] != known.chain[0] && !newer(chain[0], known.chain[0]):
		return trust.Node{}, errors.New("the Trust Chain brings an older Entity Configuration")
	}
	return e.node, nil
}

// renewed is the chain with the newest statement known of each superior in it.
func (s *snapshot) renewed(chain []string) []string {
	out := slices.Clone(chain)
	for i, token := range out {
		u, err := trust.ParseStatement(token)
		if err != nil || u.IsConfiguration() {
			continue // what is malformed is refused with the chain
		}
		if known, ok := s.newest[link{u.Issuer(), u.Subject()}]; ok && known.at.After(u.IssuedAt()) {
			out[i] = known.token
		}
	}
	return out
}

// below reports whether one of the member's chains leads to the Anchor; nil is no member.
func (e *entry) below(anchor trust.EntityID) bool {
	return e != nil && slices.ContainsFunc(append([]*entry{e}, e.others...), func(c *entry) bool { return c.anchor == anchor })
}

// newer compares Entity Configurations that were verified.
func newer(a, b string) bool {
	x, err := trust.ParseStatement(a)
	y, err2 := trust.ParseStatement(b)
	return err == nil && err2 == nil && x.IssuedAt().After(y.IssuedAt())
}
