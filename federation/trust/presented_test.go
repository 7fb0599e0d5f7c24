package trust_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/resolver"
)

// TestPresented: a chain that a member brings is judged with the Anchors' keys alone; no
// Source of these directories answers.
func TestPresented(t *testing.T) {
	w := fourLevels(t)
	cache := filepath.Join(t.TempDir(), "members.json")
	full, err := directory.New([]trust.Anchor{anchor(t)}, w.source(), cache)
	if err != nil {
		t.Fatal(err)
	}
	refresh(t, full, epoch)
	chain, _ := full.Statements(ministryID)
	later := epoch.Add(time.Hour)
	w.clock.now = later
	w.leaf(ministryID, ministry(t), countryID) // a newer Entity Configuration
	c, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), ministryID, later)
	if err != nil {
		t.Fatal(err)
	}
	newer := c.Statements()
	alone := func(cache string) *directory.Directory {
		t.Helper()
		d, err := directory.New([]trust.Anchor{anchor(t)}, failing{}, cache)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tc := range []struct {
		name  string
		d     *directory.Directory
		chain []string
		at    time.Time
		want  bool
	}{
		{"knows-nobody", alone(""), chain, epoch, true},
		{"knows-it-already", alone(cache), chain, epoch, true},
		{"newer-than-known", alone(cache), newer, later, true},
		{"expired", alone(""), chain, epoch.Add(25 * time.Hour), false},
		{"cut", alone(""), chain[1:], epoch, false},
		{"none", alone(""), nil, epoch, false},
	} {
		n, err := tc.d.Presented(tc.chain, tc.at)
		if (err == nil) != tc.want || (err == nil && (n.EntityID != ministryID || n.Under != countryID)) {
			t.Errorf("%s: got %q, error %v", tc.name, n.EntityID, err)
		}
	}
	// Who was removed does not come back by an old chain, and who was told off neither.
	remove(t, w.authorities[countryID], ministryID)
	refresh(t, full, later)
	if _, err := full.Presented(newer, later); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("removed: got %v", err)
	}
	told := alone("")
	told.Retain(anchorID, []trust.EntityID{idOf("KGZ")}, nil)
	if _, err := told.Presented(newer, later); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("retained without: got %v", err)
	}
	// Nor does a stranger take the place of another: the anchor pins what an Entity is.
	held := trust.EntityID("https://second.kgz.example")
	w.leaf(held, nodeMetadata(t, "KGZ"), anchorID)
	other := newTree(t)
	other.clock.now = later
	other.superior(anchorID, nil)
	other.answers[held] = w.answers[held]
	if err := other.enroll(anchorID, held, authority.EnrollOptions{Jurisdiction: "KGZ"}); err != nil {
		t.Fatal(err)
	}
	c, err = resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: other.source()}.Resolve(t.Context(), held, later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone(cache).Presented(c.Statements(), later); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("a held country: got %v", err)
	}
}

// TestPresentedReplacedKey: a federation key that the superior has replaced speaks no
// longer, although the statement that vouched for it has not run out.
func TestPresentedReplacedKey(t *testing.T) {
	w := fourLevels(t)
	d := w.directory()
	refresh(t, d, epoch)
	old, _ := d.Statements(ministryID)
	later := epoch.Add(time.Hour)
	forged := configuration(t, ministryID, ministry(t), later.Add(time.Minute), countryID)
	chain := append([]string{forged}, old[1:]...)
	if _, err := d.Presented(chain, later.Add(time.Minute)); err != nil {
		t.Fatalf("before the key is replaced: %v", err)
	}
	// The ministry is enrolled anew with another key.
	w.clock.now = later
	token, err := trust.SignEntityConfiguration(keyOf(t, "the next key"), trust.EntityConfiguration{Entity: ministryID, IssuedAt: later,
		ExpiresAt: later.Add(24 * time.Hour), AuthorityHints: []trust.EntityID{countryID}, Metadata: trust.Metadata{TamgaNode: testpeer.Prove(ministry(t), ministryID, keyOf(t, "the next key").Public())}})
	if err != nil {
		t.Fatal(err)
	}
	w.answers[ministryID] = func(endpoint.Request) endpoint.Response { return endpoint.Response{Body: token} }
	if err := w.enroll(countryID, ministryID, authority.EnrollOptions{Jurisdiction: "KAZ"}); err != nil {
		t.Fatal(err)
	}
	refresh(t, d, later)
	if n, err := d.Entity(ministryID, later); err != nil || n.Under != countryID {
		t.Fatalf("with the next key: %v", err)
	}
	_, err = d.Presented(chain, later.Add(time.Minute))
	wantRule(t, err, "unknown-key", 0)
}

// TestPresentedOfTwoAnchors: that one Anchor cannot be asked does not bring back whom the
// other has removed.
func TestPresentedOfTwoAnchors(t *testing.T) {
	w := newTree(t)
	const otherID = "https://other-region.example"
	w.superior(anchorID, nil)
	w.superior(otherID, nil)
	w.leaf(idOf("KAZ"), nodeMetadata(t, "KAZ"), anchorID)
	if err := w.enroll(anchorID, idOf("KAZ"), authority.EnrollOptions{Jurisdiction: "KAZ"}); err != nil {
		t.Fatal(err)
	}
	c, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), idOf("KAZ"), epoch)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, w.authorities[anchorID], idOf("KAZ"))
	w.silent[otherID] = true
	d := w.directory(anchor(t), trust.Anchor{EntityID: otherID, Keys: keySet(t, otherID)})
	if _, err := d.Presented(c.Statements(), epoch); err != nil {
		t.Fatalf("before anybody was asked: %v", err)
	}
	if _, err := d.Refresh(t.Context(), epoch); err == nil {
		t.Fatal("the silent Anchor was asked")
	}
	if _, err := d.Presented(c.Statements(), epoch); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("removed by the Anchor that was asked: got %v", err)
	}
}

// TestManyNodesOfOneCountry: a country has so many nodes below its own and no more.
func TestManyNodesOfOneCountry(t *testing.T) {
	w := fourLevels(t)
	for i := range 40 {
		id := trust.EntityID(fmt.Sprintf("https://office-%d.kaz.example", i))
		m := ministry(t)
		m.PeerID = testpeer.ID(fmt.Sprintf("office %d", i))
		w.leaf(id, m, countryID)
		if err := w.enroll(countryID, id, authority.EnrollOptions{Jurisdiction: "KAZ"}); err != nil {
			t.Fatal(err)
		}
	}
	d := w.directory()
	report, err := d.Refresh(t.Context(), epoch)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(d.Members(epoch)); got != 1+32+1 || len(report.Failures) != 41-32 {
		t.Errorf("got %d members and %d left out", got, len(report.Failures))
	}
	if _, err := d.Country("KGZ", epoch); err != nil {
		t.Errorf("another country: %v", err)
	}
}

// TestPresentedSuspended: whom its superior has suspended does not come back by its chain,
// neither while another Intermediate stalls nor when the superior itself does afterwards.
func TestPresentedSuspended(t *testing.T) {
	w := fourLevels(t)
	const otherID = "https://authority.uzb.example"
	w.superior(otherID, nil, anchorID)
	if err := w.enroll(anchorID, otherID, authority.EnrollOptions{Jurisdictions: []string{"UZB"}}); err != nil {
		t.Fatal(err)
	}
	d := w.directory()
	refresh(t, d, epoch)
	chain, _ := d.Statements(ministryID)
	w.clock.now = epoch.Add(time.Hour)
	if err := w.authorities[countryID].Suspend(ministryID, ""); err != nil {
		t.Fatal(err)
	}
	stalled := func(name string, at time.Time, silent ...trust.EntityID) {
		t.Helper()
		clear(w.silent)
		for _, id := range silent {
			w.silent[id] = true
		}
		w.clock.now = at
		if _, err := d.Refresh(t.Context(), at); (err == nil) != (len(silent) == 0) {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := d.Presented(chain, at); !errors.Is(err, trust.ErrNotMember) {
			t.Errorf("%s: the suspended ministry: got %v", name, err)
		}
	}
	stalled("all-answer", epoch.Add(time.Hour))
	stalled("another-stalls", epoch.Add(2*time.Hour), otherID)
	stalled("its-superior-stalls", epoch.Add(3*time.Hour), countryID)
	stalled("still", epoch.Add(4*time.Hour), countryID, anchorID)
	// The superior's later word is believed while it cannot be asked.
	if err := w.authorities[countryID].Reinstate(ministryID); err != nil {
		t.Fatal(err)
	}
	w.leaf(ministryID, ministry(t), countryID)
	clear(w.silent)
	c, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), ministryID, w.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := d.Presented(c.Statements(), w.clock.now); err != nil || n.EntityID != ministryID {
		t.Errorf("reinstated since: got %q, %v", n.EntityID, err)
	}
}

// TestPresentedBeyondStaleness: no superior's word is good for longer because the member
// brings it itself.
func TestPresentedBeyondStaleness(t *testing.T) {
	w := fourLevels(t)
	d := w.directory()
	d.Bound(time.Hour, 0)
	refresh(t, d, epoch)
	chain, _ := d.Statements(ministryID)
	if _, err := d.Presented(chain, epoch.Add(59*time.Minute)); err != nil {
		t.Errorf("within the bound: %v", err)
	}
	later := epoch.Add(3 * time.Hour)
	w.clock.now = later
	w.leaf(ministryID, ministry(t), countryID)
	token, err := w.source().EntityConfiguration(t.Context(), ministryID)
	if err != nil {
		t.Fatal(err)
	}
	renewed := append([]string{token}, chain[1:]...)
	for name, c := range map[string][]string{"known": chain, "own-part-new": renewed} {
		if _, err := d.Presented(c, later); !errors.Is(err, trust.ErrUndetermined) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// Statements that the superiors have made since are as good as new.
	c, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), ministryID, later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Presented(c.Statements(), later); err != nil {
		t.Errorf("made since: %v", err)
	}
}
