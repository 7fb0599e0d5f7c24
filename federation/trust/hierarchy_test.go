package trust_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/resolver"
)

// tree is a federation whose Entities are asked in frames of /tamga/trust/1.
type tree struct {
	t           testing.TB
	clock       *clock
	authorities map[trust.EntityID]*authority.Authority
	answers     map[trust.EntityID]func(endpoint.Request) endpoint.Response
	silent      map[trust.EntityID]bool
}

func newTree(t testing.TB) *tree {
	return &tree{t: t, clock: &clock{epoch}, authorities: map[trust.EntityID]*authority.Authority{},
		answers: map[trust.EntityID]func(endpoint.Request) endpoint.Response{}, silent: map[trust.EntityID]bool{}}
}

// source asks as a node does that reaches everybody over libp2p.
func (w *tree) source() trust.Source {
	return endpoint.Peer{
		Locate: func(id trust.EntityID) (string, []string, bool) { return string(id), []string{"/x"}, true },
		Exchange: func(_ context.Context, peer string, _ []string, frame []byte) ([]byte, error) {
			id := trust.EntityID(peer)
			if w.silent[id] || w.answers[id] == nil {
				return nil, errDown
			}
			return endpoint.ServeFrame(id, w.answers[id], frame), nil
		},
	}
}

// superior opens an authority below its own superiors.
func (w *tree) superior(id trust.EntityID, node *trust.NodeMetadata, above ...trust.EntityID) *authority.Authority {
	w.t.Helper()
	return w.superiorBy(string(id), id, node, above...)
}

// superiorBy opens one with the key of that name.
func (w *tree) superiorBy(key string, id trust.EntityID, node *trust.NodeMetadata, above ...trust.EntityID) *authority.Authority {
	w.t.Helper()
	cfg := authority.Config{EntityID: id, Key: keyOf(w.t, key), Dir: w.t.TempDir(),
		Superiors: above, TrustAnchorHints: []trust.EntityID{anchorID}, Clock: w.clock.Now}
	if node != nil {
		cfg.Country = node.Jurisdiction
		var err error
		if cfg.Publisher, err = endpoint.NewPublisher(endpoint.PublisherConfig{Key: cfg.Key, Clock: w.clock.Now,
			Configuration: trust.EntityConfiguration{Entity: id, AuthorityHints: above, TrustAnchorHints: cfg.TrustAnchorHints,
				Metadata: trust.Metadata{TamgaNode: testpeer.Prove(node, id, cfg.Key.Public()), FederationEntity: authority.Endpoints(id, "")}}}); err != nil {
			w.t.Fatal(err)
		}
	}
	a, err := authority.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.authorities[id], w.answers[id] = a, a.Answer
	return a
}

// leaf publishes a node.
func (w *tree) leaf(id trust.EntityID, m *trust.NodeMetadata, above ...trust.EntityID) {
	w.t.Helper()
	p, err := endpoint.NewPublisher(endpoint.PublisherConfig{Key: keyOf(w.t, string(id)), Clock: w.clock.Now,
		Configuration: trust.EntityConfiguration{Entity: id, AuthorityHints: above, Metadata: trust.Metadata{TamgaNode: testpeer.Prove(m, id, keyOf(w.t, string(id)).Public())}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.answers[id] = p.Answer
}

func (w *tree) enroll(above, below trust.EntityID, o authority.EnrollOptions) error {
	w.t.Helper()
	r := w.answers[below](endpoint.Request{Operation: endpoint.Configuration})
	_, err := w.authorities[above].Enroll(r.Body, o)
	return err
}

func (w *tree) directory(anchors ...trust.Anchor) *directory.Directory {
	w.t.Helper()
	if len(anchors) == 0 {
		anchors = []trust.Anchor{anchor(w.t)}
	}
	d, err := directory.New(anchors, w.source(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

const (
	nationalID trust.EntityID = "https://authority.kaz.example"
	countryID  trust.EntityID = "https://node.kaz.example"
	ministryID trust.EntityID = "https://ministry.kaz.example"
)

func ministry(t testing.TB) *trust.NodeMetadata {
	m := nodeMetadata(t, "KAZ")
	m.PeerID = testpeer.ID("Ministry")
	m.Keys = keySet(t, "protocol of the ministry")
	return m
}

// fourLevels is region anchor -> national authority -> node -> ministry's node, beside
// a node directly under the anchor.
func fourLevels(t testing.TB) *tree { t.Helper(); return fourLevelsAt(t, epoch) }

func fourLevelsAt(t testing.TB, now time.Time) *tree {
	t.Helper()
	w := newTree(t)
	w.clock.now = now
	w.superior(anchorID, nil)
	w.superior(nationalID, nil, anchorID)
	w.superior(countryID, nodeMetadata(t, "KAZ"), nationalID)
	w.leaf(ministryID, ministry(t), countryID)
	w.leaf(idOf("KGZ"), nodeMetadata(t, "KGZ"), anchorID)
	for _, e := range []struct {
		above, below trust.EntityID
		o            authority.EnrollOptions
	}{
		{anchorID, nationalID, authority.EnrollOptions{Jurisdictions: []string{"KAZ"}, Depth: 1, Lifetime: 48 * time.Hour}},
		{nationalID, countryID, authority.EnrollOptions{Jurisdiction: "KAZ", Jurisdictions: []string{"KAZ"}}},
		{countryID, ministryID, authority.EnrollOptions{Jurisdiction: "KAZ"}},
		{anchorID, idOf("KGZ"), authority.EnrollOptions{Jurisdiction: "KGZ"}},
	} {
		if err := w.enroll(e.above, e.below, e.o); err != nil {
			t.Fatalf("%s enrols %s: %v", e.above, e.below, err)
		}
	}
	return w
}

func TestHierarchy(t *testing.T) {
	w := fourLevels(t)
	d := w.directory()
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	country, err := d.Country("KAZ", epoch)
	if err != nil || country.EntityID != countryID || country.Under != "" {
		t.Errorf("got %q under %q, error %v", country.EntityID, country.Under, err)
	}
	sub, err := d.Entity(ministryID, epoch)
	if err != nil || sub.Under != countryID || sub.Jurisdiction != "KAZ" {
		t.Errorf("ministry: got under %q, error %v", sub.Under, err)
	}
	if _, ok := d.Member(testpeer.ID("Ministry"), epoch); !ok {
		t.Error("the gate refuses the ministry's node")
	}
	if got := len(d.Members(epoch)); got != 3 {
		t.Errorf("got %d members, want 3", got)
	}
	// A Resolver goes the same way upwards.
	c, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), ministryID, epoch)
	if err != nil || !slices.Equal(c.Superiors, []trust.EntityID{countryID, nationalID, anchorID}) {
		t.Errorf("got superiors %v, error %v", c.Superiors, err)
	}
	if want := epoch.Add(24 * time.Hour); !c.ExpiresAt.Equal(want) {
		t.Errorf("got expiry %v, want the earliest, %v", c.ExpiresAt, want)
	}
}

// TestHierarchyLosesLevels: what happens to a member when a superior is silent, no longer
// vouched for, or no longer believed in.
func TestHierarchyLosesLevels(t *testing.T) {
	for _, tc := range []struct {
		name                       string
		change                     func(*tree, *directory.Directory)
		country, ministry, another error
	}{
		{"national-silent", func(w *tree, _ *directory.Directory) { w.silent[nationalID] = true }, nil, nil, nil},
		{"anchor-silent", func(w *tree, _ *directory.Directory) { w.silent[anchorID] = true }, nil, nil, nil},
		{"country-silent", func(w *tree, _ *directory.Directory) { w.silent[countryID] = true }, nil, nil, nil},
		{"national-removed", func(w *tree, _ *directory.Directory) { remove(t, w.authorities[anchorID], nationalID) }, trust.ErrNotMember, trust.ErrNotMember, nil},
		{"country-removed", func(w *tree, _ *directory.Directory) { remove(t, w.authorities[nationalID], countryID) }, trust.ErrNotMember, trust.ErrNotMember, nil},
		{"ministry-removed", func(w *tree, _ *directory.Directory) { remove(t, w.authorities[countryID], ministryID) }, nil, trust.ErrNotMember, nil},
		{"national-suspended", func(w *tree, _ *directory.Directory) {
			if err := w.authorities[anchorID].Suspend(nationalID, ""); err != nil {
				t.Fatal(err)
			}
		}, trust.ErrNotMember, trust.ErrNotMember, nil},
		{"retained-without", func(_ *tree, d *directory.Directory) {
			if got := d.Retain(anchorID, []trust.EntityID{idOf("KGZ")}, nil); len(got) != 2 {
				t.Errorf("got %v dropped, want both below the Intermediate", got)
			}
		}, trust.ErrNotMember, trust.ErrNotMember, nil},
		{"retained-suspended", func(_ *tree, d *directory.Directory) {
			// The anchor has enrolled the country itself, too, and suspended it.
			if got := d.Retain(anchorID, []trust.EntityID{nationalID, idOf("KGZ")}, []trust.EntityID{countryID}); len(got) != 2 {
				t.Errorf("got %v dropped, want the country and what is below it", got)
			}
		}, trust.ErrNotMember, trust.ErrNotMember, nil},
		{"retained-with", func(_ *tree, d *directory.Directory) {
			d.Retain(anchorID, []trust.EntityID{nationalID, idOf("KGZ")}, nil)
		}, nil, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := fourLevels(t)
			d := w.directory()
			if _, err := d.Refresh(t.Context(), epoch); err != nil {
				t.Fatal(err)
			}
			tc.change(w, d)
			_, refreshed := d.Refresh(t.Context(), epoch.Add(time.Minute))
			if silent := len(w.silent) > 0; silent != (refreshed != nil) {
				t.Errorf("refresh: got %v", refreshed)
			}
			for id, want := range map[trust.EntityID]error{countryID: tc.country, ministryID: tc.ministry, idOf("KGZ"): tc.another} {
				if _, err := d.Entity(id, epoch.Add(time.Minute)); !errors.Is(err, want) {
					t.Errorf("%s: got %v, want %v", id, err, want)
				}
			}
			if len(w.silent) == 0 {
				return
			}
			// Kept, and not longer than its chain.
			if _, err := d.Entity(ministryID, epoch.Add(25*time.Hour)); !errors.Is(err, trust.ErrExpired) {
				t.Errorf("after its chain ran out: got %v", err)
			}
		})
	}
}

func remove(t testing.TB, a *authority.Authority, id trust.EntityID) {
	t.Helper()
	if err := a.Remove(id); err != nil {
		t.Fatal(err)
	}
}

// TestIntermediateKeepsToItsCountries: what an Intermediate was not given, it cannot
// hand on.
func TestIntermediateKeepsToItsCountries(t *testing.T) {
	w := fourLevels(t)
	stray := trust.EntityID("https://stray.example")
	w.leaf(stray, nodeMetadata(t, "UZB"), nationalID)
	if err := w.enroll(nationalID, stray, authority.EnrollOptions{Jurisdiction: "UZB"}); err != nil {
		t.Fatal(err) // the Intermediate may sign what it likes
	}
	d := w.directory()
	report, err := d.Refresh(t.Context(), epoch)
	if err != nil {
		t.Fatal(err)
	}
	wantRule(t, report.Failures[stray], "policy-violation", 0)
	if _, err := d.Country("UZB", epoch); err == nil {
		t.Error("a country that the anchor did not give the Intermediate is a member")
	}
	// One level too many.
	deep := trust.EntityID("https://deep.kaz.example")
	w.superior(ministryID, ministry(t), countryID)
	m := nodeMetadata(t, "KAZ")
	m.PeerID = testpeer.ID("Deep")
	w.leaf(deep, m, ministryID)
	for below, o := range map[trust.EntityID]authority.EnrollOptions{ministryID: {Jurisdiction: "KAZ", Jurisdictions: []string{"KAZ"}}, deep: {Jurisdiction: "KAZ"}} {
		above := countryID
		if below == deep {
			above = ministryID
		}
		if err := w.enroll(above, below, o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Entity(deep, epoch); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("below the depth the anchor allows: got %v", err)
	}
	_, err = resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), deep, epoch)
	wantRule(t, err, "max-path-length", 3)
}

func TestEnrollIntermediateRefuses(t *testing.T) {
	w := fourLevels(t)
	foreign := trust.EntityID("https://foreign.example")
	w.leaf(foreign, nodeMetadata(t, "UZB"), countryID)
	second := trust.EntityID("https://second.example")
	w.superior(second, nil, anchorID)
	for name, err := range map[string]error{
		"foreign-country-under-node": w.enroll(countryID, foreign, authority.EnrollOptions{Jurisdiction: "UZB"}),
		"country-held":               w.enroll(anchorID, second, authority.EnrollOptions{Jurisdictions: []string{"KAZ"}}),
		"no-country":                 w.enroll(anchorID, second, authority.EnrollOptions{}),
		"depth-of-leaf":              w.enroll(anchorID, idOf("KGZ"), authority.EnrollOptions{Jurisdiction: "KGZ", Depth: 1}),
		"leaf-as-intermediate":       w.enroll(anchorID, idOf("KGZ"), authority.EnrollOptions{Jurisdiction: "KGZ", Jurisdictions: []string{"KGZ"}}),
		"own-country-missing":        w.enroll(nationalID, countryID, authority.EnrollOptions{Jurisdiction: "KAZ", Jurisdictions: []string{"UZB"}}),
		"policy-malformed":           w.enroll(anchorID, second, authority.EnrollOptions{Jurisdictions: []string{"UZB"}, Policy: []byte(`{}`)}),
		"policy-against-countries":   w.enroll(anchorID, second, authority.EnrollOptions{Jurisdictions: []string{"UZB"}, Policy: []byte(`{"tamga_node":{"jurisdiction":{"value":"TJK"}}}`)}),
		"superior-not-named":         w.enroll(nationalID, second, authority.EnrollOptions{Jurisdictions: []string{"KAZ"}}),
	} {
		if err == nil {
			t.Errorf("%s: enrolled", name)
		}
	}
}

// TestTwoAnchors: a node in two regions stays while one of them vouches for it.
func TestTwoAnchors(t *testing.T) {
	w := newTree(t)
	const otherID = "https://other-region.example"
	w.superior(anchorID, nil)
	w.superior(otherID, nil)
	w.leaf(idOf("KAZ"), nodeMetadata(t, "KAZ"), anchorID, otherID)
	for above, life := range map[trust.EntityID]time.Duration{anchorID: time.Hour, otherID: 10 * time.Hour} {
		if err := w.enroll(above, idOf("KAZ"), authority.EnrollOptions{Jurisdiction: "KAZ", Lifetime: life}); err != nil {
			t.Fatal(err)
		}
	}
	anchors := []trust.Anchor{anchor(t), {EntityID: otherID, Keys: keySet(t, otherID)}}
	d := w.directory(anchors...)
	check := func(what string, at time.Time, want error) {
		t.Helper()
		if _, err := d.Country("KAZ", at); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
		if _, ok := d.Member(testpeer.ID("KAZ"), at); ok != (want == nil) {
			t.Errorf("%s: the gate says %v", what, ok)
		}
	}
	if report, err := d.Refresh(t.Context(), epoch); err != nil || len(report.Failures) != 0 {
		t.Fatalf("got %v, failures %v", err, report.Failures)
	}
	check("both", epoch, nil)
	check("first expired", epoch.Add(2*time.Hour), nil)
	check("both expired", epoch.Add(11*time.Hour), trust.ErrExpired)
	remove(t, w.authorities[anchorID], idOf("KAZ"))
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	check("removed from the first", epoch, nil)
	d.Retain(otherID, nil, nil)
	check("and from the second", epoch, trust.ErrNotMember)
}

// TestLookupsAllocateNothing: they are made for every frame.
func TestLookupsAllocateNothing(t *testing.T) {
	d := fourLevels(t).directory()
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	d.Retain(anchorID, []trust.EntityID{nationalID, idOf("KGZ")}, nil)
	peer := testpeer.ID("Ministry")
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := d.Member(peer, epoch); !ok {
			t.Error("not a member")
		}
	}); n != 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}
