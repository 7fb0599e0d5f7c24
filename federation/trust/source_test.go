package trust_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
)

// TestHTTPSourceReads checks what HTTPSource accepts, against a server that says
// one thing wrong at a time.
func TestHTTPSourceReads(t *testing.T) {
	const statement = "application/entity-statement+jwt"
	reply := func(status int, content, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", content)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	other := httptest.NewServer(reply(200, statement, "stolen"))
	defer other.Close()
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
		err     string
	}{
		{"good", reply(200, statement, "token"), "token", ""},
		{"with-parameter", reply(200, statement+"; charset=utf-8", "token"), "token", ""},
		{"other-content", reply(200, "text/html", "token"), "", "content type"},
		{"no-content", reply(200, "", "token"), "", "content type"},
		{"too-long", reply(200, statement, strings.Repeat("x", 64<<10+1)), "", "over 65536 bytes"},
		{"server-error", reply(500, statement, "token"), "", "status 500"},
		{"partial", reply(206, statement, "token"), "", "status 206"},
		{"proxy-404", reply(404, "text/html", "not_found"), "", "status 404"},
		{"redirect-elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/x", http.StatusFound)
		}, "", "redirect refused"},
		{"redirect-loop", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again"+r.URL.Path, http.StatusFound)
		}, "", "redirect refused"},
		{"redirect-once", func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/new") {
				http.Redirect(w, r, "/new"+r.URL.Path, http.StatusFound)
				return
			}
			reply(200, statement, "token")(w, r)
		}, "token", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			source, err := endpoint.NewHTTP(server.Client(), nil, map[trust.EntityID]string{nodeID: server.URL + "/base/"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.EntityConfiguration(t.Context(), nodeID)
			if got != tc.want || (err == nil) != (tc.err == "") || (err != nil && !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("got %.20q, error %v; want %q, error %q", got, err, tc.want, tc.err)
			}
			if errors.Is(err, trust.ErrNotMember) {
				t.Error("a fault of the way was taken for the authority's no")
			}
		})
	}
}

// TestHTTPSourceOverTLS uses no override: identifier and endpoints are what they say.
func TestHTTPSourceOverTLS(t *testing.T) {
	c := &clock{epoch}
	var handler http.Handler
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // one client mistrusts the certificate
	server.StartTLS()
	defer server.Close()
	id, err := trust.ParseEntityID(server.URL + "/fed/")
	if err != nil {
		t.Fatal(err)
	}
	a, err := authority.New(authority.Config{EntityID: id, Key: keyOf(t, "a"), Dir: t.TempDir(), Clock: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	handler = a.Handler()
	if _, err := a.Enroll(configuration(t, idOf("KAZ"), nodeMetadata(t, "KAZ"), epoch, id), authority.EnrollOptions{Jurisdiction: "KAZ"}); err != nil {
		t.Fatal(err)
	}
	source, err := endpoint.NewHTTP(server.Client(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	source.AllowPrivate()
	if ids, err := source.List(t.Context(), id); err != nil || len(ids) != 1 || ids[0] != idOf("KAZ") {
		t.Errorf("list: got %v, error %v", ids, err)
	}
	if token, err := source.SubordinateStatement(t.Context(), id, idOf("KAZ")); err != nil || token == "" {
		t.Errorf("fetch: error %v", err)
	}
	if _, err := source.SubordinateStatement(t.Context(), id, idOf("UZB")); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("fetch of a stranger: got %v", err)
	}
	if token, err := source.Resolve(t.Context(), id, idOf("KAZ"), id); err != nil || token == "" {
		t.Errorf("resolve: error %v", err)
	}
	mistrusting, err := endpoint.NewHTTP(&http.Client{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mistrusting.EntityConfiguration(t.Context(), id); err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
}

// TestHTTPSourceEndpoints: an unverified configuration must not send us anywhere.
func TestHTTPSourceEndpoints(t *testing.T) {
	asked := false
	third := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer third.Close()
	var published string
	var self trust.EntityID
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/entity-statement+jwt")
		if strings.HasSuffix(r.URL.Path, "/.well-known/openid-federation") {
			token, err := trust.SignEntityConfiguration(keyOf(t, "a"), trust.EntityConfiguration{
				Entity: self, IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour),
				Metadata: trust.Metadata{FederationEntity: &trust.FederationEntityMetadata{FetchEndpoint: published}},
			})
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, token)
			return
		}
		io.WriteString(w, r.URL.Path+"?"+r.URL.RawQuery)
	})
	tls, plain := httptest.NewTLSServer(serve), httptest.NewServer(serve)
	defer tls.Close()
	defer plain.Close()
	u, err := url.Parse(tls.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, endpoint string
		entity         trust.EntityID
		override       string
		want           string
	}{
		{"own-path", tls.URL + "/e/fetch", trust.EntityID(tls.URL + "/e"), "", "/e/fetch?sub=https%3A%2F%2Fx.example"},
		{"own-host", tls.URL + "/api?v=1", trust.EntityID(tls.URL + "/e"), "", "/api?sub=https%3A%2F%2Fx.example&v=1"},
		{"none", "", trust.EntityID(tls.URL), "", ""},
		{"third-host", third.URL + "/fetch", trust.EntityID(tls.URL), "", ""},
		{"plain-http", "http://" + u.Host + "/fetch", trust.EntityID(tls.URL), "", ""},
		{"other-port", "https://127.0.0.1:1/fetch", trust.EntityID(tls.URL), "", ""},
		{"with-user", "https://u@" + u.Host + "/fetch", trust.EntityID(tls.URL), "", ""},
		{"overridden", "https://far.example/e/fetch", "https://far.example/e", plain.URL + "/near/", "/near/fetch?sub=https%3A%2F%2Fx.example"},
		{"overridden-outside", third.URL + "/fetch", "https://far.example/e", plain.URL, ""},
		{"overridden-sibling", "https://far.example/evil/fetch", "https://far.example/e", plain.URL, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			published, self = tc.endpoint, tc.entity
			locations := map[trust.EntityID]string{}
			if tc.override != "" {
				locations[tc.entity] = tc.override
			}
			source, err := endpoint.NewHTTP(tls.Client(), nil, locations)
			if err != nil {
				t.Fatal(err)
			}
			source.AllowPrivate()
			got, err := source.SubordinateStatement(t.Context(), tc.entity, "https://x.example")
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("got %q, error %v; want %q", got, err, tc.want)
			}
		})
	}
	if asked {
		t.Error("a third host was asked")
	}
}

func TestNewHTTPSourceRefuses(t *testing.T) {
	for _, base := range []string{"ftp://x", "//x", "x", "http://", "http://u@x", "http://x?y", "http://x#y"} {
		if _, err := endpoint.NewHTTP(nil, nil, map[trust.EntityID]string{nodeID: base}); err == nil {
			t.Errorf("%q was accepted", base)
		}
		if _, err := endpoint.NewHTTP(nil, []trust.Anchor{{EntityID: anchorID, Location: base}}, nil); err == nil {
			t.Errorf("%q was accepted as an anchor's", base)
		}
	}
}
