package trust_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/resolver"
)

// resolved is what resolve.mjs prints of one chain.
type resolved struct {
	Subjects []trust.EntityID `json:"subjects"`
	Issuers  []trust.EntityID `json:"issuers"`
	Metadata struct {
		Federation struct {
			Name     string   `json:"organization_name"`
			Fetch    string   `json:"federation_fetch_endpoint"`
			Contacts []string `json:"contacts"`
		} `json:"federation_entity"`
	} `json:"metadata"`
}

// foreignResolver installs @openid-federation/core, an implementation that shares no
// code with this one, and returns how to run it. It is a witness for chains that are to
// be accepted; what it accepts beyond that proves nothing.
func foreignResolver(t *testing.T) func(base string, id, anchor trust.EntityID) []resolved {
	t.Helper()
	absent := func(why string, args ...any) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf(why, args...)
		}
		t.Skipf(why, args...)
	}
	for _, name := range []string{"npm", "node"} {
		if _, err := exec.LookPath(name); err != nil {
			absent("%s is not installed", name)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "js"))); err != nil {
		t.Fatal(err)
	}
	// Exactly what the lock file pins, by hash; no package's own scripts run.
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		absent("the packages that package-lock.json pins could not be had: %v\n%s", err, out)
	}
	return func(base string, id, anchor trust.EntityID) []resolved {
		t.Helper()
		c := exec.CommandContext(t.Context(), "node", "resolve.mjs", base, string(id), string(anchor))
		c.Dir = dir
		var errs strings.Builder
		c.Stderr = &errs
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		var chains []resolved
		if err := json.Unmarshal(out, &chains); err != nil {
			t.Fatal(err)
		}
		return chains
	}
}

// serve puts every Entity of the tree behind one server, below its host name.
func (w *tree) serve() *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		host, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		for id, answer := range w.answers {
			if rest, ok := strings.CutPrefix("https://"+host+"/"+path, id.Base()+"/"); ok {
				r.URL.Path = "/" + rest
				endpoint.Handler(id, answer).ServeHTTP(rw, r)
				return
			}
		}
		http.NotFound(rw, r)
	}))
	w.t.Cleanup(s.Close)
	return s
}

// TestForeignResolver: an implementation that is not ours resolves our chains through
// every level, and applies a policy as we do. It knows nothing of tamga_node and drops
// it: what it can be asked about is federation_entity.
func TestForeignResolver(t *testing.T) {
	foreign := foreignResolver(t)
	w := fourLevelsAt(t, time.Now().UTC().Truncate(time.Second)) // the other reads the clock
	policy := json.RawMessage(`{"federation_entity":{"contacts":{"add":["noc@region.example"]},"organization_name":{"default":"unnamed"}}}`)
	if err := w.enroll(anchorID, nationalID, authority.EnrollOptions{Jurisdictions: []string{"KAZ"}, Depth: 1, Policy: policy}); err != nil {
		t.Fatal(err)
	}
	base := w.serve().URL
	for id, superiors := range map[trust.EntityID][]trust.EntityID{
		ministryID: {countryID, nationalID, anchorID}, countryID: {nationalID, anchorID}, nationalID: {anchorID}, idOf("KGZ"): {anchorID},
	} {
		c, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: w.source()}.Resolve(t.Context(), id, w.clock.now)
		if err != nil || !slices.Equal(c.Superiors, superiors) {
			t.Fatalf("%s: got superiors %v, error %v", id, c.Superiors, err)
		}
		chains := foreign(base, id, anchorID)
		if len(chains) != 1 {
			t.Errorf("%s: the other resolves %d chains, want 1", id, len(chains))
			continue
		}
		for _, s := range superiors {
			if !slices.Contains(chains[0].Issuers, s) {
				t.Errorf("%s: got issuers %v, want %v among them", id, chains[0].Issuers, s)
			}
		}
		if id != countryID {
			continue
		}
		got := chains[0].Metadata.Federation
		if want := c.Metadata.FederationEntity; got.Name != want.OrganizationName || got.Name != "unnamed" || got.Fetch != want.FetchEndpoint || !slices.Equal(got.Contacts, []string{"noc@region.example"}) {
			t.Errorf("got metadata %+v, want %+v", got, want)
		}
	}
}
