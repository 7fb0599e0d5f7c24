package node

import (
	"context"
	"net/http"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

// A node may be the superior of its ministries' nodes: it enrols them as an anchor does,
// under its federation key, and answers for them at the same endpoints as for itself, over
// HTTP and /tamga/trust/1. What it enrolled is package subordinates'. Members are told of a change
// within seconds (PROTOCOL.md, TMG-E-015).

// answer answers what others ask of the node as an Entity: about itself, and, where it is a
// superior, about those below it.
func (n *Node) answer(r endpoint.Request) endpoint.Response {
	if s := n.superior.Load(); s != nil {
		if r.Operation == endpoint.Listing {
			_ = n.directory.Tell(context.Background()) // it is told again, and says then what is wrong
		}
		return s.Answer(r)
	}
	p := n.publisher.Load()
	if p == nil {
		return endpoint.Response{Code: endpoint.ServerError} // not ready
	}
	return p.Answer(r)
}

// listing is what the node says of those below it, for the members; see peering.Config.Own.
func (n *Node) listing(held membership.Listing, token string) (membership.Notice, membership.Listing, bool, error) {
	s := n.superior.Load()
	if s == nil {
		return membership.Notice{}, membership.Listing{}, false, nil
	}
	notice, l, err := s.Notice(held, token)
	return notice, l, err == nil, err
}

// entity serves answer over HTTP.
func (n *Node) entity() http.Handler {
	return endpoint.Handler(trust.EntityID(n.cfg.EntityID), n.answer)
}
