package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/pace"
)

// Directory is what a node knows about the federation's members. Look-ups read an
// immutable snapshot and never block or fetch; [Directory.Refresh] replaces it.
// Safe for concurrent use.
type Directory struct {
	anchors   atomic.Pointer[[]trust.Anchor]
	source    trust.Source
	cacheFile string

	// published gives what an Anchor has published of a Trust Mark's status, if anything;
	// immutable after Published.
	published func(issuer trust.EntityID, mark string) (string, bool)

	// staleness and markStaleness bound how old what is known may be; immutable after
	// Bound.
	staleness, markStaleness time.Duration

	snapshot atomic.Pointer[snapshot]
	// retained holds, by superior, what Retain was told; nil when it was not.
	retained atomic.Pointer[map[trust.Path]standing]

	// retaining is held by the one Retain that runs.
	retaining sync.Mutex

	// superiors holds, by Intermediate, its Trust Chain as of the last Refresh.
	superiors atomic.Pointer[map[trust.Path][]string]

	// replacing is held by whoever makes a snapshot of the present one, until it is in
	// force: a Renew must not bring back whom a Refresh has dropped meanwhile.
	replacing sync.Mutex
	// heard holds, by Entity, the last Entity Configuration that a member announced; a Refresh forgets those of others.
	heard sync.Map

	// refreshing is held by the one Refresh that runs.
	refreshing sync.Mutex
}

// New returns a directory of the members under the anchors, in order of
// preference. It starts with the snapshot in cacheFile, whose chains are verified
// again, so that a node starts while the anchors are down; empty means no file. A
// cache file that is not readable is an error, a chain in it that no longer
// verifies is left out. Nothing is fetched.
func New(anchors []trust.Anchor, source trust.Source, cacheFile string) (*Directory, error) {
	if len(anchors) == 0 || source == nil {
		return nil, errors.New("opening directory: no anchors or no source")
	}
	for i, a := range anchors {
		if _, err := trust.ParseEntityID(string(a.EntityID)); err != nil || a.Keys.Len() == 0 {
			return nil, fmt.Errorf("opening directory: anchor %d has no Entity Identifier or no keys", i)
		}
	}
	d := &Directory{source: source, cacheFile: cacheFile, markStaleness: defaultMarkStaleness}
	d.anchors.Store(&anchors)
	loaded, err := d.loadSnapshot(cacheFile)
	if err != nil {
		return nil, fmt.Errorf("opening directory: %w", err)
	}
	d.snapshot.Store(loaded)
	return d, nil
}

// Bound sets how long a chain that cannot be resolved anew is used, zero for until it
// expires, and how long the last status of a Trust Mark, zero for six hours. What is
// older is undetermined. Call it before the directory is shared.
func (d *Directory) Bound(chains, marks time.Duration) {
	d.staleness, d.markStaleness = max(chains, 0), cmp.Or(max(marks, 0), defaultMarkStaleness)
	// What the cache file says of marks is evaluated under the bound.
	if s, err := d.loadSnapshot(d.cacheFile); err == nil {
		d.snapshot.Store(s)
	}
}

// Published has the status of Trust Marks taken from what Anchors have published, beside
// their endpoints: the later of the two counts. Call it before the directory is shared.
func (d *Directory) Published(status func(issuer trust.EntityID, mark string) (token string, ok bool)) {
	d.published = status
}

// UseAnchors replaces the Anchors by the same ones with other keys, after they have changed
// them. What was verified before stands until it is refreshed or runs out.
func (d *Directory) UseAnchors(anchors []trust.Anchor) { d.anchors.Store(&anchors) }

// at is the member by the first of its chains that holds at now, was resolved anew
// within the bound, and whose Anchor still vouches for it.
func (d *Directory) at(e *entry, now time.Time) (trust.Node, error) {
	n, err := d.by(e, now)
	for i := 0; err != nil && i < len(e.others); i++ {
		var second error
		if n, second = d.by(e.others[i], now); !errors.Is(second, trust.ErrNotMember) {
			err = second
		}
	}
	return n, err
}

// by is the member by one of its chains.
func (d *Directory) by(e *entry, now time.Time) (trust.Node, error) {
	switch {
	case !d.vouched(e):
		return trust.Node{}, trust.ErrNotMember
	case !now.Before(e.node.ExpiresAt):
		return trust.Node{}, trust.ErrExpired
	case d.staleness > 0 && now.Sub(e.checked) > d.staleness:
		return trust.Node{}, trust.ErrUndetermined
	}
	return e.node, nil
}

// Member returns the member that the peer ID belongs to, and whether there is one
// whose chain holds at now. It is the transport's gate: false means refuse.
func (d *Directory) Member(peerID string, now time.Time) (trust.Node, bool) {
	m, ok := d.snapshot.Load().peers[peerID]
	if !ok {
		return trust.Node{}, false
	}
	n, err := d.at(m, now)
	return n, err == nil
}

// Known is the member that the peer ID belonged to when it was heard of last, whatever
// became of its chain since: what it has announced, not whether it may come in.
func (d *Directory) Known(peerID string) (trust.Node, bool) {
	m, ok := d.snapshot.Load().peers[peerID]
	if !ok {
		return trust.Node{}, false
	}
	return m.node, true
}

// Unsettled reports whether it is not known who the peer ID belongs to, or a member whose
// chain has run out: one that may bring its Trust Chain, see [Directory.Presented].
func (d *Directory) Unsettled(peerID string, now time.Time) bool {
	s := d.snapshot.Load()
	m, ok := s.peers[peerID]
	if !ok {
		return !s.whole
	}
	_, err := d.at(m, now)
	return err != nil && !errors.Is(err, trust.ErrNotMember)
}

// Knows reports whether there is a chain of the Entity, run out or not, or was one not long
// ago: what is kept by Entity can be bounded by that.
func (d *Directory) Knows(id trust.EntityID) bool {
	s := d.snapshot.Load()
	return s.entities[id] != nil || s.former[id] != nil
}

// Entity returns the member with the identifier. The error is [ErrNotMember],
// [ErrExpired] or [ErrUndetermined].
func (d *Directory) Entity(id trust.EntityID, now time.Time) (trust.Node, error) {
	s := d.snapshot.Load()
	m, ok := s.entities[id]
	if !ok {
		return trust.Node{}, s.absent(s.unresolved[id])
	}
	return d.at(m, now)
}

// Country returns the member of the jurisdiction, an ISO 3166-1 alpha-3 code in
// capitals: the country's own node, not one below it. The error is [ErrNotMember], [ErrExpired] or [ErrUndetermined].
func (d *Directory) Country(alpha3 string, now time.Time) (trust.Node, error) {
	s := d.snapshot.Load()
	m, ok := s.countries[alpha3]
	if !ok {
		// Whose country an unresolved member is, is not known either.
		return trust.Node{}, s.absent(len(s.unresolved) > 0)
	}
	return d.at(m, now)
}

// Members returns the members whose chains hold at now, by jurisdiction. The slice
// is the caller's.
func (d *Directory) Members(now time.Time) []trust.Node {
	s := d.snapshot.Load()
	nodes := make([]trust.Node, 0, len(s.ordered))
	for _, m := range s.ordered {
		if n, err := d.at(m, now); err == nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Run calls Refresh at once and then at the given interval, give or take a tenth,
// until ctx ends. It hands each result to report, reads the time from clock, and
// returns ctx's error.
func (d *Directory) Run(ctx context.Context, every time.Duration, clock func() time.Time,
	report func(Report, error),
) error {
	return pace.Repeat(ctx, every, func() { report(d.Refresh(ctx, clock())) })
}
