package peering

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/explain"
)

// Explanation says why an Entity is a member to this node, or not: the chain as it can be
// had now, and every decision besides.
type Explanation struct {
	explain.Explanation
	Decisions []Stage
}

// explainTimeout is for all that an explanation fetches, which the Entities on the way may
// make much of; what did not come by then is told as not fetched.
const explainTimeout = 45 * time.Second

// explainPoll is for what the Anchors have published since the last poll, which was some seconds
// ago: with one that does not answer, the explanation goes on with what is known of it.
const explainPoll = 5 * time.Second

// Explain resolves an Entity, named by identifier or by country when it is a known member,
// anew, and says what this node makes of it.
func (p *Peers) Explain(ctx context.Context, name string) (Explanation, error) {
	id := p.entityOf(name)
	if _, err := trust.ParseEntityID(string(id)); err != nil {
		return Explanation{}, trust.ErrNotMember
	}
	// A time of its own: of an Anchor that hangs nothing is to be told as the fault of whoever is asked next.
	polling, done := context.WithTimeout(ctx, explainPoll)
	polled := p.poll(polling)
	done()
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	e := Explanation{Explanation: explain.Resolve(ctx, p.keeper.Anchors(), p.statements, id, p.cfg.Now())}
	_, known := p.Directory.Entity(id, p.cfg.Now())
	if e.Outcome == explain.Undetermined && p.keeper.Excludes(id) && errors.Is(known, trust.ErrNotMember) {
		e.Outcome = explain.NotMember // what could not be fetched would not change that
	}
	add := func(name, state, side, detail, next string) {
		e.Decisions = append(e.Decisions, Stage{name, state, side, detail, next})
	}
	if polled != nil {
		add("anchor", Warning, Ours, polled.Error(), "See tamga trust anchors: what is known of it holds until it expires.")
	}
	for _, l := range p.keeper.Listings() {
		s, suspended := l.Suspension(id)
		switch {
		case suspended:
			add("listing", Failed, Superior, string(l.Anchor)+" has suspended it since "+time.Unix(s.Since, 0).UTC().Format(time.RFC3339)+because(s.Reason), "Ask the Trust Anchor's operator.")
		case slices.Contains(l.Members, id):
			add("listing", OK, "", string(l.Anchor)+" lists it", "")
		default:
			add("listing", Skipped, "", string(l.Anchor)+" does not list it among those directly below it", "")
		}
	}
	for _, l := range p.below.Listings() { // an Intermediate can name anybody: what it is above counts
		if slices.Contains(l.Members, id) && p.Directory.WasBelow(id, l.Path) {
			add("listing", OK, "", string(l.Path.Entity())+" lists it", "")
		}
	}
	n, err := p.Directory.Entity(id, p.cfg.Now())
	switch {
	case err == nil:
		add("directory", OK, "", "believed in as "+n.Jurisdiction+" until "+n.ExpiresAt.Format(time.RFC3339), "")
	case errors.Is(err, trust.ErrExpired):
		add("directory", Failed, Superior, "its last verified chain has run out", "The Trust Anchor has to sign a new statement, and this node to hear it.")
	case errors.Is(err, trust.ErrUndetermined):
		add("directory", Failed, Ours, "it could not be found out whether it is a member", "See tamga trust anchors.")
	default:
		add("directory", Failed, Superior, "not a member", "Enrol it with the Trust Anchor.")
	}
	if _, pause, is := p.pauseOf(id); is {
		add("pause", Failed, Ours, "paused by this node's operator since "+pause.Since.Format(time.RFC3339)+because(pause.Reason), "tamga peer resume "+name)
	}
	if id != p.cfg.Self && p.SelfSuspended() {
		add("own membership", Failed, Superior, "this node is suspended", "Ask the Trust Anchor's operator.")
	}
	return e, nil
}

// entityOf is the Entity that an operator names.
func (p *Peers) entityOf(name string) trust.EntityID {
	if n, err := p.Directory.Country(name, p.cfg.Now()); err == nil {
		return n.EntityID
	}
	if s, ok := p.suspension(name); ok {
		return s.Entity
	}
	return trust.EntityID(name)
}

// Chain reads the Trust Chain by which the member is one, Leaf first.
func (p *Peers) Chain(id trust.EntityID) []explain.Statement {
	tokens, _ := p.Directory.Statements(id)
	var out []explain.Statement
	for _, token := range tokens {
		u, err := trust.ParseStatement(token)
		if err != nil {
			continue // it was verified before
		}
		s := explain.Statement{Kind: explain.Subordinate, Issuer: u.Issuer(), Subject: u.Subject(), Fetched: true,
			IssuedAt: u.IssuedAt(), ExpiresAt: u.ExpiresAt(), AuthorityHints: u.AuthorityHints()}
		if u.IsConfiguration() {
			s.Kind = explain.Configuration
		}
		for _, k := range u.Keys().Keys() {
			s.KeyIDs = append(s.KeyIDs, k.KeyID())
		}
		s.Anchor = slices.ContainsFunc(p.cfg.Anchors, func(a trust.Anchor) bool { return a.EntityID == u.Issuer() })
		out = append(out, s)
	}
	return out
}
