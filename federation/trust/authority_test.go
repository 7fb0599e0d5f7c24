package trust_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

func openAuthority(t testing.TB, dir string, c *clock) *authority.Authority {
	t.Helper()
	a, err := authority.New(authority.Config{EntityID: anchorID, Key: keyOf(t, anchorID), Dir: dir, OrganizationName: "Anchor", Clock: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func idOf(country string) trust.EntityID { return trust.EntityID("https://tamga.example/" + country) }

func enroll(t testing.TB, a *authority.Authority, c *clock, countries ...string) {
	t.Helper()
	for _, country := range countries {
		token := configuration(t, idOf(country), nodeMetadata(t, country), c.now)
		if _, err := a.Enroll(token, authority.EnrollOptions{Jurisdiction: country}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEnrollRefuses(t *testing.T) {
	c := &clock{epoch}
	a := openAuthority(t, t.TempDir(), c)
	enroll(t, a, c, "KAZ")
	kgz := func(change func(*trust.NodeMetadata)) string {
		m := nodeMetadata(t, "KGZ")
		change(m)
		return configuration(t, idOf("KGZ"), m, epoch)
	}
	same := func(*trust.NodeMetadata) {}
	// Nobody has the peer ID of UZB yet, whose Entity Configuration is known: it was sent to another superior.
	ofUZB := testpeer.Proofs(idOf("UZB"), keyOf(t, string(idOf("UZB"))).Public(), testpeer.ID("UZB"))
	own := testpeer.Proofs(idOf("KGZ"), keyOf(t, string(idOf("KGZ"))).Public(), testpeer.ID("KGZ"))
	both := maps.Clone(own)
	maps.Copy(both, ofUZB)
	forged := drafts(t)[0]
	forged.claims["authority_hints"] = []string{anchorID}
	forged.key = "thief"
	for _, tc := range []struct {
		name  string
		rule  trust.Rule
		token string
		opts  authority.EnrollOptions
	}{
		{"not-a-statement", "syntax", "x", authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"signed-by-another", "unknown-key", forged.token(t), authority.EnrollOptions{Jurisdiction: "KAZ"}},
		{"subordinate-statement", "statement-order", drafts(t)[1].token(t), authority.EnrollOptions{Jurisdiction: "KAZ"}},
		{"expired", "expired", configuration(t, idOf("KGZ"), nodeMetadata(t, "KGZ"), epoch.Add(-15*24*time.Hour)), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"from-future", "issued-in-future", configuration(t, idOf("KGZ"), nodeMetadata(t, "KGZ"), epoch.Add(time.Hour)), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"other-superior", "authority-hint", configuration(t, idOf("KGZ"), nodeMetadata(t, "KGZ"), epoch, intermediateID), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"no-node", "no-tamga-node", configuration(t, idOf("KGZ"), nil, epoch), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"incomplete", "metadata", kgz(func(m *trust.NodeMetadata) { m.SealingKeys = nil }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"reused-key", "federation-key-reused", kgz(func(m *trust.NodeMetadata) { m.Keys = keySet(t, string(idOf("KGZ"))) }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"stolen-peer", trust.RuleUnproved, kgz(func(m *trust.NodeMetadata) { m.PeerID, m.PeerProofs = testpeer.ID("UZB"), own }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"stolen-with-proof", trust.RuleUnproved, kgz(func(m *trust.NodeMetadata) { m.PeerID, m.PeerProofs = testpeer.ID("UZB"), ofUZB }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"stolen-next-peer", trust.RuleUnproved, kgz(func(m *trust.NodeMetadata) { m.PeerIDs, m.PeerProofs = testpeer.IDs("UZB"), both }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"no-proofs", trust.RuleUnproved, kgz(func(m *trust.NodeMetadata) { m.PeerProofs = peerid.Proofs{} }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"other-country", "", kgz(same), authority.EnrollOptions{Jurisdiction: "UZB"}},
		{"no-country", "", kgz(same), authority.EnrollOptions{}},
		{"short-life", "", kgz(same), authority.EnrollOptions{Jurisdiction: "KGZ", Lifetime: time.Second}},
		{"long-life", "", kgz(same), authority.EnrollOptions{Jurisdiction: "KGZ", Lifetime: 91 * 24 * time.Hour}},
		{"bad-location", "", kgz(same), authority.EnrollOptions{Jurisdiction: "KGZ", Location: "ftp://x"}},
		{"held-country", "held", configuration(t, idOf("KGZ"), nodeMetadata(t, "KAZ"), epoch), authority.EnrollOptions{Jurisdiction: "KAZ"}},
		{"held-next-peer", "held", kgz(func(m *trust.NodeMetadata) { m.PeerIDs = []string{nodeMetadata(t, "KAZ").PeerID} }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
		{"held-peer", "held", kgz(func(m *trust.NodeMetadata) { m.PeerID = nodeMetadata(t, "KAZ").PeerID }), authority.EnrollOptions{Jurisdiction: "KGZ"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := a.Enroll(tc.token, tc.opts)
			switch fault, refused := errors.AsType[*trust.ChainError](err); {
			case err == nil:
				t.Error("enrolled")
			case tc.rule == "held" != errors.Is(err, authority.ErrHeld):
				t.Errorf("got %v", err)
			case tc.rule != "held" && tc.rule != "" && (!refused || fault.Rule != tc.rule):
				t.Errorf("got %v, want rule %q", err, tc.rule)
			case tc.rule == "" && refused:
				t.Errorf("got %v, want an error about the operator's options", err)
			}
		})
	}
	if got := a.List(); len(got) != 1 || got[0].Entity != idOf("KAZ") {
		t.Errorf("got members %v, want the first alone", got)
	}
}

func TestAuthorityKeepsMembers(t *testing.T) {
	dir, c := t.TempDir(), &clock{epoch}
	a := openAuthority(t, dir, c)
	enroll(t, a, c, "UZB", "KAZ", "TJK")
	enroll(t, a, c, "KAZ") // again: renews, is no conflict
	if err := a.Remove(idOf("TJK")); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(idOf("TJK")); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("removing twice: got %v", err)
	}
	before, err := json.Marshal(a.List())
	if err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(openAuthority(t, dir, c).List())
	if err != nil || string(before) != string(after) {
		t.Errorf("after restart: got\n%s, want\n%s", after, before)
	}
	if got := len(a.List()); got != 2 {
		t.Errorf("got %d members, want 2", got)
	}
}

func TestAuthorityNoticesEdits(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, file string){
		"flipped": func(t *testing.T, file string) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"cut": func(t *testing.T, file string) {
			if err := os.Truncate(file, 100); err != nil {
				t.Fatal(err)
			}
		},
		"renamed": func(t *testing.T, file string) {
			if err := os.Rename(file, filepath.Join(filepath.Dir(file), "00.jwt")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, c := t.TempDir(), &clock{epoch}
			enroll(t, openAuthority(t, dir, c), c, "KAZ")
			files, err := filepath.Glob(filepath.Join(dir, "*.jwt"))
			if err != nil || len(files) != 1 {
				t.Fatalf("got files %v, error %v", files, err)
			}
			edit(t, files[0])
			if _, err := authority.New(authority.Config{EntityID: anchorID, Key: keyOf(t, anchorID), Dir: dir, Clock: c.Now}); err == nil {
				t.Error("opened")
			}
		})
	}
}

func TestAuthorityEndpoints(t *testing.T) {
	c := &clock{epoch}
	a := openAuthority(t, t.TempDir(), c)
	enroll(t, a, c, "KAZ", "KGZ")
	sub := func(path string, id trust.EntityID, more ...string) string {
		q := url.Values{"sub": {string(id)}}
		for i := 0; i < len(more); i += 2 {
			q.Add(more[i], more[i+1])
		}
		return path + "?" + q.Encode()
	}
	const statement, resolved, plain = "application/entity-statement+jwt", "application/resolve-response+jwt", "application/json"
	for _, tc := range []struct {
		name, target string
		status       int
		content      string
		code         string
	}{
		{"configuration", "/fed/.well-known/openid-federation", 200, statement, ""},
		{"configuration-at-root", "/.well-known/openid-federation", 200, statement, ""},
		{"fetch", sub("/fed/fetch", idOf("KAZ")), 200, statement, ""},
		{"fetch-unknown-parameter", sub("/fetch", idOf("KAZ"), "x", "y"), 200, statement, ""},
		{"fetch-stranger", sub("/fetch", idOf("UZB")), 404, plain, "not_found"},
		{"fetch-itself", sub("/fetch", anchorID), 400, plain, "invalid_request"},
		{"fetch-nobody", "/fetch", 400, plain, "invalid_request"},
		{"fetch-twice", sub("/fetch", idOf("KAZ"), "sub", string(idOf("KGZ"))), 400, plain, "invalid_request"},
		{"fetch-no-identifier", "/fetch?sub=x", 400, plain, "invalid_request"},
		{"bad-query", "/fetch?sub=%zz", 400, plain, "invalid_request"},
		{"list", "/fed/list", 200, plain, ""},
		{"list-nodes", "/list?entity_type=tamga_node", 200, plain, ""},
		{"resolve", sub("/resolve", idOf("KAZ"), "trust_anchor", anchorID), 200, resolved, ""},
		{"resolve-one-of-anchors", sub("/resolve", idOf("KAZ"), "trust_anchor", "https://x.example", "trust_anchor", anchorID), 200, resolved, ""},
		{"resolve-without-anchor", sub("/resolve", idOf("KAZ")), 400, plain, "invalid_request"},
		{"resolve-other-anchor", sub("/resolve", idOf("KAZ"), "trust_anchor", "https://x.example"), 404, plain, "invalid_trust_anchor"},
		{"resolve-stranger", sub("/resolve", idOf("UZB"), "trust_anchor", anchorID), 404, plain, "not_found"},
		{"elsewhere", "/enroll", 404, "text/plain; charset=utf-8", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			a.Handler().ServeHTTP(w, httptest.NewRequest("GET", tc.target, nil))
			if w.Code != tc.status || w.Header().Get("Content-Type") != tc.content {
				t.Fatalf("got %d %s, want %d %s", w.Code, w.Header().Get("Content-Type"), tc.status, tc.content)
			}
			var e struct {
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}
			if json.Unmarshal(w.Body.Bytes(), &e); e.Error != tc.code {
				t.Errorf("got error code %q, want %q", e.Error, tc.code)
			}
			if tc.code != "" && !strings.HasSuffix(e.Description, ".") {
				t.Errorf("described to people as %q", e.Description)
			}
		})
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/fetch", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", w.Code)
	}
	w = httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/list?entity_type=openid_provider", nil))
	if got := w.Body.String(); got != "[]" {
		t.Errorf("list of another type: got %q", got)
	}
}

// TestResolveResponse reads the response with nothing but jose and the text of
// section 8.3.2.
func TestResolveResponse(t *testing.T) {
	c := &clock{epoch}
	a := openAuthority(t, t.TempDir(), c)
	enroll(t, a, c, "KAZ")
	get := func() string {
		w := httptest.NewRecorder()
		q := url.Values{"sub": {string(idOf("KAZ"))}, "trust_anchor": {anchorID}}
		a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/resolve?"+q.Encode(), nil))
		if w.Code != 200 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	first := get()
	payload, err := jose.Verify(first, "resolve-response+jwt", a.Anchor().Keys)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Iss, Sub string
		Iat, Exp int64
		Metadata trust.Metadata
		Chain    []string `json:"trust_chain"`
	}
	if err := json.Unmarshal(payload, &r); err != nil {
		t.Fatal(err)
	}
	chain, err := trust.VerifyChain(r.Chain, []trust.Anchor{a.Anchor()}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if r.Iss != anchorID || r.Sub != string(idOf("KAZ")) || r.Iat != epoch.Unix() || r.Exp != chain.ExpiresAt.Unix() ||
		r.Metadata.TamgaNode.Jurisdiction != "KAZ" || len(r.Chain) != 3 || !chain.ExpiresAt.Equal(epoch.Add(24*time.Hour)) {
		t.Errorf("got %+v", r)
	}
	if c.now = epoch.Add(29 * time.Second); get() != first {
		t.Error("a response is signed anew for every request")
	}
	if c.now = epoch.Add(30 * time.Second); get() == first {
		t.Error("a response is handed out for ever")
	}
}

// TestResolveSelects: an Entity Type in the request limits the metadata, and no
// choice of them makes the authority sign again within the life of a response.
func TestResolveSelects(t *testing.T) {
	c := &clock{epoch}
	a := openAuthority(t, t.TempDir(), c)
	enroll(t, a, c, "KAZ")
	get := func(types ...string) string {
		t.Helper()
		w := httptest.NewRecorder()
		q := url.Values{"sub": {string(idOf("KAZ"))}, "trust_anchor": {anchorID}, "entity_type": types}
		a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/resolve?"+q.Encode(), nil))
		if w.Code != 200 {
			t.Fatalf("%q: got %d %s", types, w.Code, w.Body)
		}
		return w.Body.String()
	}
	for _, tc := range []struct {
		name  string
		types []string
		want  []string // Entity Types in the response
		same  []string // request that the same response answers
	}{
		{"all", nil, []string{"tamga_node"}, nil},
		{"node", []string{"tamga_node"}, []string{"tamga_node"}, []string{"tamga_node", "tamga_node"}},
		{"node-and-unknown", []string{"x", "tamga_node"}, []string{"tamga_node"}, []string{"tamga_node"}},
		{"both", []string{"tamga_node", "federation_entity"}, []string{"tamga_node"}, []string{"federation_entity", "tamga_node"}},
		{"entity", []string{"federation_entity"}, nil, []string{"federation_entity", "openid_provider"}},
		{"unknown", []string{"x"}, nil, []string{"y", "z"}},
		{"empty", []string{""}, nil, []string{"x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.now = epoch
			token := get(tc.types...)
			payload, err := jose.Verify(token, "resolve-response+jwt", a.Anchor().Keys)
			if err != nil {
				t.Fatal(err)
			}
			var r struct{ Metadata map[string]any }
			if err := json.Unmarshal(payload, &r); err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(r.Metadata)); !slices.Equal(got, tc.want) || r.Metadata == nil {
				t.Errorf("got Entity Types %q, want %q", got, tc.want)
			}
			// Signatures are deterministic: only a later iat shows a new one.
			if c.now = epoch.Add(29 * time.Second); get(tc.same...) != token {
				t.Error("signed anew for the same selection")
			}
		})
	}
}

func TestAuthorityRefreshes(t *testing.T) {
	c := &clock{epoch}
	key := string(idOf("KAZ"))
	serve := nodeMetadata(t, "KAZ")
	serve.Addresses = []string{"/dns4/new.example/tcp/4001"}
	signer := key
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/entity-statement+jwt")
		token, err := trust.SignEntityConfiguration(keyOf(t, signer), trust.EntityConfiguration{
			Entity: idOf("KAZ"), IssuedAt: c.now, ExpiresAt: c.now.Add(14 * 24 * time.Hour),
			AuthorityHints: []trust.EntityID{anchorID}, Metadata: trust.Metadata{TamgaNode: testpeer.Prove(serve, idOf("KAZ"), keyOf(t, signer).Public())},
		})
		if err == nil {
			io.WriteString(w, token)
		}
	}))
	defer node.Close()
	dir := t.TempDir()
	a := openAuthority(t, dir, c)
	stored := configuration(t, idOf("KAZ"), nodeMetadata(t, "KAZ"), epoch)
	if _, err := a.Enroll(stored, authority.EnrollOptions{Jurisdiction: "KAZ", Location: node.URL}); err != nil {
		t.Fatal(err)
	}
	refused := func(why string) {
		t.Helper()
		if err := a.Refresh(t.Context()); err == nil || a.List()[0].Configuration != stored {
			t.Errorf("%s: error %v, taken over %v", why, err, a.List()[0].Configuration != stored)
		}
	}
	c.now = epoch.Add(6 * 24 * time.Hour)
	if err := a.Refresh(t.Context()); err != nil || a.List()[0].Configuration != stored {
		t.Errorf("fresh enough: error %v, taken over %v", err, a.List()[0].Configuration != stored)
	}
	c.now = epoch.Add(8 * 24 * time.Hour)
	signer = "thief"
	refused("signed by another key")
	signer, serve.PeerID = key, testpeer.ID("UZB")
	refused("other peer ID")
	serve.PeerID, serve.Jurisdiction = nodeMetadata(t, "KAZ").PeerID, "UZB"
	refused("other jurisdiction")
	serve.Jurisdiction = "KAZ"
	if err := a.Refresh(t.Context()); err != nil || a.List()[0].Configuration == stored {
		t.Errorf("good: error %v, taken over %v", err, a.List()[0].Configuration != stored)
	}
	if again := openAuthority(t, dir, c).List()[0]; again.Configuration == stored {
		t.Error("what was refreshed is not on disk")
	}
}

// TestEnrolmentThatCannotBeStored: what is not durable is not a membership.
func TestEnrolmentThatCannotBeStored(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "store"), &clock{epoch}
	a := openAuthority(t, dir, c)
	enroll(t, a, c, "KAZ")
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	token := configuration(t, idOf("KGZ"), nodeMetadata(t, "KGZ"), epoch)
	if _, err := a.Enroll(token, authority.EnrollOptions{Jurisdiction: "KGZ"}); err == nil {
		t.Error("enrolled")
	}
	if err := a.Remove(idOf("KAZ")); err == nil {
		t.Error("removed")
	}
	if got := a.List(); len(got) != 1 || got[0].Entity != idOf("KAZ") {
		t.Errorf("got %d members, want what is on disk", len(got))
	}
}
