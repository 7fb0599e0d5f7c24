// Package explain resolves an Entity's Trust Chain (OpenID Federation 1.0 section 10) and
// tells what was fetched on the way, what each statement says, and which of them keeps the
// chain from being accepted.
//
// [Resolve] does what [resolver.Resolver] does and decides nothing itself: it watches the
// fetches of that and reads what came. What it says about a statement that was refused is
// what the statement claims, not what is true.
package explain

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/resolver"
)

// Kinds of a [Statement].
const (
	Configuration = "entity-configuration"
	Subordinate   = "subordinate-statement"
)

// Outcomes of an [Explanation], kept apart as everywhere: could not tell is no no.
const (
	Accepted     = "accepted"
	Refused      = "refused"
	NotMember    = "not-a-member"
	Undetermined = "undetermined"
)

// Statement is one that was looked for.
type Statement struct {
	Kind            string
	Issuer, Subject trust.EntityID // asked for
	// Fetched says whether there was one; Fault why not, or why it was refused.
	Fetched bool
	Fault   string
	// Rule is the rule that the statement broke, empty when none did.
	Rule trust.Rule

	// What it claims.
	IssuedAt, ExpiresAt time.Time
	KeyIDs              []string
	AuthorityHints      []trust.EntityID
	Anchor              bool // its issuer is a configured Trust Anchor
}

// Explanation is what became of a resolution.
type Explanation struct {
	Entity  trust.EntityID
	Outcome string
	Reason  string // in words; empty when accepted
	// Statements are in the order in which they were looked for.
	Statements []Statement
	// Chain is the accepted chain; zero otherwise.
	Chain trust.Chain
}

// Resolve resolves id and tells how.
func Resolve(ctx context.Context, anchors []trust.Anchor, source trust.Source, id trust.EntityID, now time.Time) Explanation {
	w := &watcher{Source: source, anchors: anchors}
	c, err := resolver.Resolver{Anchors: anchors, Source: w}.Resolve(ctx, id, now)
	e := Explanation{Entity: id, Outcome: Accepted, Statements: w.statements}
	if err == nil && c.Metadata.TamgaNode != nil {
		_, err = c.Node() // a good chain about what nobody takes for a node
	}
	if err == nil {
		e.Chain = c
		return e
	}
	e.Reason = err.Error()
	fault, refused := errors.AsType[*trust.ChainError](err)
	switch {
	case errors.Is(err, trust.ErrUndetermined):
		e.Outcome = Undetermined
	case refused:
		e.Outcome = Refused
		e.mark(fault)
	case errors.Is(err, trust.ErrNotMember):
		e.Outcome = NotMember
		if len(e.Statements) > 0 && len(e.Statements[0].AuthorityHints) > 0 && !slices.ContainsFunc(e.Statements, func(s Statement) bool { return s.Anchor }) {
			e.Reason += ": none of its superiors leads to a configured Trust Anchor"
		}
	default:
		e.Outcome = Undetermined
	}
	return e
}

// mark finds the statement that a fault is about: the first of a chain is a
// configuration, others are about the subject that they name.
func (e *Explanation) mark(f *trust.ChainError) {
	for i := range e.Statements {
		s := &e.Statements[i]
		if s.Subject != f.Entity || (f.Statement == 0) != (s.Kind == Configuration) && !s.Anchor {
			continue
		}
		s.Rule, s.Fault = f.Rule, f.Error()
		return
	}
	// Of several chains the refused one may lack the subject: then it is about the Entity.
	if len(e.Statements) > 0 {
		e.Statements[0].Rule, e.Statements[0].Fault = f.Rule, f.Error()
	}
}

// watcher notes what a resolver fetches.
type watcher struct {
	trust.Source
	anchors []trust.Anchor

	mu         sync.Mutex
	statements []Statement
}

func (w *watcher) note(kind string, issuer, subject trust.EntityID, token string, err error) {
	s := Statement{Kind: kind, Issuer: issuer, Subject: subject}
	s.Anchor = slices.ContainsFunc(w.anchors, func(a trust.Anchor) bool { return a.EntityID == issuer })
	if err != nil {
		s.Fault = err.Error()
	} else {
		s.Fetched = true
		if u, err := trust.ParseStatement(token); err != nil {
			s.Fault = err.Error()
			if f, ok := errors.AsType[*trust.ChainError](err); ok {
				s.Rule = f.Rule
			}
		} else {
			s.IssuedAt, s.ExpiresAt, s.AuthorityHints = u.IssuedAt(), u.ExpiresAt(), u.AuthorityHints()
			for _, k := range u.Keys().Keys() {
				s.KeyIDs = append(s.KeyIDs, k.KeyID())
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statements = append(w.statements, s)
}

// EntityConfiguration implements trust.Source.
func (w *watcher) EntityConfiguration(ctx context.Context, id trust.EntityID) (string, error) {
	token, err := w.Source.EntityConfiguration(ctx, id)
	w.note(Configuration, id, id, token, err)
	return token, err
}

// SubordinateStatement implements trust.Source.
func (w *watcher) SubordinateStatement(ctx context.Context, superior, subject trust.EntityID) (string, error) {
	token, err := w.Source.SubordinateStatement(ctx, superior, subject)
	w.note(Subordinate, superior, subject, token, err)
	return token, err
}
