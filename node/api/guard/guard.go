// Package guard is the way into the API: it authenticates, and bounds size, shape and
// time, before an operation sees a request.
package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/internal/loopback"
)

const (
	// BodyTimeout is for the whole body: callers are on this machine.
	BodyTimeout = 15 * time.Second
	// MaxBodies bounds the bytes of all bodies that are being worked on. A body
	// counts with its announced length, and with no less than minBody.
	MaxBodies = 64 << 20
	minBody   = 64 << 10
)

// Route is one address of the API. Paths are exact; no operation takes a query.
type Route struct {
	Method, Path string
	Who          Role
	Challenge    bool   // answers Tamga-Challenge
	Content      string // media type of the body; empty when there is none
	MaxBody      int64
	Idempotent   bool          // honours Idempotency-Key
	Options      []string      // further headers that the operation reads
	Timeout      time.Duration // for the response; 0 is the server's
}

// Role says whose token opens an address.
type Role uint8

const (
	Officer  Role = iota // the API token: a system of officers, which may ask about people
	Operator             // the enrol token: who fills the gallery, and audits
	Local                // either token
	Anyone               // no token
)

// Guard is the way in: what it lets through has been authenticated, is of bounded
// size and shape, and carries no header or query that it did not understand.
type Guard struct {
	// Immutable after New.
	cfg    Config
	room   *semaphore.Weighted
	memory *memory
}

// Tokens says which secrets are the node's. Every method is safe for concurrent use.
type Tokens interface {
	// CheckToken compares with the API token, with which systems of officers ask, in
	// constant time.
	CheckToken(token string) bool
	// CheckEnrolToken compares with the enrol token, which is the operator's, in
	// constant time.
	CheckEnrolToken(token string) bool
}

// Config is what a Guard is made of; every field is required.
type Config struct {
	Tokens   Tokens
	Routes   []Route
	Next     http.Handler    // serves them
	Document []byte          // what is served at [DocumentPath]
	Known    map[string]bool // member names that request bodies may have
	Now      func() time.Time
}

// DocumentPath is where the OpenAPI document is.
const DocumentPath = "/openapi.json"

// New returns a Guard.
func New(c Config) *Guard {
	return &Guard{cfg: c, room: semaphore.NewWeighted(MaxBodies), memory: newMemory()}
}

// ServeHTTP settles everything that needs no operation.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	language := problem.Language(r.Header.Values(acceptLanguage))
	w.Header().Set("Vary", acceptLanguage)
	rt, p := g.admit(w, r)
	if p != nil {
		// Whatever body there is has not been read and will not be.
		w.Header().Set("Connection", "close")
		p.In(language).Write(w)
		return
	}
	if rt.Path == DocumentPath {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(g.cfg.Document)
		return
	}
	size := min(max(r.ContentLength, minBody), rt.MaxBody)
	if r.ContentLength < 0 {
		size = rt.MaxBody
	}
	if !g.room.TryAcquire(size) {
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close")
		problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded, "").In(language).Write(w)
		return
	}
	defer g.room.Release(size)
	body, p := g.read(w, r, rt)
	defer clear(body)
	if p != nil {
		p.In(language).Write(w)
		return
	}
	inner := request(r, rt, body)
	inner.Header.Set(acceptLanguage, language)
	if key := inner.Header.Get(IdempotencyKey); key != "" {
		g.memory.serve(w, inner, body, rt.Options, g.cfg.Next, g.cfg.Now())
		return
	}
	g.cfg.Next.ServeHTTP(w, inner)
}

// admit checks the head of a request, cheapest and least telling first.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request) (Route, *problem.Problem) {
	if !loopback.Host(r.Host) {
		return Route{}, problem.New(http.StatusMisdirectedRequest, protocol.CodeForeign,
			"The Host header must be localhost or a loopback address: this API answers on this machine only.")
	}
	if _, ok := r.Header["Origin"]; ok {
		return Route{}, problem.New(http.StatusForbidden, protocol.CodeForeign,
			"The request carries an Origin header: web pages of other origins may not call this API.")
	}
	rt, p := g.route(w, r)
	if p != nil {
		return Route{}, p
	}
	if p := g.authorise(w, r, rt.Who); p != nil {
		return Route{}, p
	}
	if r.URL.RawQuery != "" {
		return Route{}, problem.Invalid("", "takes no query parameters")
	}
	if values, ok := r.Header[ChallengeHeader]; ok && rt.Challenge && (len(values) != 1 || DecodeChallenge(values[0]) == nil) {
		return Route{}, problem.Invalid("", "header "+ChallengeHeader+" must be one value of 32 bytes in base64url without padding")
	}
	if rt.Content == "" {
		if r.ContentLength != 0 {
			return Route{}, problem.Invalid("", "takes no body")
		}
		return rt, nil
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), rt.Content) {
		return Route{}, problem.New(http.StatusUnsupportedMediaType, protocol.CodeMediaType, "The Content-Type must be "+rt.Content+".")
	}
	if r.ContentLength > rt.MaxBody {
		return Route{}, TooLarge(rt)
	}
	if keys, ok := r.Header[IdempotencyKey]; ok && rt.Idempotent && (len(keys) != 1 || !validKey(keys[0])) {
		return Route{}, problem.Invalid("", "header "+IdempotencyKey+" must be one value of 8 to 128 visible ASCII characters")
	}
	for _, name := range rt.Options {
		if values, ok := r.Header[name]; ok && (len(values) != 1 || len(values[0]) > maxOption) {
			return Route{}, problem.Invalid("", "header "+name+" must be one short value")
		}
	}
	return rt, nil
}

// maxOption bounds the value of an option's header.
const maxOption = 64

// route finds the address. It compares the path as it was sent: nothing is cleaned,
// so nothing is redirected.
func (g *Guard) route(w http.ResponseWriter, r *http.Request) (Route, *problem.Problem) {
	allowed := ""
	for _, rt := range g.cfg.Routes {
		if rt.Path != r.URL.EscapedPath() {
			continue
		}
		if rt.Method == r.Method {
			return rt, nil
		}
		allowed = rt.Method
	}
	if allowed == "" {
		return Route{}, problem.New(http.StatusNotFound, protocol.CodeNotFound, "")
	}
	w.Header().Set("Allow", allowed)
	return Route{}, problem.New(http.StatusMethodNotAllowed, protocol.CodeMethod, "This address takes "+allowed+" only.")
}

// authorise demands the token of a role. A token of the other role is known and has
// no right here, which is another problem than none.
func (g *Guard) authorise(w http.ResponseWriter, r *http.Request, who Role) *problem.Problem {
	if who == Anyone {
		return nil
	}
	asks, enrols := g.tokens(r.Header["Authorization"])
	switch {
	case !asks && !enrols:
		w.Header().Set("WWW-Authenticate", "Bearer")
		return problem.New(http.StatusUnauthorized, protocol.CodeUnauthenticated, "")
	case who == Operator && !enrols, who == Officer && !asks:
		return Forbidden(who)
	}
	return nil
}

// Forbidden is the problem of a token of the other role.
func Forbidden(who Role) *problem.Problem {
	detail := "This address takes the API token, of the api-token file: the operator's enrol token may not ask about people."
	if who == Operator {
		detail = "This address takes the operator's token, of the enrol-token file: the API token may only ask."
	}
	return problem.New(http.StatusForbidden, protocol.CodeUnauthenticated, detail)
}

// tokens says which of the node's two tokens a request carries.
func (g *Guard) tokens(values []string) (api, enrol bool) {
	if len(values) != 1 {
		return false, false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if token = strings.TrimSpace(token); !ok || token == "" || !strings.EqualFold(scheme, "Bearer") {
		return false, false
	}
	return g.cfg.Tokens.CheckToken(token), g.cfg.Tokens.CheckEnrolToken(token)
}

// read reads the whole body, so that a slow caller holds no operation up, and scans
// it when it is JSON.
func (g *Guard) read(w http.ResponseWriter, r *http.Request, rt Route) ([]byte, *problem.Problem) {
	rc := http.NewResponseController(w)
	if rt.Timeout > 0 {
		_ = rc.SetWriteDeadline(time.Now().Add(rt.Timeout))
	}
	if rt.Content == "" {
		return nil, nil
	}
	// The deadlines are those of the connection, hence of the wall clock. Errors mean
	// that there are none, as in tests without a connection. net/http lifts this one
	// at the end of the body.
	_ = rc.SetReadDeadline(time.Now().Add(BodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rt.MaxBody))
	if err != nil {
		w.Header().Set("Connection", "close")
		clear(body)
		return nil, unread(err, rt)
	}
	if len(body) == 0 {
		return nil, problem.Invalid("", "must have a body")
	}
	if rt.Content == "application/json" {
		if v := problem.Scan(body, func(name string) bool { return g.cfg.Known[name] }); v != nil {
			return body, problem.Invalid(v.Pointer, v.Rule)
		}
	}
	return body, nil
}

func unread(err error, rt Route) *problem.Problem {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return TooLarge(rt)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return problem.New(http.StatusRequestTimeout, protocol.CodeNotInTime, "The body did not arrive in time.")
	}
	return problem.New(http.StatusBadRequest, protocol.CodeNotInTime, "The body could not be read.")
}

// TooLarge is the problem of a body over the limit of its address.
func TooLarge(rt Route) *problem.Problem {
	return problem.New(http.StatusRequestEntityTooLarge, protocol.CodeTooLarge,
		"The body is larger than "+strconv.FormatInt(rt.MaxBody, 10)+" bytes.")
}

// request is what the operation sees: nothing but what was checked. Its context is
// the caller's, so an operation ends when the caller goes away; with an
// Idempotency-Key [memory.serve] lets it finish.
func request(r *http.Request, rt Route, body []byte) *http.Request {
	h := http.Header{}
	if rt.Content != "" {
		h.Set("Content-Type", rt.Content)
	}
	if rt.Idempotent && r.Header.Get(IdempotencyKey) != "" {
		h.Set(IdempotencyKey, r.Header.Get(IdempotencyKey))
	}
	for _, name := range rt.Options {
		if values, ok := r.Header[name]; ok {
			h[name] = values
		}
	}
	if rt.Challenge && r.Header.Get(ChallengeHeader) != "" {
		h.Set(ChallengeHeader, r.Header.Get(ChallengeHeader))
	}
	inner := &http.Request{
		Method: rt.Method, URL: &url.URL{Path: rt.Path}, Header: h, Host: "localhost",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	return inner.WithContext(r.Context())
}

// acceptLanguage says in which language the registry's sentences are wanted. Operations are told which it is, and nothing else.
const acceptLanguage = "Accept-Language"

// ChallengeHeader carries a challenge, in the spelling of net/http.
const ChallengeHeader = "Tamga-Challenge"

// DecodeChallenge returns the bytes of a challenge, nil for any other text. One length
// only, so that a proof can be of nothing else.
func DecodeChallenge(text string) []byte {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return nil
	}
	return b
}
