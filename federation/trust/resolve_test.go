package trust_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
)

// resolving is a source that lists one member and gives one resolve response.
type resolving struct {
	failing
	token, anchor string
}

func (r resolving) EntityConfiguration(_ context.Context, id trust.EntityID) (string, error) {
	if id != anchorID {
		return "", errDown
	}
	return r.anchor, nil
}

func (resolving) List(context.Context, trust.EntityID) ([]trust.EntityID, error) {
	return []trust.EntityID{idOf("KAZ")}, nil
}

func (r resolving) Resolve(context.Context, trust.EntityID, trust.EntityID, trust.EntityID) (string, error) {
	return r.token, nil
}

func resolveAt(t testing.TB, a *authority.Authority, country string, more ...string) string {
	t.Helper()
	q := url.Values{"sub": {string(idOf(country))}, "trust_anchor": {anchorID}, "entity_type": more}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/resolve?"+q.Encode(), nil))
	if w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func payloadOf(t testing.TB, token string) map[string]any {
	t.Helper()
	u, err := jose.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(u.Payload(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestResolveResponseRefused has one fault per row. What a directory is left with is
// "undetermined": a bad answer about a listed member is not a no.
func TestResolveResponseRefused(t *testing.T) {
	c := &clock{epoch}
	a := openAuthority(t, t.TempDir(), c)
	enroll(t, a, c, "KAZ", "KGZ")
	good := resolveAt(t, a, "KAZ")
	own, err := trust.SignEntityConfiguration(keyOf(t, anchorID), trust.EntityConfiguration{
		Entity: anchorID, IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	const typ = "resolve-response+jwt"
	forge := func(key, typ string, changes map[string]any) string {
		claims := payloadOf(t, good)
		maps.Copy(claims, changes)
		return draft{claims, key, typ}.token(t)
	}
	for _, tc := range []struct {
		name, token, want string
	}{
		{"good", good, "member"},
		{"metadata-is-not-believed", forge(anchorID, typ, map[string]any{"metadata": map[string]any{"tamga_node": map[string]any{"jurisdiction": "UZB"}}}), "member"},
		{"signed-by-another", forge("thief", typ, nil), "undetermined"},
		{"other-type", forge(anchorID, statementTyp, nil), "undetermined"},
		{"other-issuer", forge(anchorID, typ, map[string]any{"iss": intermediateID}), "undetermined"},
		{"other-subject", forge(anchorID, typ, map[string]any{"sub": string(idOf("KGZ"))}), "undetermined"},
		{"other-chain", forge(anchorID, typ, map[string]any{"trust_chain": payloadOf(t, resolveAt(t, a, "KGZ"))["trust_chain"]}), "undetermined"},
		{"no-chain", forge(anchorID, typ, map[string]any{"trust_chain": []string{}}), "undetermined"},
		{"expired", forge(anchorID, typ, map[string]any{"exp": epoch.Unix()}), "undetermined"},
		{"from-future", forge(anchorID, typ, map[string]any{"iat": epoch.Unix() + 61}), "undetermined"},
		{"no-exp", forge(anchorID, typ, map[string]any{"exp": nil}), "undetermined"},
		{"flipped", good[:len(good)-4] + strings.Map(func(r rune) rune { return 'A' + (r+1)%26 }, good[len(good)-4:]), "undetermined"},
		{"statement-instead", configuration(t, idOf("KAZ"), nodeMetadata(t, "KAZ"), epoch), "undetermined"},
		{"empty", "", "undetermined"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := directory.New([]trust.Anchor{anchor(t)}, resolving{token: tc.token, anchor: own}, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Refresh(t.Context(), epoch); err != nil {
				t.Fatal(err)
			}
			wantStates(t, d, epoch, map[string]string{"KAZ": tc.want})
		})
	}
}

func TestResolveByEntityType(t *testing.T) {
	c := &clock{epoch}
	a := openAuthority(t, t.TempDir(), c)
	enroll(t, a, c, "KAZ")
	for entityType, want := range map[string]int{"tamga_node": 1, "openid_provider": 0} {
		if got := payloadOf(t, resolveAt(t, a, "KAZ", entityType))["metadata"].(map[string]any); len(got) != want {
			t.Errorf("%s: got %d entity types, want %d", entityType, len(got), want)
		}
	}
}
