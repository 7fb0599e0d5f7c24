package directory

import (
	"errors"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory/internal/age"
)

// Presented is the member that a Trust Chain makes out, which the member brings itself
// (OpenID Federation 1.0 section 4.3). It needs no more than the Anchors' keys: nothing
// is fetched and nothing is kept. A chain adds to what is known and never takes it back.
// It is believed only when the Entity Configuration in it is the one known or newer, and
// under the newest statement known of each superior: a federation key that a superior has
// replaced speaks no longer, although what was said of it before has not run out. It is
// believed when each superior in it lists whom it vouches for there, or could not be asked, see
// [snapshot.denied]; and when each of their statements was made, or had anew, within the bound
// on chains. It is not believed against [Directory.Retain], or another member that holds the
// country, nor as who has a peer ID that is another's, nor of a member of whom it does not say the same as
// what is known: an Intermediate can vouch for somebody else under that identifier. The error matches trust.ErrNotMember or trust.ErrUndetermined, or
// holds a *trust.ChainError.
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
	e, own := e.with(func(id string) bool { return s.free(id, e.node.EntityID) })
	if !own {
		return trust.Node{}, trust.ErrNotMember
	}
	switch {
	case !d.vouched(e), s.denied(c), known != nil && !known.joins(e),
		e.node.Under == "" && country != nil && country != known:
		return trust.Node{}, trust.ErrNotMember
	case known != nil && chain[0] != known.chain[0] && !age.Newer(chain[0], known.chain[0]):
		return trust.Node{}, errors.New("the Trust Chain brings an older Entity Configuration")
	case d.staleness > 0 && now.Sub(s.vouchedAt(c)) > d.staleness:
		return trust.Node{}, trust.ErrUndetermined
	}
	return e.node, nil
}

// free reports whether the peer ID is the Entity's or nobody's.
func (s *snapshot) free(peerID string, id trust.EntityID) bool {
	if held := s.peers[peerID]; held != nil {
		return held.node.EntityID == id
	}
	of, kept := s.reserved[peerID]
	return !kept || of == id
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

// denied reports whether a superior in the chain is known not to list whom it vouches for
// there. What others answer, or do not, says nothing of that. One that could not be asked the
// last time is held to what it listed before, but for statements that it has made since.
func (s *snapshot) denied(c trust.Chain) bool {
	subject := c.Leaf
	for _, superior := range c.Superiors {
		l, asked := s.listings[listed{c.Anchor, superior}]
		if asked && !l.members[subject] && (l.present || !age.At(c, superior, subject).After(l.at)) {
			return true
		}
		subject = superior
	}
	return false
}

// vouchedAt is since when no superior in the chain has been heard of: the oldest of their
// statements, each as of when it was had last.
func (s *snapshot) vouchedAt(c trust.Chain) time.Time {
	var oldest time.Time
	for _, token := range c.Statements() {
		u, err := trust.ParseStatement(token)
		if err != nil || u.IsConfiguration() {
			continue
		}
		at := u.IssuedAt()
		if known := s.newest[link{u.Issuer(), u.Subject()}]; known.token == token && known.checked.After(at) {
			at = known.checked
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}
