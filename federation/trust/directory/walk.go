package directory

import (
	"context"
	"errors"
	"fmt"
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

	mu     sync.Mutex                     // guards what follows
	chains map[trust.EntityID]trust.Chain // of those that were resolved; zero when that failed
	// superiors are the chains of Intermediates: of two with one identifier each has its own path.
	superiors map[trust.Path][]string
	silent    map[trust.EntityID]bool // issuers of Trust Marks that did not answer
}

func newWalk(d *Directory, a trust.Anchor, old *snapshot, now time.Time) *walk {
	w := &walk{d: d, anchor: a, old: old, now: now, chains: make(map[trust.EntityID]trust.Chain), silent: make(map[trust.EntityID]bool), superiors: make(map[trust.Path][]string)}
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
	intermediates []trust.Chain                              // among the Anchor's own members
	lists         map[trust.EntityID]map[trust.EntityID]bool // by superior; see listing
	report        Report
	faults        []error
	// dark is whether a superior could not be asked for its list, or there may be members
	// that nothing was found out about.
	dark bool
}

func (w *walk) branch(most int) *branch {
	return &branch{walk: w, most: most, seen: map[trust.EntityID]bool{w.anchor.EntityID: true},
		lists: make(map[trust.EntityID]map[trust.EntityID]bool), report: Report{Failures: make(map[trust.EntityID]error)}}
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

// under resolves what a superior lists, and, in a branch of its own, what the Intermediates
// among that list. chain is the superior's own, zero for the Anchor.
func (b *branch) under(ctx context.Context, superior trust.EntityID, chain trust.Chain) {
	keys := b.anchor.Keys
	if chain.Leaf != "" {
		keys = chain.JWKS
	}
	ids, err := b.list(ctx, superior, keys)
	members := setOf(ids)
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
	b.lists[superior] = members
	for _, r := range b.resolveAll(ctx, superior, chain, ids) {
		if r.chain.Leaf == "" && b.known(r.id) == nil && !errors.Is(r.err, trust.ErrUndetermined) {
			delete(members, r.id) // listed, and made no member of all the same
		}
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

// settle turns a resolution into a candidate, or into what was known before, and goes
// on below an Intermediate: at once, or in its own branch when it is directly under the
// Anchor.
func (b *branch) settle(ctx context.Context, r resolution) {
	if r.chain.Leaf != "" {
		b.learn(r.chain)
		if r.chain.Superior && lists(r.chain) {
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
	if c.Superior && lists(c) {
		w.superiors[trust.PathTo(c.Leaf, c.Superiors...)] = c.Statements()
	}
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
