package trust_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

const (
	audited    = "https://anchor.example/marks/audited"
	conformant = "https://anchor.example/marks/conformant"
	rumoured   = "https://anchor.example/marks/rumoured"
	labID      = trust.EntityID("https://lab.example")
	ownerID    = trust.EntityID("https://standards.example")
)

// marked is an Anchor that issues one type of mark itself and lets a laboratory issue
// another, which belongs to a standards body; and a node that holds marks.
func marked(t testing.TB, marks func(w *tree) []trust.TrustMark) *tree {
	t.Helper()
	w := newTree(t)
	open := func(id trust.EntityID, above []trust.EntityID, rules trust.MarkRules) {
		a, err := authority.New(authority.Config{EntityID: id, Key: keyOf(t, string(id)), Dir: t.TempDir(), Superiors: above, MarkRules: rules, Clock: w.clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		w.authorities[id], w.answers[id] = a, a.Answer
	}
	open(anchorID, nil, trust.MarkRules{
		Issuers: map[string][]trust.EntityID{audited: {anchorID}, conformant: {labID}},
		Owners:  map[string]trust.MarkOwner{conformant: {Entity: ownerID, Keys: keySet(t, string(ownerID))}},
	})
	open(labID, []trust.EntityID{anchorID}, trust.MarkRules{})
	if err := w.enroll(anchorID, labID, authority.EnrollOptions{MarkIssuer: true, Lifetime: 72 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	p, err := endpoint.NewPublisher(endpoint.PublisherConfig{Key: keyOf(t, nodeID), Clock: w.clock.Now,
		Configuration: trust.EntityConfiguration{Entity: nodeID, AuthorityHints: []trust.EntityID{anchorID},
			TrustMarks: marks(w), Metadata: trust.Metadata{TamgaNode: testpeer.Prove(nodeMetadata(t, "KAZ"), nodeID, keyOf(t, nodeID).Public())}}})
	if err != nil {
		t.Fatal(err)
	}
	w.answers[nodeID] = p.Answer
	if err := w.enroll(anchorID, nodeID, authority.EnrollOptions{Jurisdiction: "KAZ", Lifetime: 72 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *tree) issue(by trust.EntityID, m trustmark.Mark) trust.TrustMark {
	w.t.Helper()
	m.Subject = nodeID
	issued, err := w.authorities[by].IssueMark(m)
	if err != nil {
		w.t.Fatal(err)
	}
	return trust.TrustMark{Type: m.Type, Token: issued.Token}
}

func (w *tree) delegation() string {
	w.t.Helper()
	d, err := trustmark.SignDelegation(keyOf(w.t, string(ownerID)), trustmark.Delegation{Type: conformant, Owner: ownerID, Issuer: labID, IssuedAt: epoch})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func both(w *tree) []trust.TrustMark {
	return []trust.TrustMark{
		w.issue(anchorID, trustmark.Mark{Type: audited, ExpiresAt: epoch.Add(48 * time.Hour)}),
		w.issue(labID, trustmark.Mark{Type: conformant, Delegation: w.delegation()}),
	}
}

func wantMarks(t testing.TB, d *directory.Directory, at time.Time, want ...string) {
	t.Helper()
	n, err := d.Entity(nodeID, at)
	if got := n.MarkTypes(at); err != nil || !slices.Equal(got, want) {
		t.Errorf("at %v: got marks %v, error %v, want %v", at.Sub(epoch), got, err, want)
	}
}

func refresh(t testing.TB, d *directory.Directory, at time.Time) {
	t.Helper()
	if _, err := d.Refresh(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

func TestMarks(t *testing.T) {
	w := marked(t, both)
	cache := filepath.Join(t.TempDir(), "members.json")
	d, err := directory.New([]trust.Anchor{anchor(t)}, w.source(), cache)
	if err != nil {
		t.Fatal(err)
	}
	d.Bound(0, 2*time.Hour)
	refresh(t, d, epoch)
	wantMarks(t, d, epoch, audited, conformant)
	// Not longer than the issuers' last word.
	wantMarks(t, d, epoch.Add(2*time.Hour))
	// A new word, but from one issuer only: the other is silent.
	w.clock.now = epoch.Add(90 * time.Minute)
	w.silent[labID] = true
	refresh(t, d, w.clock.now)
	wantMarks(t, d, w.clock.now, audited, conformant)
	w.clock.now = epoch.Add(150 * time.Minute)
	refresh(t, d, w.clock.now)
	wantMarks(t, d, w.clock.now, audited)
	// After a restart without anybody to ask.
	again, err := directory.New([]trust.Anchor{anchor(t)}, failing{}, cache)
	if err != nil {
		t.Fatal(err)
	}
	again.Bound(0, 2*time.Hour)
	wantMarks(t, again, w.clock.now, audited)
	w.silent[labID] = false
	refresh(t, d, w.clock.now)
	wantMarks(t, d, w.clock.now, audited, conformant)
	if err := w.authorities[labID].RevokeMark(conformant, nodeID); err != nil {
		t.Fatal(err)
	}
	w.clock.now = w.clock.now.Add(time.Hour)
	refresh(t, d, w.clock.now)
	wantMarks(t, d, w.clock.now, audited)
	// Expired by its own exp.
	w.clock.now = epoch.Add(48 * time.Hour)
	refresh(t, d, w.clock.now)
	wantMarks(t, d, w.clock.now)
}

func TestMarksThatCountForNothing(t *testing.T) {
	for name, marks := range map[string]func(w *tree) []trust.TrustMark{
		"type-not-recognised": func(w *tree) []trust.TrustMark {
			return []trust.TrustMark{w.issue(anchorID, trustmark.Mark{Type: rumoured})}
		},
		"issuer-not-named": func(w *tree) []trust.TrustMark {
			return []trust.TrustMark{w.issue(labID, trustmark.Mark{Type: audited})}
		},
		"without-delegation": func(w *tree) []trust.TrustMark {
			return []trust.TrustMark{w.issue(labID, trustmark.Mark{Type: conformant})}
		},
		"issuer-removed": func(w *tree) []trust.TrustMark {
			m := both(w)[1:]
			remove(t, w.authorities[anchorID], labID)
			return m
		},
		"of-another": func(w *tree) []trust.TrustMark {
			issued, err := w.authorities[anchorID].IssueMark(trustmark.Mark{Type: audited, Subject: labID})
			if err != nil {
				t.Fatal(err)
			}
			return []trust.TrustMark{{Type: audited, Token: issued.Token}}
		},
		"revoked": func(w *tree) []trust.TrustMark {
			m := w.issue(anchorID, trustmark.Mark{Type: audited})
			if err := w.authorities[anchorID].RevokeMark(audited, nodeID); err != nil {
				t.Fatal(err)
			}
			return []trust.TrustMark{m}
		},
		"self-signed": func(w *tree) []trust.TrustMark {
			token, err := trustmark.Sign(keyOf(t, nodeID), trustmark.Mark{Type: audited, Issuer: anchorID, Subject: nodeID, IssuedAt: epoch})
			if err != nil {
				t.Fatal(err)
			}
			return []trust.TrustMark{{Type: audited, Token: token}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := marked(t, marks)
			d := w.directory()
			refresh(t, d, epoch)
			wantMarks(t, d, epoch)
		})
	}
}

// TestMarkEndpoints reads sections 8.4 to 8.6 over HTTP.
func TestMarkEndpoints(t *testing.T) {
	w := marked(t, both)
	a := w.authorities[anchorID]
	held := a.Marks()[0].Token
	ask := func(method, path string, form url.Values) (int, string, string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		rw := httptest.NewRecorder()
		a.Handler().ServeHTTP(rw, r)
		return rw.Code, rw.Header().Get("Content-Type"), rw.Body.String()
	}
	status := func(mark string) trustmark.Status {
		t.Helper()
		code, content, body := ask("POST", "/trust-mark-status", url.Values{"trust_mark": {mark}})
		if code != http.StatusOK || content != "application/trust-mark-status-response+jwt" {
			t.Fatalf("got %d %s", code, content)
		}
		s, _, err := trustmark.VerifyStatus(body, mark, anchorID, keySet(t, anchorID), w.clock.now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := status(held); got != trustmark.Active {
		t.Errorf("got %s", got)
	}
	forged, err := trustmark.Sign(keyOf(t, "thief"), trustmark.Mark{Type: audited, Issuer: anchorID, Subject: nodeID, IssuedAt: epoch})
	if err != nil {
		t.Fatal(err)
	}
	if got := status(forged); got != trustmark.Invalid {
		t.Errorf("forged: got %s", got)
	}
	for _, tc := range []struct {
		name, method, path string
		form               url.Values
		code               int
		content, body      string
	}{
		{"status-by-get", "GET", "/trust-mark-status?trust_mark=" + held, nil, 405, "application/json", ""},
		{"status-without-mark", "POST", "/trust-mark-status", url.Values{}, 400, "application/json", ""},
		{"status-of-another-issuer", "POST", "/trust-mark-status", url.Values{"trust_mark": {w.authorities[labID].Marks()[0].Token}}, 404, "application/json", ""},
		{"mark", "GET", "/trust-mark?trust_mark_type=" + audited + "&sub=" + nodeID, nil, 200, "application/trust-mark+jwt", held},
		{"mark-of-nobody", "GET", "/trust-mark?trust_mark_type=" + audited + "&sub=" + string(labID), nil, 404, "application/json", ""},
		{"list", "GET", "/trust-mark-list?trust_mark_type=" + audited, nil, 200, "application/json", `["` + nodeID + `"]`},
		{"list-of-one", "GET", "/trust-mark-list?trust_mark_type=" + audited + "&sub=" + string(labID), nil, 200, "application/json", `[]`},
		{"list-without-type", "GET", "/trust-mark-list", nil, 400, "application/json", ""},
		{"subordinates-marked", "GET", "/list?trust_marked=true", nil, 200, "application/json", `["` + nodeID + `"]`},
		{"subordinates-of-type", "GET", "/list?trust_mark_type=" + conformant, nil, 200, "application/json", `[]`},
		{"history", "GET", "/historical-keys", nil, 200, "application/jwk-set+jwt", ""},
	} {
		code, content, body := ask(tc.method, "/fed"+tc.path, tc.form)
		if code != tc.code || content != tc.content || (tc.body != "" && body != tc.body) {
			t.Errorf("%s: got %d %s %s", tc.name, code, content, body)
		}
	}
	w.clock.now = epoch.Add(48 * time.Hour)
	if got := status(held); got != trustmark.Expired {
		t.Errorf("expired: got %s", got)
	}
	if err := a.RevokeMark(audited, nodeID); err != nil {
		t.Fatal(err)
	}
	if err := a.RevokeMark(audited, nodeID); !errors.Is(err, authority.ErrNoMark) {
		t.Errorf("revoking twice: got %v", err)
	}
	if got := status(held); got != trustmark.Revoked {
		t.Errorf("revoked: got %s", got)
	}
}

// TestBound: what could not be looked at for long enough is neither a yes nor a no.
func TestBound(t *testing.T) {
	w := fourLevels(t)
	d := w.directory()
	d.Bound(time.Hour, 0)
	refresh(t, d, epoch)
	w.silent[anchorID] = true
	if _, err := d.Refresh(t.Context(), epoch.Add(time.Hour)); err == nil {
		t.Fatal("the anchor was reached")
	}
	if _, err := d.Country("KAZ", epoch.Add(time.Hour)); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	at := epoch.Add(time.Hour + time.Second)
	if _, err := d.Country("KAZ", at); !errors.Is(err, trust.ErrUndetermined) {
		t.Errorf("past the bound: got %v", err)
	}
	if _, ok := d.Member(testpeer.ID("KAZ"), at); ok {
		t.Error("past the bound the gate still opens")
	}
	if _, err := d.Country("KAZ", epoch.Add(25*time.Hour)); !errors.Is(err, trust.ErrExpired) {
		t.Errorf("past its expiry: got %v", err)
	}
}
