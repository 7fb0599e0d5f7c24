package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/trust"
)

// branchWorkers is how many Intermediates are asked at a time, each by refreshWorkers:
// some that stall leave the others their turn.
const branchWorkers = 32

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

// Refresh asks every Anchor for its members, and the Intermediates among them for
// theirs, verifies each member's chain and replaces the snapshot, in memory and then in
// the cache file. A member that cannot be refreshed keeps its chain until that
// expires; one that its superior can be reached and no longer lists is dropped at once,
// and with an Intermediate all below it. What an Anchor says of its own members is in force
// before any Intermediate is asked, and each of those has a share of time and of Entities
// to itself: one that stalls, or lists without end, delays nobody but those below it. The
// error says which superiors could not be reached or that the cache file could not be
// written; the snapshot is replaced all the same.
func (d *Directory) Refresh(ctx context.Context, now time.Time) (Report, error) {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	r := &round{d: d, old: d.snapshot.Load(), now: now}
	for _, a := range *d.anchors.Load() {
		r.walks = append(r.walks, newWalk(d, a, r.old, now))
	}
	var g errgroup.Group
	for _, w := range r.walks {
		g.Go(func() error {
			w.run(ctx, r.publish)
			return nil
		})
	}
	g.Wait()
	d.replacing.Lock()
	next, report := r.compose()
	d.snapshot.Store(next)
	d.heard.Range(func(id, _ any) bool {
		if !d.Knows(id.(trust.EntityID)) {
			d.heard.Delete(id)
		}
		return true
	})
	saved := next.save(d.cacheFile)
	d.replacing.Unlock()
	superiors := r.superiors()
	d.superiors.Store(&superiors)
	var faults []error
	for _, w := range r.walks {
		for _, b := range w.branches() {
			faults = append(faults, b.faults...)
		}
	}
	if saved != nil {
		faults = append(faults, saved)
	}
	if err := errors.Join(faults...); err != nil {
		return report, fmt.Errorf("refreshing directory: %w", err)
	}
	return report, nil
}

// round is one Refresh.
type round struct {
	d     *Directory
	old   *snapshot
	now   time.Time
	walks []*walk

	mu sync.Mutex // held by the one compose that runs; see walk for who writes when
}

// publish puts into force what is known by now. It is called between the two halves of a
// walk, when no other goroutine changes what that walk has found.
func (r *round) publish(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.d.replacing.Lock()
	defer r.d.replacing.Unlock()
	change()
	next, _ := r.compose()
	// Not everybody was asked yet: what was undetermined still is.
	next.whole, next.listings = r.old.whole, r.listings(true)
	for id := range r.old.unresolved {
		if next.entities[id] == nil {
			next.unresolved[id] = true
		}
	}
	r.d.snapshot.Store(next)
}

// compose makes a snapshot of all branches that are done, and of what was known before
// where one is not.
func (r *round) compose() (*snapshot, Report) {
	report := Report{Failures: make(map[trust.EntityID]error)}
	var candidates []*entry
	whole := true
	for _, w := range r.walks {
		found := make(map[trust.EntityID]bool)
		var kept []*entry
		for _, b := range w.branches() {
			for _, e := range b.found {
				found[e.node.EntityID] = true
			}
			candidates = append(candidates, b.found...)
			kept = append(kept, b.kept...)
			b.reported(&report)
			whole = whole && !b.dark
		}
		// A chain that was verified now goes before one that is kept: who lists an Entity
		// that it is no superior of must not have its old chain outlive the present one.
		for _, e := range append(kept, w.pending()...) {
			if !found[e.node.EntityID] {
				candidates = append(candidates, e)
			}
		}
	}
	r.d.latest(candidates, r.old, r.now)
	r.old.byPrecedence(candidates, r.now)
	next, conflicts := newSnapshot(candidates, r.d.reservations(r.old, candidates, r.now))
	next.whole, next.listings = whole, r.listings(false)
	next.account(r.old, conflicts, &report)
	return next, report
}

// listings are what superiors have answered by now, and what the others had answered before
// whom one of those still lists: while they are asked as if it was their answer.
func (r *round) listings(asking bool) map[listed]listing {
	all := make(map[listed]listing)
	for _, w := range r.walks {
		a := w.anchor.EntityID
		for _, b := range w.branches() {
			for superior, members := range b.lists {
				all[listed{a, superior}] = listing{members, r.now, true}
			}
		}
		seen := make(map[trust.EntityID]bool)
		for open := []trust.EntityID{a}; len(open) > 0; open = open[1:] {
			at := listed{a, open[0]}
			l, answered := all[at]
			if before, ok := r.old.listings[at]; !answered && ok {
				before.present = before.present && asking
				l, answered, all[at] = before, true, before
			}
			if answered && !seen[open[0]] {
				seen[open[0]] = true
				open = slices.AppendSeq(open, maps.Keys(l.members))
			}
		}
	}
	return all
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
