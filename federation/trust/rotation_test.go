package trust_test

import (
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

// TestKeysRotate rotates the federation keys of a node, of an Intermediate and of the
// Anchor, each announced ahead and published until what it signed has run out. After
// every step a node that refreshes finds every member, a node that starts anew does so
// too, and the chains of the step before still hold.
func TestKeysRotate(t *testing.T) {
	w := newTree(t)
	dirs := map[trust.EntityID]string{anchorID: t.TempDir(), nationalID: t.TempDir()}
	above := map[trust.EntityID][]trust.EntityID{nationalID: {anchorID}}
	open := func(id trust.EntityID, signs string, also ...string) {
		t.Helper()
		a, err := authority.New(authority.Config{EntityID: id, Key: keyOf(t, signs), Keys: keySet(t, also...), Superiors: above[id],
			Dir: dirs[id], Clock: w.clock.Now, MarkRules: trust.MarkRules{Issuers: map[string][]trust.EntityID{audited: {id}}}})
		if err != nil {
			t.Fatal(err)
		}
		w.authorities[id], w.answers[id] = a, a.Answer
	}
	publish := func(signs string, also ...string) {
		t.Helper()
		key := keyOf(t, signs)
		p, err := endpoint.NewPublisher(endpoint.PublisherConfig{Key: key, Clock: w.clock.Now, Configuration: trust.EntityConfiguration{
			Entity: countryID, AuthorityHints: []trust.EntityID{nationalID}, Metadata: trust.Metadata{TamgaNode: testpeer.Prove(nodeMetadata(t, "KAZ"), countryID, key.Public())},
			Keys: jose.NewKeySet(append([]jose.PublicKey{key.Public()}, keySet(t, also...).Keys()...)...),
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.answers[countryID] = p.Answer
	}
	renew := func(at, about trust.EntityID) {
		t.Helper()
		if _, err := w.authorities[at].Renew(w.answers[about](endpoint.Request{Operation: endpoint.Configuration}).Body); err != nil {
			t.Fatal(err)
		}
	}
	open(anchorID, anchorID)
	open(nationalID, "national 1")
	publish("country 1")
	if err := w.enroll(anchorID, nationalID, authority.EnrollOptions{Jurisdictions: []string{"KAZ"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.enroll(nationalID, countryID, authority.EnrollOptions{Jurisdiction: "KAZ"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.authorities[anchorID].IssueMark(trustmark.Mark{Type: audited, Subject: countryID}); err != nil {
		t.Fatal(err)
	}
	anchors := []trust.Anchor{anchor(t)}
	running := w.directory(anchors...)
	refresh(t, running, w.clock.now)
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"country announces", func() { publish("country 1", "country 2") }},
		{"national learns", func() { renew(nationalID, countryID) }},
		{"country signs anew", func() { publish("country 2", "country 1") }},
		{"national learns again", func() { renew(nationalID, countryID) }},
		{"country retires", func() { publish("country 2"); renew(nationalID, countryID) }},
		{"national announces", func() { open(nationalID, "national 1", "national 2") }},
		{"anchor learns", func() { renew(anchorID, nationalID) }},
		{"national signs anew", func() { open(nationalID, "national 2", "national 1") }},
		{"anchor learns again", func() { renew(anchorID, nationalID) }},
		{"national retires", func() { open(nationalID, "national 2"); renew(anchorID, nationalID) }},
		{"anchor announces", func() {
			open(anchorID, anchorID, "anchor 2")
			// Out of band, while the old key still signs.
			anchors = []trust.Anchor{w.authorities[anchorID].Anchor()}
			running = w.directory(anchors...)
		}},
		{"anchor signs anew", func() { open(anchorID, "anchor 2", anchorID) }},
		{"anchor retires", func() { open(anchorID, "anchor 2") }},
	} {
		before, _ := running.Statements(countryID)
		w.clock.now = w.clock.now.Add(time.Hour)
		step.do()
		if before != nil {
			if _, err := trust.VerifyChain(before, anchors, w.clock.now); err != nil {
				t.Errorf("%s: the chain of the step before: %v", step.name, err)
			}
		}
		for what, d := range map[string]*directory.Directory{"running": running, "started": w.directory(anchors...)} {
			report, err := d.Refresh(t.Context(), w.clock.now)
			if err != nil || len(report.Failures) != 0 {
				t.Fatalf("%s: %s: got error %v, failures %v", step.name, what, err, report.Failures)
			}
			if _, err := d.Country("KAZ", w.clock.now); err != nil {
				t.Errorf("%s: %s: %v", step.name, what, err)
			}
		}
	}
	// What the retired keys signed is still on the authority's disk, under the present key.
	if got := w.authorities[anchorID].Marks(); len(got) != 1 || len(w.authorities[anchorID].List()) != 1 {
		t.Errorf("got %d marks after rotation", len(got))
	}
	// A key that was never vouched for changes nothing.
	publish("thief")
	if _, err := w.authorities[nationalID].Renew(w.answers[countryID](endpoint.Request{Operation: endpoint.Configuration}).Body); err == nil {
		t.Error("a configuration under an unknown key was taken over")
	}
}
