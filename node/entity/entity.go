// Package entity is a node as an Entity of the federation (OpenID Federation 1.0): the Entity
// Configuration that it publishes, and what it answers others about itself and about those
// below it.
//
// [New] makes the Entity, Publish signs what it says with the keys and addresses of now, and
// Answer, ServeFrame and Handler say it to who asks. [First] is for a node that is being made,
// and [Introduce] for one that is not running.
//
// A node may be the superior of its ministries' nodes: it enrols them as an anchor does,
// under its federation key, and answers for them at the same endpoints as for itself, over
// HTTP and /tamga/trust/1. What it enrolled is package subordinates'. Members are told of a
// change within seconds (PROTOCOL.md, TMG-E-015).
//
// Not here: who the members are (node/peering).
package entity

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/subordinates"
)

// Config is what an Entity is made of. All fields are required.
type Config struct {
	Node    config.Config
	File    string // what is published is written to, for the Trust Anchor
	Anchors []trust.Anchor
	// Statements are the node's own Trust Chain as the superiors serve it, and whether there is one.
	Statements func() ([]string, bool)
	// Tell has the members told of who is below the node now, before a listing is answered.
	Tell func()
	Now  func() time.Time
}

// Entity is safe for concurrent use, but for Publish, of which one may run at a time.
type Entity struct {
	cfg Config

	// Replaced whole by Publish.
	publisher atomic.Pointer[endpoint.Publisher]
	superior  atomic.Pointer[membership.Author] // nil where the node vouches for nobody

	known atomic.Pointer[knownConfiguration]
}

// New returns an Entity that has nothing to say until Publish.
func New(cfg Config) *Entity { return &Entity{cfg: cfg} }

// Publish makes the Entity Configuration with the keys k, what the law serves, and the
// addresses, and writes it to its file.
func (e *Entity) Publish(k keystore.Set, serves lawbook.Served, addresses []string) error {
	cfg := e.cfg.Node
	c, err := configuration(cfg, k, serves, e.cfg.Anchors, addresses)
	if err != nil {
		return err
	}
	p, err := publisherOf(k, c, e.cfg.Now)
	if err != nil {
		return err
	}
	if cfg.Trust.Subordinates > 0 {
		s, err := subordinates.New(cfg, k.Federation, jose.NewKeySet(k.Announced[1:]...), p, e.cfg.Now)
		if err != nil {
			return err
		}
		author, err := membership.NewAuthor(membership.AuthorConfig{Authority: s, Key: k.Federation, Clock: e.cfg.Now})
		if err != nil {
			return err
		}
		e.superior.Store(author)
	}
	e.publisher.Store(p)
	token, err := p.Token()
	if err != nil {
		return nil // an anchor is told a location then, or asks for a new one
	}
	// The one to hand to the anchor when addresses changed or the last one ages.
	return durable.Replace(e.cfg.File, []byte(token+"\n"))
}

// Published reports whether Publish was ever called with success.
func (e *Entity) Published() bool { return e.publisher.Load() != nil }

// Configuration is the current Entity Configuration, signed. It is for after Publish.
func (e *Entity) Configuration() (string, error) { return e.publisher.Load().Token() }

// Answer answers what others ask of the node as an Entity: about itself, and, where it is a
// superior, about those below it.
func (e *Entity) Answer(r endpoint.Request) endpoint.Response {
	if s := e.superior.Load(); s != nil {
		if r.Operation == endpoint.Listing {
			e.cfg.Tell()
		}
		return s.Answer(r)
	}
	p := e.publisher.Load()
	if p == nil {
		return endpoint.Response{Code: endpoint.ServerError} // not ready
	}
	return p.Answer(r)
}

// ServeFrame serves Answer over /tamga/trust/1.
func (e *Entity) ServeFrame(frame []byte) []byte {
	return endpoint.ServeFrame(trust.EntityID(e.cfg.Node.EntityID), e.Answer, frame)
}

// Handler serves Answer over HTTP.
func (e *Entity) Handler() http.Handler {
	return endpoint.Handler(trust.EntityID(e.cfg.Node.EntityID), e.Answer)
}

// Listing is what the node says of those below it, for the members; see peering.Config.Own.
func (e *Entity) Listing(held membership.Listing, token string) (membership.Notice, membership.Listing, bool, error) {
	s := e.superior.Load()
	if s == nil {
		return membership.Notice{}, membership.Listing{}, false, nil
	}
	notice, l, err := s.Notice(held, token)
	return notice, l, err == nil, err
}
