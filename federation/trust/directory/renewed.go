package directory

import (
	"errors"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// Renewed is the member as it is by an Entity Configuration of its own, below the
// statements that are known of its superiors. Nothing is kept. The error matches
// trust.ErrNotMember, or holds a *trust.ChainError.
func (d *Directory) Renewed(id trust.EntityID, configuration string, now time.Time) (trust.Node, error) {
	e, ok := d.snapshot.Load().entities[id]
	if !ok || !d.vouched(e) {
		return trust.Node{}, trust.ErrNotMember
	}
	c, err := trust.VerifyChain(append([]string{configuration}, e.chain[1:]...), *d.anchors.Load(), now)
	if err != nil {
		return trust.Node{}, err
	}
	if c.Leaf != id {
		return trust.Node{}, errors.New("verifying a member's Entity Configuration: it is of another Entity")
	}
	return c.Node()
}

// Statements returns the Trust Chain by which the Entity is a member, Leaf first, and
// whether there is one. The slice is the caller's.
func (d *Directory) Statements(id trust.EntityID) ([]string, bool) {
	e, ok := d.snapshot.Load().entities[id]
	if !ok {
		return nil, false
	}
	return slices.Clone(e.chain), true
}
