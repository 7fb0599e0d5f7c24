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

// resolution is what one Anchor said about one listed Entity.
type resolution struct {
	id    trust.EntityID
	entry *entry // nil when it could not be resolved or is no node
	err   error
}

// Refresh asks every Anchor for its members, verifies each member's chain and
// replaces the snapshot, in memory and then in the cache file. A member that cannot
// be refreshed keeps its chain until that expires; one that a reachable Anchor no
// longer lists is dropped at once. A list is not signed (section 8.2.2): whoever
// controls the way to an Anchor can hide members, and can never add one. The error says which Anchors could not be
// reached or that the cache file could not be written; the snapshot is replaced all
// the same.
func (d *Directory) Refresh(ctx context.Context, now time.Time) (Report, error) {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	old := d.snapshot.Load()
	report := Report{Failures: make(map[trust.EntityID]error)}
	var faults []error
	var candidates []*entry
	for _, a := range d.anchors {
		ids, err := d.list(ctx, a)
		if err != nil {
			faults = append(faults, err)
			report.Unreachable = append(report.Unreachable, a.EntityID)
			candidates = append(candidates, old.under(a.EntityID, &report)...)
			continue
		}
		for _, r := range d.resolveAll(ctx, a, ids, now) {
			candidates = append(candidates, old.settle(r, a.EntityID, &report)...)
		}
	}
	old.byPrecedence(candidates, now)
	next, conflicts := newSnapshot(candidates)
	next.complete = len(report.Unreachable) == 0
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

// list asks an Anchor for its members, after it has shown that it is the Anchor whose
// keys came from out of band: the list is not signed, and whoever answers in the
// Anchor's place would otherwise expel everybody.
func (d *Directory) list(ctx context.Context, a trust.Anchor) ([]trust.EntityID, error) {
	token, err := d.source.EntityConfiguration(ctx, a.EntityID)
	if err != nil {
		return nil, err
	}
	if _, err := jose.Verify(token, trust.StatementType, a.Keys); err != nil {
		return nil, fmt.Errorf("asking Trust trust.Anchor %q: its Entity Configuration is not signed with its keys: %w", a.EntityID.Clip(), err)
	}
	return d.source.List(ctx, a.EntityID)
}

// resolveAll resolves an Anchor's members, a few at a time, in a stable order.
func (d *Directory) resolveAll(ctx context.Context, a trust.Anchor, ids []trust.EntityID, now time.Time) []resolution {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	out := make([]resolution, len(ids))
	var g errgroup.Group
	g.SetLimit(refreshWorkers)
	for i, id := range ids {
		g.Go(func() error {
			e, err := d.resolve(ctx, a, id, now)
			out[i] = resolution{id, e, err}
			return nil
		})
	}
	g.Wait()
	return out
}

// resolve asks the Anchor's resolve endpoint, and builds the chain itself when that
// gives none: the Anchor's copy of a configuration may have run out while the node
// serves a newer one.
func (d *Directory) resolve(ctx context.Context, a trust.Anchor, id trust.EntityID, now time.Time) (*entry, error) {
	token, err := d.source.Resolve(ctx, a.EntityID, id, a.EntityID)
	var c trust.Chain
	if err == nil {
		c, err = trust.VerifyResolve(token, a, id, now)
	}
	if err != nil {
		built, second := trust.Resolver{Anchors: []trust.Anchor{a}, Source: d.source}.Resolve(ctx, id, now)
		if second != nil {
			return nil, errors.Join(err, second)
		}
		c = built
	}
	return newEntry(c)
}

// under returns what is known of an unreachable Anchor's members.
func (s *snapshot) under(anchor trust.EntityID, report *Report) []*entry {
	var kept []*entry
	for _, e := range s.ordered {
		if e.anchor == anchor {
			kept = append(kept, e)
			report.Kept = append(report.Kept, e.node.EntityID)
		}
	}
	return kept
}

// settle turns a resolution into a candidate, or into what was known before.
func (s *snapshot) settle(r resolution, anchor trust.EntityID, report *Report) []*entry {
	if r.err == nil {
		report.Refreshed = append(report.Refreshed, r.id)
		return []*entry{r.entry}
	}
	if fault, ok := errors.AsType[*trust.ChainError](r.err); ok && fault.Rule == trust.RuleNotNode {
		return nil // an Intermediate or another kind of Entity; not ours to list
	}
	report.Failures[r.id] = r.err
	if e := s.entities[r.id]; e != nil && e.anchor == anchor {
		report.Kept = append(report.Kept, r.id)
		return []*entry{e}
	}
	return nil
}

// account completes the report and the new snapshot's list of unresolved members.
func (s *snapshot) account(old *snapshot, conflicts []trust.EntityID, report *Report) {
	for _, id := range conflicts {
		report.Failures[id] = errors.New("jurisdiction or peer ID is held by another member")
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
