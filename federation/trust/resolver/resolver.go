// Package resolver builds the Trust Chain of an Entity bottom-up (OpenID Federation 1.0 section
// 10.1): it fetches statements until a chain ends at a Trust Anchor, and has package trust
// verify that. A [Resolver] is all there is.
package resolver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// maxFetches bounds what one resolution may fetch, whatever graph the Entities on
// the way describe. A chain of full length needs 13.
const maxFetches = 32

// Resolver builds Trust Chains bottom-up (section 10.1): from an Entity's
// authority_hints to a configured Anchor. Safe for concurrent use.
type Resolver struct {
	// Anchors are the Trust Anchors that are trusted, in order of preference.
	Anchors []trust.Anchor
	// Source fetches the statements.
	Source trust.Source
}

// Resolve returns the first chain that verifies. When there is none, the error
// matches [trust.ErrUndetermined] if anything that might have led to one could not be
// fetched; otherwise it holds the [*trust.ChainError] of a chain that was refused, or
// matches [trust.ErrNotMember] if no superior vouches for the Entity.
func (r Resolver) Resolve(ctx context.Context, id trust.EntityID, now time.Time) (trust.Chain, error) {
	w := walk{Resolver: r, now: now, left: maxFetches}
	own, err := w.configuration(ctx, id)
	if err != nil {
		return trust.Chain{}, fmt.Errorf("resolving %q: %w", id.Clip(), w.outcome())
	}
	if c, ok := w.climb(ctx, own, []string{own.Token()}, []trust.EntityID{id}); ok {
		return c, nil
	}
	return trust.Chain{}, fmt.Errorf("resolving %q: %w", id.Clip(), w.outcome())
}

// walk is one resolution; it belongs to one goroutine.
type walk struct {
	Resolver
	now     time.Time
	left    int               // fetches that may still be made
	missing error             // the first thing that could not be fetched
	refused *trust.ChainError // the first statement or chain that was refused
}

// climb tries every superior that an Entity names. tokens are the chain so far;
// path the Entities in it, which no superior may repeat.
func (w *walk) climb(ctx context.Context, below trust.UnverifiedStatement, tokens []string, path []trust.EntityID) (trust.Chain, bool) {
	// Anchors first: a chain of two needs no further Intermediate.
	hints := below.AuthorityHints()
	slices.SortStableFunc(hints, func(a, b trust.EntityID) int { return cmp.Compare(w.rank(a), w.rank(b)) })
	for _, superior := range hints {
		if slices.Contains(path, superior) || len(tokens)+2 > trust.MaxChain {
			continue
		}
		above, err := w.configuration(ctx, superior)
		if err != nil {
			continue
		}
		link, err := w.subordinate(ctx, superior, below.Subject())
		if err != nil {
			continue
		}
		chain := append(slices.Clone(tokens), link)
		if w.rank(superior) < len(w.Anchors) {
			c, err := trust.VerifyChain(append(chain, above.Token()), w.Anchors, w.now)
			if err == nil {
				return c, true
			}
			w.refuse(err)
			continue
		}
		if c, ok := w.climb(ctx, above, chain, append(slices.Clone(path), superior)); ok {
			return c, true
		}
	}
	return trust.Chain{}, false
}

// rank is the position among the Anchors, or their number for all others.
func (w *walk) rank(id trust.EntityID) int {
	i := slices.IndexFunc(w.Anchors, func(a trust.Anchor) bool { return a.EntityID == id })
	if i < 0 {
		return len(w.Anchors)
	}
	return i
}

func (w *walk) configuration(ctx context.Context, id trust.EntityID) (trust.UnverifiedStatement, error) {
	token, err := w.fetch(func() (string, error) { return w.Source.EntityConfiguration(ctx, id) })
	if err != nil {
		return trust.UnverifiedStatement{}, err
	}
	s, err := trust.ParseStatement(token)
	if err == nil && (!s.IsConfiguration() || s.Subject() != id) {
		err = &trust.ChainError{Statement: -1, Rule: trust.RuleWrongEntity}
	}
	w.refuse(err)
	return s, err
}

func (w *walk) subordinate(ctx context.Context, superior, subject trust.EntityID) (string, error) {
	token, err := w.fetch(func() (string, error) { return w.Source.SubordinateStatement(ctx, superior, subject) })
	if err != nil {
		return "", err
	}
	s, err := trust.ParseStatement(token)
	if err == nil && (s.Issuer() != superior || s.Subject() != subject) {
		err = &trust.ChainError{Statement: -1, Rule: trust.RuleWrongEntity}
	}
	w.refuse(err)
	return token, err
}

func (w *walk) fetch(get func() (string, error)) (string, error) {
	if w.left == 0 {
		err := errors.New("too many statements to fetch")
		w.missing = cmp.Or(w.missing, err)
		return "", err
	}
	w.left--
	token, err := get()
	if err != nil && !errors.Is(err, trust.ErrNotMember) {
		w.missing = cmp.Or(w.missing, err)
	}
	return token, err
}

func (w *walk) refuse(err error) {
	if fault, ok := errors.AsType[*trust.ChainError](err); ok {
		w.refused = cmp.Or(w.refused, fault)
	}
}

// outcome keeps "no" apart from "could not tell".
func (w *walk) outcome() error {
	switch {
	case w.missing != nil:
		return fmt.Errorf("%w: %v", trust.ErrUndetermined, w.missing)
	case w.refused != nil:
		return w.refused
	default:
		return trust.ErrNotMember
	}
}
