package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

// refreshWorkers is how many members are resolved at a time: enough to hide a slow
// link, few enough not to be a burden on the Anchor.
const refreshWorkers = 4

// Report says what a [Directory.Refresh] found.
type Report struct {
	// Members is how many there are now, expired ones included.
	Members int
	// Refreshed are those whose chain was verified anew.
	Refreshed []trust.EntityID
	// Kept are those that could not be refreshed and keep the chain they had.
	Kept []trust.EntityID
	// Dropped were members, and their Anchor no longer lists them.
	Dropped []trust.EntityID
	// Unreachable are the Anchors whose list could not be had.
	Unreachable []trust.EntityID
	// Failures tell for each listed Entity that was not refreshed why.
	Failures map[trust.EntityID]error
}

// resolution is what was found out about one listed Entity.
type resolution struct {
	id    trust.EntityID
	chain trust.Chain // zero when there is none
	entry *entry      // nil when it could not be resolved or is no node
	err   error
}

// Refresh asks every Anchor for its members, and the Intermediates among them for
// theirs, verifies each member's chain and replaces the snapshot, in memory and then in
// the cache file. A member that cannot be refreshed keeps its chain until that
// expires; one that its superior can be reached and no longer lists is dropped at once,
// and with an Intermediate all below it. The error says which superiors could not be
// reached or that the cache file could not be written; the snapshot is replaced all
// the same.
func (d *Directory) Refresh(ctx context.Context, now time.Time) (Report, error) {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	old := d.snapshot.Load()
	report := Report{Failures: make(map[trust.EntityID]error)}
	var faults []error
	var candidates []*entry
	complete := map[trust.EntityID]bool{}
	whole := true
	for _, a := range *d.anchors.Load() {
		w := walk{d: d, anchor: a, old: old, report: &report, now: now, seen: map[trust.EntityID]bool{a.EntityID: true}, chains: map[trust.EntityID]trust.Chain{}}
		w.below(ctx, a.EntityID, trust.Chain{})
		w.addMarks(ctx)
		// A chain that was verified now goes before one that is kept: who lists an Entity
		// that it is no superior of must not have its old chain outlive the present one.
		candidates = append(append(candidates, w.found...), w.kept...)
		faults = append(faults, w.faults...)
		complete[a.EntityID] = !w.dark
		whole = whole && !w.dark
	}
	old.byPrecedence(candidates, now)
	next, conflicts := newSnapshot(candidates)
	next.complete, next.whole = complete, whole
	next.account(old, conflicts, &report)
	d.snapshot.Store(next)
	if err := next.save(d.cacheFile); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return report, fmt.Errorf("refreshing directory: %w", err)
	}
	return report, nil
}

// walk goes down from one Anchor. It belongs to one goroutine.
type walk struct {
	d      *Directory
	anchor trust.Anchor
	old    *snapshot
	report *Report
	now    time.Time

	chains map[trust.EntityID]trust.Chain // of those that were resolved
	seen   map[trust.EntityID]bool        // resolved or kept, so that no graph leads round in it
	asked  int
	found  []*entry
	kept   []*entry
	faults []error
	// dark is whether a superior could not be asked for its list, or there may be members
	// that nothing was found out about.
	dark bool
}

// maxWalk bounds the Entities of one walk.
const maxWalk = 4096

// below resolves what a superior lists, and what the Intermediates among that list.
// chain is the superior's own, zero for the Anchor.
func (w *walk) below(ctx context.Context, superior trust.EntityID, chain trust.Chain) {
	keys := w.anchor.Keys
	if chain.Leaf != "" {
		keys = chain.JWKS
	}
	ids, err := w.d.list(ctx, superior, keys)
	if err != nil {
		w.faults = append(w.faults, err)
		w.report.Unreachable, w.dark = append(w.report.Unreachable, superior), true
		w.keep(superior)
		return
	}
	ids = slices.DeleteFunc(ids, func(id trust.EntityID) bool { return w.seen[id] })
	if w.asked += len(ids); w.asked > maxWalk {
		w.faults = append(w.faults, fmt.Errorf("more than %d Entities below %q", maxWalk, w.anchor.EntityID.Clip()))
		w.report.Unreachable, w.dark = append(w.report.Unreachable, superior), true
		w.keep(superior)
		return
	}
	for _, r := range w.resolveAll(ctx, superior, chain, ids) {
		if r.chain.Leaf != "" { // else another may be its superior
			w.seen[r.id] = true
		}
		w.settle(ctx, r)
	}
}

// list asks a superior for its members, after it has shown that it is the Entity whose
// keys are known: the list is not signed, and whoever answers in the superior's place
// would otherwise expel everybody.
func (d *Directory) list(ctx context.Context, superior trust.EntityID, keys jose.KeySet) ([]trust.EntityID, error) {
	token, err := d.source.EntityConfiguration(ctx, superior)
	if err != nil {
		return nil, err
	}
	if _, err := jose.Verify(token, trust.StatementType, keys); err != nil {
		return nil, fmt.Errorf("asking %q for its members: its Entity Configuration is not signed with its keys: %w", superior.Clip(), err)
	}
	ids, err := d.source.List(ctx, superior)
	return slices.Compact(slices.Sorted(slices.Values(ids))), err
}

// resolveAll resolves a superior's members, a few at a time, in a stable order.
func (w *walk) resolveAll(ctx context.Context, superior trust.EntityID, chain trust.Chain, ids []trust.EntityID) []resolution {
	out := make([]resolution, len(ids))
	var g errgroup.Group
	g.SetLimit(refreshWorkers)
	for i, id := range ids {
		g.Go(func() error {
			out[i] = w.resolve(ctx, superior, chain, id)
			return nil
		})
	}
	g.Wait()
	return out
}

func (w *walk) resolve(ctx context.Context, superior trust.EntityID, chain trust.Chain, id trust.EntityID) resolution {
	r := resolution{id: id}
	if superior == w.anchor.EntityID {
		r.chain, r.err = w.direct(ctx, id)
	} else {
		r.chain, r.err = w.extend(ctx, superior, chain, id)
	}
	if r.err == nil {
		r.entry, r.err = newEntry(r.chain, w.now)
	}
	return r
}

// direct asks the Anchor's resolve endpoint, and builds the chain itself when that
// gives none: the Anchor's copy of a configuration may have run out while the node
// serves a newer one.
func (w *walk) direct(ctx context.Context, id trust.EntityID) (trust.Chain, error) {
	token, err := w.d.source.Resolve(ctx, w.anchor.EntityID, id, w.anchor.EntityID)
	if err == nil {
		var c trust.Chain
		if c, err = trust.VerifyResolve(token, w.anchor, id, w.now); err == nil {
			return c, nil
		}
	}
	c, second := trust.Resolver{Anchors: []trust.Anchor{w.anchor}, Source: w.d.source}.Resolve(ctx, id, w.now)
	if second != nil {
		return trust.Chain{}, errors.Join(err, second)
	}
	return c, nil
}

// extend puts a subordinate's two statements before those that its superior's chain
// has behind the superior's own.
func (w *walk) extend(ctx context.Context, superior trust.EntityID, chain trust.Chain, id trust.EntityID) (trust.Chain, error) {
	own, err := w.d.source.EntityConfiguration(ctx, id)
	if err != nil {
		return trust.Chain{}, err
	}
	link, err := w.d.source.SubordinateStatement(ctx, superior, id)
	if err != nil {
		return trust.Chain{}, err
	}
	return trust.VerifyChain(append([]string{own, link}, chain.Statements()[1:]...), []trust.Anchor{w.anchor}, w.now)
}

// settle turns a resolution into a candidate, or into what was known before, and goes
// on below an Intermediate.
func (w *walk) settle(ctx context.Context, r resolution) {
	if r.chain.Leaf != "" {
		w.chains[r.id] = r.chain
		if f := r.chain.Metadata.FederationEntity; f != nil && f.ListEndpoint != "" && r.chain.Superior {
			w.below(ctx, r.id, r.chain)
		}
	} else {
		w.keep(r.id)
	}
	if r.err == nil {
		w.report.Refreshed = append(w.report.Refreshed, r.id)
		w.found = append(w.found, r.entry)
		return
	}
	if fault, ok := errors.AsType[*trust.ChainError](r.err); ok && fault.Rule == trust.RuleNotNode {
		return // an Intermediate or another kind of Entity; not ours to list
	}
	w.report.Failures[r.id] = r.err
	known := len(w.kept)
	for _, e := range w.old.all() {
		if e.node.EntityID == r.id && e.anchor == w.anchor.EntityID {
			w.report.Kept = append(w.report.Kept, r.id)
			w.kept = append(w.kept, e)
		}
	}
	// Nothing is known of it: there may be members below it.
	w.dark = w.dark || (known == len(w.kept) && errors.Is(r.err, trust.ErrUndetermined))
}

// keep keeps what is known of the members below a superior that cannot be asked.
func (w *walk) keep(superior trust.EntityID) {
	for _, e := range w.old.all() {
		if e.anchor == w.anchor.EntityID && !w.seen[e.node.EntityID] && slices.Contains(e.superiors, superior) {
			w.seen[e.node.EntityID] = true
			w.kept = append(w.kept, e)
			w.report.Kept = append(w.report.Kept, e.node.EntityID)
		}
	}
}

// account completes the report and the new snapshot's list of unresolved members.
func (s *snapshot) account(old *snapshot, conflicts []trust.EntityID, report *Report) {
	for _, id := range conflicts {
		report.Failures[id] = errors.New("jurisdiction or peer ID is held by another member, or its country has too many nodes")
	}
	for id := range report.Failures {
		if s.entities[id] == nil {
			s.unresolved[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old.entities)) {
		if s.entities[id] == nil {
			report.Dropped = append(report.Dropped, id)
		}
	}
	report.Members = len(s.entities)
}
