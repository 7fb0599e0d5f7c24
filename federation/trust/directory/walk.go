package directory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

const (
	// refreshWorkers is how many members are resolved at a time: enough to hide a slow
	// link, few enough not to be a burden on the superior.
	refreshWorkers = 4
	// memberTimeout is for one member of an Anchor: a chain of full length over a satellite
	// link, and not every host that such a member's authority_hints may name.
	memberTimeout = 30 * time.Second
	// directTimeout is for all members of an Anchor: a thousand that are asked one by one,
	// at a few a second. Those whose turn does not come keep what they have.
	directTimeout = 5 * time.Minute
	// branchTimeout is for all below one member of an Anchor, marks included: some dozens of
	// Entities over a slow line. A refresh takes as long when somebody stalls.
	branchTimeout = 30 * time.Second
	// maxBranch bounds the Entities below one member of an Anchor: what a country needs for
	// its ministries, many times over.
	maxBranch = 256
	// maxDirect bounds those of an Anchor.
	maxDirect = 4096
)

// walk goes down from one Anchor: to its own members, and then below each Intermediate
// among them by itself.
type walk struct {
	d      *Directory
	anchor trust.Anchor
	old    *snapshot
	now    time.Time

	direct *branch   // the Anchor's own members; written in run alone
	below  []*branch // one for each Intermediate among those; appended to in run alone
	done   bool      // whether below is complete; written under round.mu

	mu     sync.Mutex                     // guards what follows
	chains map[trust.EntityID]trust.Chain // of those that were resolved; zero when that failed
	silent map[trust.EntityID]bool        // issuers of Trust Marks that did not answer
}

func newWalk(d *Directory, a trust.Anchor, old *snapshot, now time.Time) *walk {
	w := &walk{d: d, anchor: a, old: old, now: now, chains: make(map[trust.EntityID]trust.Chain), silent: make(map[trust.EntityID]bool)}
	w.direct = w.branch(maxDirect)
	return w
}

// run resolves the Anchor's own members, has that published, and then resolves all below
// them and looks after the marks.
func (w *walk) run(ctx context.Context, publish func(change func())) {
	bounded(ctx, directTimeout, func(ctx context.Context) { w.direct.under(ctx, w.anchor.EntityID, trust.Chain{}) })
	publish(func() {
		for _, c := range w.direct.intermediates {
			b := w.branch(maxBranch)
			b.top = c
			w.below = append(w.below, b)
		}
		w.direct.rememberMarks()
		w.direct.done = true
	})
	var g errgroup.Group
	g.SetLimit(branchWorkers + 1)
	var marked []*entry
	g.Go(func() error {
		bounded(ctx, branchTimeout, func(ctx context.Context) { marked = w.direct.marked(ctx) })
		return nil
	})
	for _, b := range w.below {
		g.Go(func() error {
			bounded(ctx, branchTimeout, func(ctx context.Context) {
				b.under(ctx, b.top.Leaf, b.top)
				b.found = b.marked(ctx)
			})
			return nil
		})
	}
	g.Wait()
	publish(func() {
		w.direct.found = marked
		for _, b := range w.below {
			b.done = true
		}
	})
}

func bounded(ctx context.Context, within time.Duration, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	do(ctx)
}

// branches are those that are done, the Anchor's own members first.
func (w *walk) branches() []*branch {
	return slices.DeleteFunc(append([]*branch{w.direct}, w.below...), func(b *branch) bool { return !b.done })
}

// pending is what is known of the members whose branch is not done.
func (w *walk) pending() []*entry {
	var out []*entry
	for _, e := range w.old.all() {
		open := func(b *branch) bool { return !b.done && b.top.Leaf == e.top() && e.node.EntityID != e.top() }
		if e.anchor == w.anchor.EntityID && (!w.direct.done || slices.ContainsFunc(w.below, open)) {
			out = append(out, e)
		}
	}
	return out
}

// known is what is known of an Entity by this Anchor; nil when nothing is.
func (w *walk) known(id trust.EntityID) *entry {
	e := w.old.entities[id]
	if e == nil || e.anchor == w.anchor.EntityID {
		return e
	}
	for _, other := range e.others {
		if other.anchor == w.anchor.EntityID {
			return other
		}
	}
	return nil
}

// branch is what is found in one go, below one superior. It belongs to one goroutine until
// it is done.
type branch struct {
	*walk
	top  trust.Chain // of the Intermediate that it is below; zero for the Anchor
	most int         // Entities
	done bool        // written under round.mu

	seen          map[trust.EntityID]bool // resolved or kept, so that no graph leads round in it
	asked         int
	found         []*entry
	kept          []*entry
	intermediates []trust.Chain // among the Anchor's own members
	report        Report
	faults        []error
	// dark is whether a superior could not be asked for its list, or there may be members
	// that nothing was found out about.
	dark bool
}

func (w *walk) branch(most int) *branch {
	return &branch{walk: w, most: most, seen: map[trust.EntityID]bool{w.anchor.EntityID: true}, report: Report{Failures: make(map[trust.EntityID]error)}}
}

// reported adds what was found out to the whole report. An Entity that one superior could
// not give a chain for may have one by another.
func (b *branch) reported(to *Report) {
	for _, id := range b.report.Refreshed {
		if !slices.Contains(to.Refreshed, id) {
			to.Refreshed = append(to.Refreshed, id)
		}
	}
	to.Kept = append(to.Kept, b.report.Kept...)
	to.Unreachable = append(to.Unreachable, b.report.Unreachable...)
	for id, err := range b.report.Failures {
		to.Failures[id] = err
	}
}

// resolution is what was found out about one listed Entity.
type resolution struct {
	id    trust.EntityID
	chain trust.Chain // zero when there is none
	entry *entry      // nil when it could not be resolved or is no node
	err   error
}

// under resolves what a superior lists, and, in a branch of its own, what the Intermediates
// among that list. chain is the superior's own, zero for the Anchor.
func (b *branch) under(ctx context.Context, superior trust.EntityID, chain trust.Chain) {
	keys := b.anchor.Keys
	if chain.Leaf != "" {
		keys = chain.JWKS
	}
	ids, err := b.list(ctx, superior, keys)
	ids = slices.DeleteFunc(ids, func(id trust.EntityID) bool { return b.seen[id] })
	if b.asked += len(ids); err == nil && b.asked > b.most {
		err = fmt.Errorf("asking %q for its members: more than %d Entities", superior.Clip(), b.most)
	}
	if err != nil {
		b.faults = append(b.faults, err)
		b.report.Unreachable, b.dark = append(b.report.Unreachable, superior), true
		b.keep(superior)
		return
	}
	for _, r := range b.resolveAll(ctx, superior, chain, ids) {
		if r.chain.Leaf != "" { // else another may be its superior
			b.seen[r.id] = true
		}
		b.settle(ctx, r)
	}
}

// list asks a superior for its members, after it has shown that it is the Entity whose
// keys are known: the list is not signed, and whoever answers in the superior's place
// would otherwise expel everybody. Whoever has recorded its present Entity Configuration can
// show that, too: whether the list is the superior's own rests on TLS, or on the peer ID, and
// for an Anchor on its signed listing.
func (b *branch) list(ctx context.Context, superior trust.EntityID, keys jose.KeySet) ([]trust.EntityID, error) {
	token, err := b.d.source.EntityConfiguration(ctx, superior)
	if err != nil {
		return nil, err
	}
	own, err := trust.VerifyConfiguration(token, "", b.now)
	if err == nil {
		err = own.VerifyBy(keys)
	}
	if err == nil && own.Subject() != superior {
		err = errors.New("it is of another Entity")
	}
	if err != nil {
		return nil, fmt.Errorf("asking %q for its members: its Entity Configuration is not its own, of now: %w", superior.Clip(), err)
	}
	ids, err := b.d.source.List(ctx, superior)
	return slices.Compact(slices.Sorted(slices.Values(ids))), err
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
	c, second := trust.Resolver{Anchors: []trust.Anchor{b.anchor}, Source: b.d.source}.Resolve(ctx, id, b.now)
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
	if older(statements[1:], known.chain[1:]) {
		if _, err := trust.VerifyChain(known.chain, anchors, b.now); err == nil {
			return trust.Chain{}, errOlder
		}
	}
	if newer(known.chain[0], statements[0]) {
		if with, err := trust.VerifyChain(append(known.chain[:1:1], statements[1:]...), anchors, b.now); err == nil {
			return with, nil
		}
	}
	return c, nil
}

// older reports whether one of some Subordinate Statements was issued before the one about
// the same Entity, by the same superior, among others that were verified; by more than
// clocks, and copies of one answer that are handed out again, may differ.
func older(these, others []string) bool {
	for _, token := range these {
		s, err := trust.ParseStatement(token)
		if err != nil || s.IsConfiguration() {
			continue
		}
		for _, other := range others {
			o, err := trust.ParseStatement(other)
			if err == nil && o.Issuer() == s.Issuer() && o.Subject() == s.Subject() && s.IssuedAt().Add(trust.ClockSkew).Before(o.IssuedAt()) {
				return true
			}
		}
	}
	return false
}

// settle turns a resolution into a candidate, or into what was known before, and goes
// on below an Intermediate: at once, or in its own branch when it is directly under the
// Anchor.
func (b *branch) settle(ctx context.Context, r resolution) {
	if r.chain.Leaf != "" {
		b.learn(r.chain)
		if f := r.chain.Metadata.FederationEntity; f != nil && f.ListEndpoint != "" && r.chain.Superior {
			if b == b.direct {
				b.intermediates = append(b.intermediates, r.chain)
			} else {
				b.under(ctx, r.id, r.chain)
			}
		}
	} else {
		b.keep(r.id)
	}
	if r.err == nil {
		b.report.Refreshed = append(b.report.Refreshed, r.id)
		b.found = append(b.found, r.entry)
		return
	}
	if fault, ok := errors.AsType[*trust.ChainError](r.err); ok && fault.Rule == trust.RuleNotNode {
		return // an Intermediate or another kind of Entity; not ours to list
	}
	b.report.Failures[r.id] = r.err
	if known := b.known(r.id); known != nil {
		b.report.Kept = append(b.report.Kept, r.id)
		b.kept = append(b.kept, known)
		return
	}
	// Nothing is known of it: there may be members below it.
	b.dark = b.dark || errors.Is(r.err, trust.ErrUndetermined)
}

// keep keeps what is known of the members below a superior that cannot be asked.
func (b *branch) keep(superior trust.EntityID) {
	for _, e := range b.old.all() {
		if e.anchor == b.anchor.EntityID && !b.seen[e.node.EntityID] && slices.Contains(e.superiors, superior) {
			b.seen[e.node.EntityID] = true
			b.kept = append(b.kept, e)
			b.report.Kept = append(b.report.Kept, e.node.EntityID)
		}
	}
}

// learn remembers a chain for whoever issued marks; one that is shorter goes first.
func (w *walk) learn(c trust.Chain) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if held := w.chains[c.Leaf]; held.Leaf == "" || len(c.Superiors) < len(held.Superiors) {
		w.chains[c.Leaf] = c
	}
}

// chain is what was learnt of an Entity; it is zero when it could not be resolved, and
// asked says whether that was tried.
func (w *walk) chain(id trust.EntityID) (c trust.Chain, asked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, asked = w.chains[id]
	return c, asked
}
