package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/requester"
)

// TestGuard: one fault each in what surrounds a body.
func TestGuard(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	to := func(method, path string) func(*http.Request) {
		return func(r *http.Request) { *r = *newRequest(method, path, "") }
	}
	for name, c := range map[string]struct {
		edit   func(*http.Request)
		status int
		code   protocol.Code
		header [2]string
	}{
		"host-name":       {edit: host("node.example"), status: 421, code: protocol.CodeForeign},
		"host-rebound":    {edit: host("127.0.0.1.evil.example:8440"), status: 421, code: protocol.CodeForeign},
		"host-lan":        {edit: host("192.168.1.4:8440"), status: 421, code: protocol.CodeForeign},
		"host-any":        {edit: host("0.0.0.0:8440"), status: 421, code: protocol.CodeForeign},
		"host-empty":      {edit: host(""), status: 421, code: protocol.CodeForeign},
		"host-sub":        {edit: host("evil.localhost"), status: 421, code: protocol.CodeForeign},
		"origin":          {edit: set("Origin", "https://evil.example"), status: 403, code: protocol.CodeForeign},
		"origin-null":     {edit: set("Origin", "null"), status: 403, code: protocol.CodeForeign},
		"origin-empty":    {edit: set("Origin", ""), status: 403, code: protocol.CodeForeign},
		"origin-same":     {edit: set("Origin", "http://127.0.0.1:8440"), status: 403, code: protocol.CodeForeign},
		"preflight":       {edit: func(r *http.Request) { r.Method = "OPTIONS"; r.Header.Set("Origin", "https://evil.example") }, status: 403, code: protocol.CodeForeign},
		"no-token":        {edit: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: protocol.CodeUnauthenticated, header: [2]string{"WWW-Authenticate", "Bearer"}},
		"bad-token":       {edit: set("Authorization", "Bearer x"+token), status: 401, code: protocol.CodeUnauthenticated, header: [2]string{"WWW-Authenticate", "Bearer"}},
		"empty-token":     {edit: set("Authorization", "Bearer "), status: 401, code: protocol.CodeUnauthenticated},
		"basic":           {edit: set("Authorization", "Basic "+token), status: 401, code: protocol.CodeUnauthenticated},
		"bare-token":      {edit: set("Authorization", token), status: 401, code: protocol.CodeUnauthenticated},
		"two-tokens":      {edit: func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+token) }, status: 401, code: protocol.CodeUnauthenticated},
		"query-token":     {edit: func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "access_token=" + token }, status: 401, code: protocol.CodeUnauthenticated},
		"query":           {edit: func(r *http.Request) { r.URL.RawQuery = "x=1" }, status: 422, code: protocol.CodeRequest},
		"no-media":        {edit: func(r *http.Request) { r.Header.Del("Content-Type") }, status: 415, code: protocol.CodeMediaType},
		"form":            {edit: set("Content-Type", "text/plain"), status: 415, code: protocol.CodeMediaType},
		"suffix":          {edit: set("Content-Type", "application/x+json"), status: 415, code: protocol.CodeMediaType},
		"announced-large": {edit: func(r *http.Request) { r.ContentLength = 2<<20 + 1 }, status: 413, code: protocol.CodeTooLarge},
		"no-body":         {edit: func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }, status: 422, code: protocol.CodeRequest},
		"short-key":       {edit: set("Idempotency-Key", "1234567"), status: 422, code: protocol.CodeRequest},
		"long-key":        {edit: set("Idempotency-Key", strings.Repeat("k", 129)), status: 422, code: protocol.CodeRequest},
		"odd-key":         {edit: set("Idempotency-Key", "with space"), status: 422, code: protocol.CodeRequest},
		"two-keys":        {edit: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"12345678", "87654321"} }, status: 422, code: protocol.CodeRequest},
		"unknown-path":    {edit: to("GET", "/v1/people"), status: 404, code: protocol.CodeNotFound},
		"root":            {edit: to("GET", "/"), status: 404, code: protocol.CodeNotFound},
		"slash":           {edit: to("GET", "/v1/status/"), status: 404, code: protocol.CodeNotFound},
		"unclean":         {edit: to("GET", "//v1/status"), status: 404, code: protocol.CodeNotFound},
		"dots":            {edit: to("GET", "/v1/../v1/status"), status: 404, code: protocol.CodeNotFound},
		"escaped":         {edit: to("GET", "/v1%2Fstatus"), status: 404, code: protocol.CodeNotFound},
		"docs":            {edit: to("GET", "/docs"), status: 404, code: protocol.CodeNotFound},
		"schemas":         {edit: to("GET", "/schemas/Problem.json"), status: 404, code: protocol.CodeNotFound},
		"yaml":            {edit: to("GET", "/openapi.yaml"), status: 404, code: protocol.CodeNotFound},
		"method":          {edit: to("GET", "/v1/verifications"), status: 405, code: protocol.CodeMethod, header: [2]string{"Allow", "POST"}},
		"delete":          {edit: to("DELETE", "/v1/status"), status: 405, code: protocol.CodeMethod, header: [2]string{"Allow", "GET"}},
		"status-body":     {edit: func(r *http.Request) { *r = *newRequest("GET", "/v1/status", "{}") }, status: 422, code: protocol.CodeRequest},
		"ledger-body":     {edit: func(r *http.Request) { *r = *newRequest("POST", "/v1/ledger/verifications", "{}") }, status: 422, code: protocol.CodeRequest},
	} {
		t.Run(name, func(t *testing.T) {
			n := &fake{}
			r := newRequest("POST", "/v1/verifications", asking)
			c.edit(r)
			res, body := send(t, api.Handler(n), r)
			if res.StatusCode != c.status || body["code"] != string(c.code) {
				t.Errorf("got %d %v, want %d %s", res.StatusCode, body["code"], c.status, c.code)
			}
			if c.header[0] != "" && res.Header.Get(c.header[0]) != c.header[1] {
				t.Errorf("%s is %q, want %q", c.header[0], res.Header.Get(c.header[0]), c.header[1])
			}
			if n.asked != 0 {
				t.Error("the node was asked")
			}
		})
	}
}

func TestLoopbackNames(t *testing.T) {
	for _, host := range []string{"localhost", "LOCALHOST:8440", "127.0.0.1", "127.8.9.1:1", "[::1]", "[::1]:8440", "[::ffff:127.0.0.1]:8440"} {
		r := newRequest("GET", "/v1/status", "")
		r.Host = host
		if res, _ := send(t, api.Handler(&fake{}), r); res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", host, res.StatusCode)
		}
	}
}

// TestPublic: these three need no token, and nothing else answers without one.
func TestPublic(t *testing.T) {
	public := map[string]bool{"GET /livez": true, "GET /readyz": true, "GET /openapi.json": true}
	for _, op := range operations(t) {
		r := newRequest(op.method, op.path, "")
		r.Header.Del("Authorization")
		res, _ := send(t, api.Handler(&fake{}), r)
		if (res.StatusCode == http.StatusUnauthorized) == public[op.method+" "+op.path] {
			t.Errorf("%s %s without a token: status %d", op.method, op.path, res.StatusCode)
		}
	}
}

// TestRoles: each token opens its own addresses, and the other's is known and refused.
func TestRoles(t *testing.T) {
	type want struct{ officer, operator int }
	for path, c := range map[string]struct {
		method, body string
		want
	}{
		"/v1/verifications":        {"POST", asking, want{200, 403}},
		"/v1/enrolments":           {"POST", enrolling, want{403, 200}},
		"/v1/ledger/verifications": {"POST", "", want{403, 200}},
		"/v1/gallery/check":        {"POST", "", want{403, 200}},
		"/v1/status":               {"GET", "", want{200, 200}},
	} {
		for bearer, status := range map[string]int{token: c.officer, operators: c.operator, "": 401, "x": 401} {
			n := &fake{}
			r := newRequest(c.method, path, c.body)
			r.Header.Set("Authorization", "Bearer "+bearer)
			res, body := send(t, api.Handler(n), r)
			if res.StatusCode != status || status != 200 && body["code"] != "TMG-API-0002" {
				t.Errorf("%s with %q: %d %v, want %d", path, bearer, res.StatusCode, body["code"], status)
			}
			if detail, _ := body["detail"].(string); status == 403 && !strings.Contains(detail, "-token file") {
				t.Errorf("%s: the problem does not say which token it takes: %q", path, detail)
			}
			if status != 200 && (n.asked != 0 || n.enroled != 0) {
				t.Errorf("%s with %q: the node was asked", path, bearer)
			}
		}
	}
}

// TestProof: a challenge of 32 bytes is answered, on /livez alone and without a token.
func TestProof(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	challenge := bytes.Repeat([]byte{0xfb}, 32)
	for name, c := range map[string]struct {
		path   string
		values []string
		status int
	}{
		"good":         {"/livez", []string{encode(challenge)}, 200},
		"none":         {"/livez", nil, 200},
		"elsewhere":    {"/readyz", []string{encode(challenge)}, 200},
		"empty":        {"/livez", []string{""}, 422},
		"short":        {"/livez", []string{encode(challenge[1:])}, 422},
		"long":         {"/livez", []string{encode(append(challenge, 0))}, 422},
		"padded":       {"/livez", []string{encode(challenge) + "="}, 422},
		"broken":       {"/livez", []string{encode(challenge) + "\n"}, 422},
		"standard":     {"/livez", []string{base64.RawStdEncoding.EncodeToString(challenge)}, 422},
		"trailing-bit": {"/livez", []string{strings.Repeat("_", 43)}, 422},
		"two":          {"/livez", []string{encode(challenge), encode(challenge)}, 422},
	} {
		r := newRequest("GET", c.path, "")
		r.Header.Del("Authorization")
		if c.values != nil {
			r.Header["Tamga-Challenge"] = c.values
		}
		res, body := send(t, api.Handler(&fake{status: node.Status{Members: []node.MemberStatus{{}}}}), r)
		if res.StatusCode != c.status {
			t.Errorf("%s: %d %v, want %d", name, res.StatusCode, body, c.status)
		}
		want := []string{"", ""}
		if name == "good" {
			want = []string{encode(append([]byte("api proof of "), challenge...)), encode(append([]byte("enrol proof of "), challenge...))}
		}
		if got := []string{res.Header.Get("Tamga-Proof"), res.Header.Get("Tamga-Enrol-Proof")}; !slices.Equal(got, want) {
			t.Errorf("%s: proofs %q, want %q", name, got, want)
		}
	}
}

// TestMediaType: parameters of the media type and other Accept headers do no harm.
func TestMediaType(t *testing.T) {
	r := newRequest("POST", "/v1/verifications", asking)
	r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
	r.Header.Set("Accept", "application/cbor, json")
	res, _ := send(t, api.Handler(&fake{}), r)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, Content-Type %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

// TestUnannouncedLength: a body of unknown length is read to the limit.
func TestUnannouncedLength(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"fits":  {asking, 200},
		"large": {`{"consent":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
	} {
		r := newRequest("POST", "/v1/verifications", c.body)
		r.ContentLength = -1
		if res, _ := send(t, api.Handler(&fake{}), r); res.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, c.status)
		}
	}
}

// TestOverload: when the bodies in hand reach their bound, the next is told so at
// once, and there is room again afterwards.
func TestOverload(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		started <- struct{}{}
		<-release
		return requester.Result{}, nil
	}}
	h := api.Handler(n)
	large := func() *http.Request {
		r := newRequest("POST", "/v1/verifications", asking)
		r.ContentLength = -1 // counts as the most it may become, 2 MiB
		return r
	}
	const room = guard.MaxBodies / (2 << 20)
	done := make(chan int, room)
	for range room {
		go func() {
			res, _ := send(t, h, large())
			done <- res.StatusCode
		}()
		<-started
	}
	res, body := send(t, h, large())
	if res.StatusCode != http.StatusServiceUnavailable || body["code"] != "TMG-LIM-0001" || res.Header.Get("Retry-After") != "1" {
		t.Errorf("status %d, code %v", res.StatusCode, body["code"])
	}
	if res, _ := send(t, h, newRequest("GET", "/v1/status", "")); res.StatusCode != http.StatusOK {
		t.Errorf("status of the node: %d", res.StatusCode)
	}
	close(release)
	for range room {
		if got := <-done; got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	}
	go func() { <-started }()
	if res, _ := send(t, h, large()); res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: status %d", res.StatusCode)
	}
}
