package trust_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
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
	c, err := trust.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), ministryID, later)
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
		{"knows-it-already", alone(cache), chain, epoch, false},
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
	told.Retain(anchorID, []trust.EntityID{idOf("KGZ")})
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
	c, err = trust.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: other.source()}.Resolve(t.Context(), held, later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone(cache).Presented(c.Statements(), later); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("a held country: got %v", err)
	}
}
