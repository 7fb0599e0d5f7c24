package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tamga-id/tamga/federation/protocol"
)

// Limits before work.
const (
	maxVerificationBody = 2 << 20   // ten probes of 64 KiB in base64 and a consent need less than half
	maxEnrolmentBody    = 16 << 20  // the manifest lines of one call
	maxBackupBody       = 128 << 10 // 32 recipients; a post-quantum one has 2 KiB
	// bodyTimeout is for the whole body: callers are on this machine.
	bodyTimeout = 15 * time.Second
	// maxBodies bounds the bytes of all bodies that are being worked on. A body
	// counts with its announced length, and with no less than minBody.
	maxBodies = 64 << 20
	minBody   = 64 << 10
)

// route is one address of the API. Paths are exact; no operation takes a query.
type route struct {
	method, path string
	who          role
	challenge    bool   // answers Tamga-Challenge
	content      string // media type of the body; empty when there is none
	maxBody      int64
	idempotent   bool          // honours Idempotency-Key
	options      []string      // further headers that the operation reads
	timeout      time.Duration // for the response; 0 is the server's
}

// role says whose token opens an address.
type role uint8

const (
	officer  role = iota // the API token: a system of officers, which may ask about people
	operator             // the enrol token: who fills the gallery, and audits
	local                // either token
	anyone               // no token
)

func routes() []route {
	return []route{
		{method: "POST", path: "/v1/verifications", content: "application/json", maxBody: maxVerificationBody, idempotent: true},
		{method: "POST", path: "/v1/enrolments", content: "application/x-ndjson", who: operator, maxBody: maxEnrolmentBody, idempotent: true,
			options: enrolmentOptions()},
		// Every subject is looked at.
		{method: "POST", path: "/v1/enrolments/undo", content: "application/json", who: operator, maxBody: 1 << 10, timeout: 15 * time.Minute},
		// Every row is read three times.
		{method: "POST", path: "/v1/gallery/copy", content: "application/json", who: operator, maxBody: 8 << 10, timeout: 12 * time.Hour},
		{method: "POST", path: "/v1/subjects/erase", content: "application/json", who: operator, maxBody: 1 << 10},
		{method: "POST", path: renewalPath, who: operator},
		{method: "GET", path: renewalPath, who: operator},
		{method: "POST", path: keysPath, who: operator},
		{method: "GET", path: keysPath, who: operator},
		{method: "POST", path: checkPath, who: operator},
		{method: "GET", path: checkPath, who: operator},
		// A long ledger takes minutes to recompute, and more than a server's usual
		// time to answer.
		{method: "POST", path: "/v1/ledger/verifications", who: operator, timeout: 15 * time.Minute},
		// As long as the slowest disk that it is written to takes.
		{method: "POST", path: "/v1/backups", content: "application/json", who: operator, maxBody: maxBackupBody, timeout: 12 * time.Hour},
		{method: "POST", path: "/v1/escrows", content: "application/json", who: operator, maxBody: maxBackupBody},
		{method: "GET", path: "/v1/status", who: local},
		{method: "GET", path: "/v1/peers", who: local},
		// Sixteen addresses that do not answer, and half a dozen exchanges.
		{method: "POST", path: "/v1/peers/test", content: "application/json", who: operator, maxBody: 8 << 10, timeout: 5 * time.Minute},
		{method: "POST", path: "/v1/peers/pause", content: "application/json", who: operator, maxBody: 8 << 10},
		{method: "POST", path: "/v1/peers/resume", content: "application/json", who: operator, maxBody: 8 << 10},
		// As many fetches as a chain may cost.
		{method: "POST", path: "/v1/trust/explanations", content: "application/json", who: operator, maxBody: 8 << 10, timeout: 5 * time.Minute},
		{method: "GET", path: "/livez", who: anyone, challenge: true},
		{method: "GET", path: "/readyz", who: anyone},
		{method: "GET", path: documentPath, who: anyone},
	}
}

// guard is the way in: what it lets through has been authenticated, is of bounded
// size and shape, and carries no header or query that it did not understand.
type guard struct {
	// Immutable after newGuard.
	node     Node
	next     http.Handler
	routes   []route
	document []byte
	known    map[string]bool // member names of request bodies
	now      func() time.Time
	room     *semaphore.Weighted
	memory   *memory
}

func newGuard(n Node, now func() time.Time) *guard {
	next, api := build(n, now)
	doc, known := export(api)
	return &guard{node: n, next: next, routes: routes(), document: doc, known: known, now: now,
		room: semaphore.NewWeighted(maxBodies), memory: newMemory()}
}

// ServeHTTP settles everything that needs no operation.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	rt, p := g.admit(w, r)
	if p != nil {
		// Whatever body there is has not been read and will not be.
		w.Header().Set("Connection", "close")
		p.write(w)
		return
	}
	if rt.path == documentPath {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(g.document)
		return
	}
	size := min(max(r.ContentLength, minBody), rt.maxBody)
	if r.ContentLength < 0 {
		size = rt.maxBody
	}
	if !g.room.TryAcquire(size) {
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close")
		newProblem(http.StatusServiceUnavailable, protocol.CodeOverloaded, "").write(w)
		return
	}
	defer g.room.Release(size)
	body, p := g.read(w, r, rt)
	defer clear(body)
	if p != nil {
		p.write(w)
		return
	}
	inner := request(r, rt, body)
	if key := inner.Header.Get(idempotencyKey); key != "" {
		g.memory.serve(w, inner, body, rt.options, g.next, g.now())
		return
	}
	g.next.ServeHTTP(w, inner)
}

// admit checks the head of a request, cheapest and least telling first.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) (route, *problem) {
	if !loopback(r.Host) {
		return route{}, newProblem(http.StatusMisdirectedRequest, protocol.CodeForeign,
			"The Host header must be localhost or a loopback address: this API answers on this machine only.")
	}
	if _, ok := r.Header["Origin"]; ok {
		return route{}, newProblem(http.StatusForbidden, protocol.CodeForeign,
			"The request carries an Origin header: web pages of other origins may not call this API.")
	}
	rt, p := g.route(w, r)
	if p != nil {
		return route{}, p
	}
	if p := g.authorise(w, r, rt.who); p != nil {
		return route{}, p
	}
	if r.URL.RawQuery != "" {
		return route{}, invalid("", "takes no query parameters")
	}
	if values, ok := r.Header[challengeHeader]; ok && rt.challenge && (len(values) != 1 || decodeChallenge(values[0]) == nil) {
		return route{}, invalid("", "header "+challengeHeader+" must be one value of 32 bytes in base64url without padding")
	}
	if rt.content == "" {
		if r.ContentLength != 0 {
			return route{}, invalid("", "takes no body")
		}
		return rt, nil
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), rt.content) {
		return route{}, newProblem(http.StatusUnsupportedMediaType, protocol.CodeMediaType, "The Content-Type must be "+rt.content+".")
	}
	if r.ContentLength > rt.maxBody {
		return route{}, tooLarge(rt)
	}
	if keys, ok := r.Header[idempotencyKey]; ok && rt.idempotent && (len(keys) != 1 || !validKey(keys[0])) {
		return route{}, invalid("", "header "+idempotencyKey+" must be one value of 8 to 128 visible ASCII characters")
	}
	for _, name := range rt.options {
		if values, ok := r.Header[name]; ok && (len(values) != 1 || len(values[0]) > maxOption) {
			return route{}, invalid("", "header "+name+" must be one short value")
		}
	}
	return rt, nil
}

// maxOption bounds the value of an option's header.
const maxOption = 64

// route finds the address. It compares the path as it was sent: nothing is cleaned,
// so nothing is redirected.
func (g *guard) route(w http.ResponseWriter, r *http.Request) (route, *problem) {
	allowed := ""
	for _, rt := range g.routes {
		if rt.path != r.URL.EscapedPath() {
			continue
		}
		if rt.method == r.Method {
			return rt, nil
		}
		allowed = rt.method
	}
	if allowed == "" {
		return route{}, newProblem(http.StatusNotFound, protocol.CodeNotFound, "")
	}
	w.Header().Set("Allow", allowed)
	return route{}, newProblem(http.StatusMethodNotAllowed, protocol.CodeMethod, "This address takes "+allowed+" only.")
}

// authorise demands the token of a role. A token of the other role is known and has
// no right here, which is another problem than none.
func (g *guard) authorise(w http.ResponseWriter, r *http.Request, who role) *problem {
	if who == anyone {
		return nil
	}
	asks, enrols := g.tokens(r.Header["Authorization"])
	switch {
	case !asks && !enrols:
		w.Header().Set("WWW-Authenticate", "Bearer")
		return newProblem(http.StatusUnauthorized, protocol.CodeUnauthenticated, "")
	case who == operator && !enrols, who == officer && !asks:
		return forbidden(who)
	}
	return nil
}

func forbidden(who role) *problem {
	detail := "This address takes the API token, of the api-token file: the operator's enrol token may not ask about people."
	if who == operator {
		detail = "This address takes the operator's token, of the enrol-token file: the API token may only ask."
	}
	return newProblem(http.StatusForbidden, protocol.CodeUnauthenticated, detail)
}

// tokens says which of the node's two tokens a request carries.
func (g *guard) tokens(values []string) (api, enrol bool) {
	if len(values) != 1 {
		return false, false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if token = strings.TrimSpace(token); !ok || token == "" || !strings.EqualFold(scheme, "Bearer") {
		return false, false
	}
	return g.node.CheckToken(token), g.node.CheckEnrolToken(token)
}

// read reads the whole body, so that a slow caller holds no operation up, and scans
// it when it is JSON.
func (g *guard) read(w http.ResponseWriter, r *http.Request, rt route) ([]byte, *problem) {
	rc := http.NewResponseController(w)
	if rt.timeout > 0 {
		_ = rc.SetWriteDeadline(time.Now().Add(rt.timeout))
	}
	if rt.content == "" {
		return nil, nil
	}
	// The deadlines are those of the connection, hence of the wall clock. Errors mean
	// that there are none, as in tests without a connection. net/http lifts this one
	// at the end of the body.
	_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rt.maxBody))
	if err != nil {
		w.Header().Set("Connection", "close")
		clear(body)
		return nil, unread(err, rt)
	}
	if len(body) == 0 {
		return nil, invalid("", "must have a body")
	}
	if rt.content == "application/json" {
		if v := scan(body, func(name string) bool { return g.known[name] }); v != nil {
			return body, invalid(v.Pointer, v.Rule)
		}
	}
	return body, nil
}

func unread(err error, rt route) *problem {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(rt)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return newProblem(http.StatusRequestTimeout, protocol.CodeNotInTime, "The body did not arrive in time.")
	}
	return newProblem(http.StatusBadRequest, protocol.CodeNotInTime, "The body could not be read.")
}

func tooLarge(rt route) *problem {
	return newProblem(http.StatusRequestEntityTooLarge, protocol.CodeTooLarge,
		"The body is larger than "+strconv.FormatInt(rt.maxBody, 10)+" bytes.")
}

// request is what the operation sees: nothing but what was checked. Its context is
// the caller's, so an operation ends when the caller goes away; with an
// Idempotency-Key [memory.serve] lets it finish.
func request(r *http.Request, rt route, body []byte) *http.Request {
	h := http.Header{}
	if rt.content != "" {
		h.Set("Content-Type", rt.content)
	}
	if rt.idempotent && r.Header.Get(idempotencyKey) != "" {
		h.Set(idempotencyKey, r.Header.Get(idempotencyKey))
	}
	for _, name := range rt.options {
		if values, ok := r.Header[name]; ok {
			h[name] = values
		}
	}
	if rt.challenge && r.Header.Get(challengeHeader) != "" {
		h.Set(challengeHeader, r.Header.Get(challengeHeader))
	}
	inner := &http.Request{
		Method: rt.method, URL: &url.URL{Path: rt.path}, Header: h, Host: "localhost",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	return inner.WithContext(r.Context())
}

// loopback reports whether a Host header names this machine. Any other name may
// have been made to resolve here by a page that wants to be of our origin.
func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}
