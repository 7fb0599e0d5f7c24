package peering

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
)

// Admits is the transport's gate: whether the peer may hold a connection.
func (p *Peers) Admits(peer transport.PeerID) bool {
	n, ok := p.Directory.Member(string(peer), p.cfg.Now())
	// The superior of a node that is suspended is to tell it when it is no longer.
	return ok && !p.pausedNow(n) && (!p.suspended.Load() || slices.Contains(p.cfg.Superiors, n.EntityID))
}

// Also are the peer IDs of the same member beside the given one, while it replaces its libp2p key.
func (p *Peers) Also(peer transport.PeerID) (others []transport.PeerID) {
	n, ok := p.Directory.Member(string(peer), p.cfg.Now())
	if !ok || len(n.PeerIDs) == 0 {
		return nil
	}
	for _, id := range n.IDs() {
		if id != string(peer) {
			others = append(others, transport.PeerID(id))
		}
	}
	return others
}

// Unknown is the transport's question whether a peer that is not admitted may be a member
// all the same, and bring its Trust Chain.
func (p *Peers) Unknown(peer transport.PeerID) bool {
	return !p.suspended.Load() && p.Directory.Unsettled(string(peer), p.cfg.Now())
}

// Share is the transport's name of whose share a peer has part in: its country. A ministry's
// node has no share beside its country's.
func (p *Peers) Share(peer transport.PeerID) string {
	m, _ := p.Member(string(peer), p.cfg.Now())
	return m.Jurisdiction
}

// Member returns the member that the peer ID belongs to, and whether there is one that
// may ask and be asked now.
func (p *Peers) Member(peerID string, now time.Time) (trust.Node, bool) {
	n, ok := p.Directory.Member(peerID, now)
	if !ok || p.suspended.Load() || p.pausedNow(n) {
		return trust.Node{}, false
	}
	return n, true
}

// Entity returns the member with the identifier, for the responder. A member that is
// paused is none to it.
func (p *Peers) Entity(id trust.EntityID, now time.Time) (trust.Node, error) {
	n, err := p.Directory.Entity(id, now)
	if err == nil && (p.suspended.Load() || p.pausedNow(n)) {
		return trust.Node{}, trust.ErrNotMember
	}
	return n, err
}

// Presented is the member by the Trust Chain that it brings, for the responder. One that
// is suspended or paused is none to it.
func (p *Peers) Presented(chain []string, now time.Time) (trust.Node, error) {
	n, err := p.Directory.Presented(chain, now)
	if err == nil && (p.suspended.Load() || p.pausedNow(n)) {
		return trust.Node{}, trust.ErrNotMember
	}
	return n, err
}

// Country returns the member of the country, for the requester. An error that is a
// *protocol.Fault says that the member, or this node, is suspended or paused.
func (p *Peers) Country(alpha3 string, now time.Time) (trust.Node, error) {
	if p.suspended.Load() {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended, Err: errors.New("this node is suspended")}
	}
	n, err := p.Directory.Country(alpha3, now)
	switch {
	case err == nil && p.pausedNow(n):
		return trust.Node{}, &protocol.Fault{Code: protocol.CodePaused}
	case errors.Is(err, trust.ErrNotMember), errors.Is(err, trust.ErrUndetermined):
		for _, l := range p.keeper.Listings() {
			for _, s := range l.Suspended {
				// What could not be found out of others changes nothing of what all Anchors say.
				if s.Jurisdiction == alpha3 && (errors.Is(err, trust.ErrNotMember) || p.keeper.Excludes(s.Entity)) {
					return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended}
				}
			}
		}
	}
	return n, err
}

// Below returns the node of the country that has the identifier, for the requester. The
// errors are those of Country.
func (p *Peers) Below(alpha3 string, id trust.EntityID, now time.Time) (trust.Node, error) {
	if p.suspended.Load() {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended, Err: errors.New("this node is suspended")}
	}
	n, err := p.Directory.Entity(id, now)
	if err == nil && n.Jurisdiction != alpha3 {
		return trust.Node{}, trust.ErrNotMember
	}
	if err == nil && p.pausedNow(n) {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodePaused}
	}
	if errors.Is(err, trust.ErrNotMember) && p.out(id) {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended}
	}
	return n, err
}

// out reports whether an Anchor or superior has suspended the Entity and no other vouches for
// it, be it through an Intermediate: an Anchor of another region stops nobody but its own.
func (p *Peers) out(id trust.EntityID) bool {
	_, is := p.keeper.Suspended(id)
	if !is {
		_, is = p.suspendedBelow(id)
	}
	return is && !p.Directory.Vouched(id)
}

// Find returns the member that an operator names by country or Entity Identifier, paused
// ones too.
func (p *Peers) Find(name string) (trust.Node, error) {
	for _, m := range p.Directory.Members(p.cfg.Now()) {
		if m.EntityID != p.cfg.Self && (m.Jurisdiction == name || string(m.EntityID) == name) {
			return m, nil
		}
	}
	return trust.Node{}, fmt.Errorf("looking for the peer: %w", trust.ErrNotMember)
}
