package trust_test

import (
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

const rivalID trust.EntityID = "https://authority.uzb.example"

// rival is a national authority of another country, which vouches under KAZ's node's identifier for a key of its own.
func (w *told) rival() *membership.Author {
	w.t.Helper()
	w.superior(rivalID, nil, anchorID)
	if err := w.enroll(anchorID, rivalID, authority.EnrollOptions{Jurisdictions: []string{"UZB"}, Depth: 1}); err != nil {
		w.t.Fatal(err)
	}
	own, answer := w.authorities[countryID], w.answers[countryID]
	fake := w.superiorBy("rival", countryID, nil, rivalID)
	if err := w.enroll(rivalID, countryID, authority.EnrollOptions{Jurisdictions: []string{"UZB"}}); err != nil {
		w.t.Fatal(err)
	}
	w.authorities[countryID], w.answers[countryID] = own, answer
	a, err := membership.NewAuthor(membership.AuthorConfig{Authority: fake, Key: keyOf(w.t, "rival"), Clock: w.clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// forged is what it says in the country's name, with a greater number than any.
func (w *told) forged(a *membership.Author) membership.Notice {
	w.t.Helper()
	n, _, err := a.Notice(membership.Listing{Sequence: math.MaxUint64 - 1}, "")
	if err != nil {
		w.t.Fatal(err)
	}
	fetch := func(of, about trust.EntityID) string {
		return w.authorities[of].Answer(endpoint.Request{Operation: endpoint.Fetch, Values: url.Values{"sub": {string(about)}}}).Body
	}
	n.Statements = []string{fetch(rivalID, countryID), fetch(anchorID, rivalID)}
	return n
}

// TestToldInAnothersName: an Intermediate that vouches for a key of its own under the identifier of another Intermediate
// takes nobody away below that, and does not silence it.
func TestToldInAnothersName(t *testing.T) {
	for name, first := range map[string]bool{"first": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			w := newTold(t)
			rival := w.rival()
			if !first {
				if _, _, err := w.hear(w.says(countryID)); err != nil {
					t.Fatal(err)
				}
			}
			dropped, newer, err := w.hear(w.forged(rival))
			if len(dropped) != 0 || w.member(ministryID) != nil {
				t.Errorf("dropped %v, newer %v, %v", dropped, newer, err)
			}
			if err := w.authorities[countryID].Suspend(ministryID, "audit"); err != nil {
				t.Fatal(err)
			}
			if dropped, newer, err := w.hear(w.says(countryID)); err != nil || !newer || len(dropped) != 1 {
				t.Errorf("the country's own: dropped %v, newer %v, %v", dropped, newer, err)
			}
		})
	}
}

// TestAnothersIdentifier: an Intermediate that vouches for a node of its own under the identifier of another country's is
// not believed by a chain that it brings, and does not keep that country out when its Anchor enrols it later.
func TestAnothersIdentifier(t *testing.T) {
	w := newTree(t)
	w.superior(anchorID, nil)
	w.superior(rivalID, nil, anchorID)
	if err := w.enroll(anchorID, rivalID, authority.EnrollOptions{Jurisdictions: []string{"UZB"}}); err != nil {
		t.Fatal(err)
	}
	fake := w.superiorBy("rival", idOf("KGZ"), nodeMetadata(t, "UZB"), rivalID)
	configuration, err := fake.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.enroll(rivalID, idOf("KGZ"), authority.EnrollOptions{Jurisdiction: "UZB"}); err != nil {
		t.Fatal(err)
	}
	late, early := w.directory(), w.directory()
	if _, err := late.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	forged, ok := late.Statements(idOf("KGZ"))
	if !ok || forged[0] != configuration {
		t.Fatal("the rival's node is no member by itself")
	}
	w.leaf(idOf("KGZ"), nodeMetadata(t, "KGZ"), anchorID)
	if err := w.enroll(anchorID, idOf("KGZ"), authority.EnrollOptions{Jurisdiction: "KGZ"}); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*directory.Directory{"who knew the other": late, "who did not": early} {
		if _, err := d.Refresh(t.Context(), epoch); err != nil {
			t.Fatal(err)
		}
		if n, err := d.Country("KGZ", epoch); err != nil || n.EntityID != idOf("KGZ") {
			t.Errorf("%s: KGZ is %q, %v", name, n.EntityID, err)
		}
	}
	// A newer one, which it brings itself.
	w.clock.now = epoch.Add(time.Minute)
	w.superiorBy("rival", idOf("KGZ"), nodeMetadata(t, "UZB"), rivalID)
	forged[0], err = w.authorities[idOf("KGZ")].Configuration()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := early.Presented(forged, w.clock.now); err == nil {
		t.Errorf("%q of %s is believed to be %q", n.PeerID, n.Jurisdiction, n.EntityID)
	}
}
