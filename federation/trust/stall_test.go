package trust_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

// stalling is a source over a tree in which some Entities take every question and answer
// none: a call ends after the 15 s that endpoint.HTTP gives it, or with its context.
type stalling struct {
	trust.Source
	stalled func(trust.EntityID) bool
}

func (s stalling) wait(ctx context.Context, id trust.EntityID) error {
	if !s.stalled(id) {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(15 * time.Second):
		return errDown
	}
}

func (s stalling) EntityConfiguration(ctx context.Context, id trust.EntityID) (string, error) {
	if err := s.wait(ctx, id); err != nil {
		return "", err
	}
	return s.Source.EntityConfiguration(ctx, id)
}

func (s stalling) MarkStatus(ctx context.Context, id trust.EntityID, mark string) (string, error) {
	if err := s.wait(ctx, id); err != nil {
		return "", err
	}
	return s.Source.MarkStatus(ctx, id, mark)
}

// listing makes an Intermediate directly under the anchor list Entities that it made up.
func (w *tree) listing(id trust.EntityID, country string, ids []trust.EntityID) {
	w.t.Helper()
	a := w.superior(id, nil, anchorID)
	if err := w.enroll(anchorID, id, authority.EnrollOptions{Jurisdictions: []string{country}, Lifetime: 48 * time.Hour}); err != nil {
		w.t.Fatal(err)
	}
	w.answers[id] = func(r endpoint.Request) endpoint.Response {
		if r.Operation == endpoint.List {
			return endpoint.Listed(ids)
		}
		return a.Answer(r)
	}
}

func madeUp(n int) []trust.EntityID {
	out := make([]trust.EntityID, n)
	for i := range out {
		out[i] = trust.EntityID(fmt.Sprintf("https://pit-%04d.example", i))
	}
	return out
}

// hostileID sorts before every other Intermediate of these tests.
const hostileID trust.EntityID = "https://aaa-hostile.example"

// TestStalledIntermediate: an Intermediate that lists hosts which never answer costs those
// below it their refresh, and nobody else more than moments.
func TestStalledIntermediate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fourLevelsAt(t, time.Now())
		pits := madeUp(200)
		w.listing(hostileID, "UZB", pits)
		source := stalling{w.source(), func(id trust.EntityID) bool { return slices.Contains(pits, id) }}
		d, err := directory.New([]trust.Anchor{anchor(t)}, source, "")
		if err != nil {
			t.Fatal(err)
		}
		began, now := time.Now(), time.Now()
		done := make(chan error, 1)
		go func() { _, err := d.Refresh(t.Context(), now); done <- err }()
		time.Sleep(time.Second)
		// The Anchor's own members are in force while the Intermediate is waited for.
		if _, err := d.Country("KGZ", now); err != nil {
			t.Errorf("a member of the anchor, after a second: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 35*time.Second {
			t.Errorf("the refresh took %v", took)
		}
		for _, id := range []trust.EntityID{countryID, ministryID} {
			if _, err := d.Entity(id, now); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

// TestStalledAnchor: an Anchor that stalls delays nothing that another says.
func TestStalledAnchor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fourLevelsAt(t, time.Now())
		const otherID = trust.EntityID("https://other-region.example")
		source := stalling{w.source(), func(id trust.EntityID) bool { return id == otherID }}
		d, err := directory.New([]trust.Anchor{{EntityID: otherID, Keys: keySet(t, string(otherID))}, anchor(t)}, source, "")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		done := make(chan error, 1)
		go func() { _, err := d.Refresh(t.Context(), now); done <- err }()
		time.Sleep(time.Second)
		if _, err := d.Entity(ministryID, now); err != nil {
			t.Errorf("after a second: %v", err)
		}
		if err := <-done; err == nil {
			t.Error("the anchor that stalls is not reported")
		}
	})
}

// TestEndlessIntermediate: what one Intermediate lists uses up nothing that is another's.
func TestEndlessIntermediate(t *testing.T) {
	w := fourLevels(t)
	w.listing(hostileID, "UZB", madeUp(4090))
	d := w.directory()
	report, err := d.Refresh(t.Context(), epoch)
	if err == nil || !slices.Equal(report.Unreachable, []trust.EntityID{hostileID}) {
		t.Errorf("got unreachable %v, error %v", report.Unreachable, err)
	}
	for _, id := range []trust.EntityID{idOf("KGZ"), countryID, ministryID} {
		if _, err := d.Entity(id, epoch); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestStalledMarkIssuers: whoever holds marks of issuers that never answer takes no time from
// the marks of others.
func TestStalledMarkIssuers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTree(t)
		w.clock.now = time.Now()
		now := w.clock.now
		a, err := authority.New(authority.Config{EntityID: anchorID, Key: keyOf(t, anchorID), Dir: t.TempDir(), Clock: w.clock.Now,
			MarkRules: trust.MarkRules{Issuers: map[string][]trust.EntityID{rumoured: {}, audited: {anchorID}}}})
		if err != nil {
			t.Fatal(err)
		}
		w.authorities[anchorID], w.answers[anchorID] = a, a.Answer
		for i, country := range []string{"ARM", "AZE", "BLR", "GEO", "KAZ", "KGZ"} {
			var marks []trust.TrustMark
			if country == "KGZ" {
				issued, err := a.IssueMark(trustmark.Mark{Type: audited, Subject: idOf(country)})
				if err != nil {
					t.Fatal(err)
				}
				marks = append(marks, trust.TrustMark{Type: audited, Token: issued.Token})
			} else {
				for n := range 20 {
					issuer := trust.EntityID(fmt.Sprintf("https://pit-%d-%d.example", i, n))
					token, err := trustmark.Sign(keyOf(t, "pit"), trustmark.Mark{Type: rumoured, Issuer: issuer, Subject: idOf(country), IssuedAt: now})
					if err != nil {
						t.Fatal(err)
					}
					marks = append(marks, trust.TrustMark{Type: rumoured, Token: token})
				}
			}
			p, err := endpoint.NewPublisher(endpoint.PublisherConfig{Key: keyOf(t, string(idOf(country))), Clock: w.clock.Now,
				Configuration: trust.EntityConfiguration{Entity: idOf(country), AuthorityHints: []trust.EntityID{anchorID},
					TrustMarks: marks, Metadata: trust.Metadata{TamgaNode: testpeer.Prove(nodeMetadata(t, country), idOf(country), keyOf(t, string(idOf(country))).Public())}}})
			if err != nil {
				t.Fatal(err)
			}
			w.answers[idOf(country)] = p.Answer
			if err := w.enroll(anchorID, idOf(country), authority.EnrollOptions{Jurisdiction: country}); err != nil {
				t.Fatal(err)
			}
		}
		source := stalling{w.source(), func(id trust.EntityID) bool { return w.answers[id] == nil }}
		d, err := directory.New([]trust.Anchor{anchor(t)}, source, "")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := d.Refresh(t.Context(), now); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the refresh took %v", took)
		}
		if n, err := d.Country("KGZ", now); err != nil || !slices.Equal(n.MarkTypes(now), []string{audited}) {
			t.Errorf("got marks %v, error %v", n.MarkTypes(now), err)
		}
	})
}

// tape records what a tree answers, and plays it back.
type tape struct {
	trust.Source
	replay bool // set between refreshes

	mu      sync.Mutex
	replies map[string]string // guarded by mu
}

func (s *tape) play(key string, ask func() (string, error)) (string, error) {
	if s.replay {
		s.mu.Lock()
		defer s.mu.Unlock()
		if reply, ok := s.replies[key]; ok {
			return reply, nil
		}
		return "", errDown
	}
	reply, err := ask()
	if err == nil {
		s.mu.Lock()
		s.replies[key] = reply
		s.mu.Unlock()
	}
	return reply, err
}

func (s *tape) EntityConfiguration(ctx context.Context, id trust.EntityID) (string, error) {
	return s.play("configuration "+string(id), func() (string, error) { return s.Source.EntityConfiguration(ctx, id) })
}

func (s *tape) SubordinateStatement(ctx context.Context, above, below trust.EntityID) (string, error) {
	return s.play("statement "+string(above)+" "+string(below), func() (string, error) { return s.Source.SubordinateStatement(ctx, above, below) })
}

func (s *tape) Resolve(ctx context.Context, by, id, at trust.EntityID) (string, error) {
	return s.play("resolve "+string(id), func() (string, error) { return s.Source.Resolve(ctx, by, id, at) })
}

// TestRolledBack: an Anchor, or what lies on its disk, that is put back to an earlier state
// brings back no key that a member has replaced since.
func TestRolledBack(t *testing.T) {
	w := fourLevels(t)
	s := &tape{Source: w.source(), replies: map[string]string{}}
	d, err := directory.New([]trust.Anchor{anchor(t)}, s, "")
	if err != nil {
		t.Fatal(err)
	}
	refresh(t, d, epoch)
	s.Source, s.replay = w.source(), false
	old := s.replies
	s.replies = map[string]string{}
	later := epoch.Add(time.Hour)
	w.clock.now = later
	rotated := func(id trust.EntityID, m *trust.NodeMetadata, above trust.EntityID, o authority.EnrollOptions) {
		t.Helper()
		m.Keys = keySet(t, "next of "+string(id))
		w.leaf(id, m, above)
		if err := w.enroll(above, id, o); err != nil {
			t.Fatal(err)
		}
	}
	rotated(idOf("KGZ"), nodeMetadata(t, "KGZ"), anchorID, authority.EnrollOptions{Jurisdiction: "KGZ"})
	rotated(ministryID, ministry(t), countryID, authority.EnrollOptions{Jurisdiction: "KAZ"})
	refresh(t, d, later)
	s.replies, s.replay = old, true
	soon := later.Add(time.Minute)
	report, err := d.Refresh(t.Context(), soon)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []trust.EntityID{idOf("KGZ"), ministryID} {
		n, err := d.Entity(id, soon)
		if err != nil || !n.SigningKeys.Keys()[0].Equal(keyOf(t, "next of "+string(id)).Public()) {
			t.Errorf("%s: an earlier key came back, error %v", id, err)
		}
		if !slices.Contains(report.Kept, id) {
			t.Errorf("%s is not among those kept, %v", id, report.Kept)
		}
	}
	// When what is known has run out, whatever still holds is better than nothing.
	w.clock.now = later.Add(48 * time.Hour)
	s.replay = false
	refresh(t, d, w.clock.now)
	if n, err := d.Entity(idOf("KGZ"), w.clock.now); err != nil || !n.SigningKeys.Keys()[0].Equal(keyOf(t, "next of "+string(idOf("KGZ"))).Public()) {
		t.Errorf("later: %v", err)
	}
}

// twoRegions is an Anchor of which an Intermediate vouches for a node of KAZ, beside
// another Anchor; the first goes before the second.
func twoRegions(t *testing.T) (*tree, []trust.Anchor) {
	t.Helper()
	const otherID = trust.EntityID("https://other-region.example")
	w := newTree(t)
	w.superior(anchorID, nil)
	w.superior(otherID, nil)
	w.superior(nationalID, nil, anchorID)
	if err := w.enroll(anchorID, nationalID, authority.EnrollOptions{Jurisdictions: []string{"KAZ"}}); err != nil {
		t.Fatal(err)
	}
	return w, []trust.Anchor{anchor(t), {EntityID: otherID, Keys: keySet(t, string(otherID))}}
}

// TestNearerGoesFirst: of two newcomers that claim one peer ID, the one that an Anchor
// vouches for itself gets it, whichever Anchor comes first.
func TestNearerGoesFirst(t *testing.T) {
	w, anchors := twoRegions(t)
	other := anchors[1].EntityID
	thief := nodeMetadata(t, "KAZ")
	thief.PeerID = testpeer.ID("KGZ")
	w.leaf(countryID, thief, nationalID)
	w.leaf(idOf("KGZ"), nodeMetadata(t, "KGZ"), other)
	if err := errors.Join(w.enroll(nationalID, countryID, authority.EnrollOptions{Jurisdiction: "KAZ"}),
		w.enroll(other, idOf("KGZ"), authority.EnrollOptions{Jurisdiction: "KGZ"})); err != nil {
		t.Fatal(err)
	}
	d := w.directory(anchors...)
	report, err := d.Refresh(t.Context(), epoch)
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := d.Member(testpeer.ID("KGZ"), epoch); !ok || n.EntityID != idOf("KGZ") || report.Failures[countryID] == nil {
		t.Errorf("the peer ID is of %q, failures %v", n.EntityID, report.Failures)
	}
}

// TestCountryOutlastsPeerID: a member that changes its peer ID keeps its country against
// a newcomer under an Anchor that goes first.
func TestCountryOutlastsPeerID(t *testing.T) {
	w, anchors := twoRegions(t)
	other := anchors[1].EntityID
	w.leaf(idOf("KAZ"), nodeMetadata(t, "KAZ"), other)
	if err := w.enroll(other, idOf("KAZ"), authority.EnrollOptions{Jurisdiction: "KAZ"}); err != nil {
		t.Fatal(err)
	}
	d := w.directory(anchors...)
	refresh(t, d, epoch)
	w.clock.now = epoch.Add(time.Minute)
	moved, rival := nodeMetadata(t, "KAZ"), nodeMetadata(t, "KAZ")
	moved.PeerID, rival.PeerID = testpeer.ID("moved"), testpeer.ID("rival")
	w.leaf(idOf("KAZ"), moved, other)
	w.leaf(countryID, rival, anchorID)
	remove(t, w.authorities[anchorID], nationalID)
	if err := errors.Join(w.enroll(other, idOf("KAZ"), authority.EnrollOptions{Jurisdiction: "KAZ"}),
		w.enroll(anchorID, countryID, authority.EnrollOptions{Jurisdiction: "KAZ"})); err != nil {
		t.Fatal(err)
	}
	refresh(t, d, w.clock.now)
	if n, err := d.Country("KAZ", w.clock.now); err != nil || n.EntityID != idOf("KAZ") || n.PeerID != testpeer.ID("moved") {
		t.Errorf("the country is of %q at %q, error %v", n.EntityID, n.PeerID, err)
	}
}
