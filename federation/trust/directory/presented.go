package directory

import (
	"errors"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// Presented is the member that a Trust Chain makes out, which the member brings itself
// (OpenID Federation 1.0 section 4.3). It needs no more than the Anchors' keys: nothing
// is fetched and nothing is kept. A chain adds to what is known and never takes it back:
// it is believed only when the Entity Configuration in it is newer than the one known,
// so that nobody who has an old key can bring back what a member has left behind; not
// about an Entity that its Anchor was asked for and does not list; and not against
// [Directory.Retain], or another member that holds the peer ID or the country. The error
// matches trust.ErrNotMember, or holds a *trust.ChainError.
func (d *Directory) Presented(chain []string, now time.Time) (trust.Node, error) {
	c, err := trust.VerifyChain(chain, *d.anchors.Load(), now)
	if err != nil {
		return trust.Node{}, err
	}
	e, err := newEntry(c, now)
	if err != nil {
		return trust.Node{}, err
	}
	s := d.snapshot.Load()
	known := s.entities[e.node.EntityID]
	peer, country := s.peers[e.node.PeerID], s.countries[e.node.Jurisdiction]
	switch {
	case !d.vouched(e), known == nil && s.complete,
		peer != nil && peer != known,
		e.node.Under == "" && country != nil && country != known:
		return trust.Node{}, trust.ErrNotMember
	case known != nil && !newer(chain[0], known.chain[0]):
		return trust.Node{}, errors.New("the Trust Chain brings no newer Entity Configuration")
	}
	return e.node, nil
}

// newer compares Entity Configurations that were verified.
func newer(a, b string) bool {
	x, err := trust.ParseStatement(a)
	y, err2 := trust.ParseStatement(b)
	return err == nil && err2 == nil && x.IssuedAt().After(y.IssuedAt())
}
