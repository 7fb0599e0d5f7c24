package trust_test

import (
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

// TestPublishedStatus: an Anchor that nobody can ask publishes what its marks are worth. That is
// good for so long, is undetermined before and afterwards, and a revocation is not taken back.
func TestPublishedStatus(t *testing.T) {
	var mark trust.TrustMark
	w := marked(t, func(w *tree) []trust.TrustMark {
		mark = w.issue(anchorID, trustmark.Mark{Type: audited})
		return []trust.TrustMark{mark}
	})
	online := w.answers[anchorID]
	w.answers[anchorID] = func(r endpoint.Request) endpoint.Response {
		if r.Operation == endpoint.MarkStatus {
			return endpoint.Response{Code: endpoint.ServerError}
		}
		return online(r)
	}
	published := map[string]string{}
	publish := func() {
		t.Helper()
		p, err := w.authorities[anchorID].Publish()
		if err != nil || len(p.Statuses) != 1 {
			t.Fatalf("%d statuses, %v", len(p.Statuses), err)
		}
		published[mark.Token] = p.Statuses[0]
	}
	d, err := directory.New([]trust.Anchor{anchor(t)}, w.source(), "")
	if err != nil {
		t.Fatal(err)
	}
	d.Published(func(issuer trust.EntityID, mark string) (string, bool) {
		token, ok := published[mark]
		return token, ok && issuer == anchorID
	})
	const (
		none = iota
		undetermined
		valid
	)
	expect := func(what string, after time.Duration, want int) {
		t.Helper()
		w.clock.now = epoch.Add(after)
		if _, err := d.Refresh(t.Context(), w.clock.now); err != nil {
			t.Fatal(err)
		}
		n, err := d.Entity(nodeID, w.clock.now)
		if err != nil {
			t.Fatal(err)
		}
		got := none
		switch {
		case len(n.MarkTypes(w.clock.now)) == 1:
			got = valid
		case len(n.Marks) == 1 && n.Marks[0].Undetermined(w.clock.now):
			got = undetermined
		}
		if got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
	expect("never published", 0, undetermined)
	publish()
	active := published[mark.Token]
	expect("published", time.Hour, valid)
	delete(published, mark.Token)
	expect("a later folder without it", 2*time.Hour, valid)
	expect("too old", 7*time.Hour, undetermined)
	w.clock.now = epoch.Add(8 * time.Hour)
	publish()
	expect("published again", 9*time.Hour, valid)
	publish()
	same := published[mark.Token]
	if err := w.authorities[anchorID].RevokeMark(audited, nodeID); err != nil {
		t.Fatal(err)
	}
	publish()
	expect("revoked", 10*time.Hour, none)
	published[mark.Token] = active
	expect("the folder was put back", 10*time.Hour+time.Minute, none)
	published[mark.Token] = same
	expect("signed in the second of the revocation", 10*time.Hour+90*time.Second, none)
	published[mark.Token] = forgedStatus(t, mark.Token, w.clock.now)
	expect("forged", 10*time.Hour+2*time.Minute, none)
	expect("the revocation is old", 20*time.Hour, none)
}

func forgedStatus(t *testing.T, mark string, now time.Time) string {
	t.Helper()
	token, err := trustmark.SignStatus(keyOf(t, "somebody"), anchorID, mark, trustmark.Active, now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
