package trust_test

import (
	"math"
	"net/url"
	"testing"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
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
