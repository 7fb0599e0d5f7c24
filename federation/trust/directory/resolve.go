package directory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory/internal/age"
	"github.com/tamga-id/tamga/federation/trust/resolver"
)

// resolution is what was found out about one listed Entity.
type resolution struct {
	id    trust.EntityID
	chain trust.Chain // zero when there is none
	entry *entry      // nil when it could not be resolved or is no node
	err   error
}

// resolveAll resolves a superior's members, a few at a time, and returns them in a stable
// order. They are begun with anywhere: when the time is not enough for all, it is others'
// turn the next time.
func (b *branch) resolveAll(ctx context.Context, superior trust.EntityID, chain trust.Chain, ids []trust.EntityID) []resolution {
	out := make([]resolution, len(ids))
	var g errgroup.Group
	g.SetLimit(refreshWorkers)
	for _, i := range turns(len(ids)) {
		g.Go(func() error {
			out[i] = b.resolve(ctx, superior, chain, ids[i])
			return nil
		})
	}
	g.Wait()
	return out
}

// turns are the numbers below n, beginning with any.
func turns(n int) []int {
	out := make([]int, n)
	first := 0
	if n > 0 {
		first = rand.N(n)
	}
	for i := range out {
		out[i] = (first + i) % n
	}
	return out
}

func (b *branch) resolve(ctx context.Context, superior trust.EntityID, chain trust.Chain, id trust.EntityID) resolution {
	r := resolution{id: id}
	switch {
	case ctx.Err() != nil:
		r.err = fmt.Errorf("%w: there was no time left to ask", trust.ErrUndetermined)
	case superior == b.anchor.EntityID:
		r.chain, r.err = b.own(ctx, id)
	default:
		r.chain, r.err = b.extend(ctx, superior, chain, id)
	}
	if r.err == nil {
		r.chain, r.err = b.newest(r.chain)
	}
	if r.err == nil {
		r.entry, r.err = newEntry(r.chain, b.now)
	}
	return r
}

// own asks the Anchor's resolve endpoint, and builds the chain itself when that
// gives none: the Anchor's copy of a configuration may have run out while the node
// serves a newer one.
func (b *branch) own(ctx context.Context, id trust.EntityID) (trust.Chain, error) {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	token, err := b.d.source.Resolve(ctx, b.anchor.EntityID, id, b.anchor.EntityID)
	if err == nil {
		var c trust.Chain
		if c, err = trust.VerifyResolve(token, b.anchor, id, b.now); err == nil {
			return c, nil
		}
	}
	c, second := resolver.Resolver{Anchors: []trust.Anchor{b.anchor}, Source: b.d.source}.Resolve(ctx, id, b.now)
	if second != nil {
		return trust.Chain{}, errors.Join(err, second)
	}
	return c, nil
}

// extend puts a subordinate's two statements before those that its superior's chain
// has behind the superior's own. The superior's copy of the first will do: a node serves
// its own over libp2p, where it is asked once it is known.
func (b *branch) extend(ctx context.Context, superior trust.EntityID, chain trust.Chain, id trust.EntityID) (trust.Chain, error) {
	token, err := b.d.source.Resolve(ctx, superior, id, superior)
	if err == nil {
		var c trust.Chain
		if c, err = trust.VerifyResolve(token, trust.Anchor{EntityID: superior, Keys: chain.JWKS}, id, b.now); err == nil {
			return trust.VerifyChain(append(c.Statements()[:2:2], chain.Statements()[1:]...), []trust.Anchor{b.anchor}, b.now)
		}
	}
	c, second := b.extendFetched(ctx, superior, chain, id)
	if second != nil {
		return trust.Chain{}, errors.Join(err, second)
	}
	return c, nil
}

// extendFetched fetches the two statements one by one.
func (b *branch) extendFetched(ctx context.Context, superior trust.EntityID, chain trust.Chain, id trust.EntityID) (trust.Chain, error) {
	own, err := b.d.source.EntityConfiguration(ctx, id)
	var link string
	if err == nil {
		link, err = b.d.source.SubordinateStatement(ctx, superior, id)
	}
	if err != nil && !errors.Is(err, trust.ErrNotMember) {
		err = fmt.Errorf("%w: %v", trust.ErrUndetermined, err)
	}
	if err != nil {
		return trust.Chain{}, err
	}
	return trust.VerifyChain(append([]string{own, link}, chain.Statements()[1:]...), []trust.Anchor{b.anchor}, b.now)
}

// errOlder: whoever answers has an earlier state of the federation than this node.
var errOlder = errors.New("the statements of its superiors are older than those known")

// newest is the chain, with the Entity Configuration that is known in place of an older one
// in it. A bundle or an endpoint that was put back brings back no key that a member or
// its superior has replaced: as long as what is known holds, earlier statements of superiors
// are refused.
func (b *branch) newest(c trust.Chain) (trust.Chain, error) {
	known := b.known(c.Leaf)
	if known == nil {
		return c, nil
	}
	anchors, statements := []trust.Anchor{b.anchor}, c.Statements()
	if age.Older(statements[1:], known.chain[1:]) {
		if _, err := trust.VerifyChain(known.chain, anchors, b.now); err == nil {
			return trust.Chain{}, errOlder
		}
	}
	if age.Newer(known.chain[0], statements[0]) {
		if with, err := trust.VerifyChain(append(known.chain[:1:1], statements[1:]...), anchors, b.now); err == nil {
			return with, nil
		}
	}
	return c, nil
}
