package trust

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	pathFetch   = "/fetch"
	pathList    = "/list"
	pathResolve = "/resolve"

	// responseLife is how long one resolve response is handed out again. With
	// selection it bounds the signatures that unauthenticated requests can cause.
	responseLife = 30 * time.Second
)

// Handler serves /.well-known/openid-federation, /fetch, /list and /resolve below
// the path of the Entity Identifier, or below / when that prefix is absent
// (OpenID Federation sections 8.1 to 8.3 and 9). Unknown parameters are ignored.
func (a *Authority) Handler() http.Handler {
	prefix := ""
	if u, err := url.Parse(string(a.cfg.EntityID)); err == nil {
		prefix = strings.TrimRight(u.Path, "/")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !onlyGet(w, r) {
			return
		}
		if err := a.Reload(); err != nil {
			writeError(w, http.StatusInternalServerError, errorServer)
			return
		}
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			writeError(w, http.StatusBadRequest, errorInvalidRequest)
			return
		}
		switch strings.TrimPrefix(r.URL.Path, prefix) {
		case wellKnownPath:
			a.publisher.ServeHTTP(w, r)
		case pathFetch:
			a.serveFetch(w, q)
		case pathList:
			a.serveList(w, q)
		case pathResolve:
			a.serveResolve(w, q)
		default:
			http.NotFound(w, r)
		}
	})
}

// subject reads the one sub parameter; fetching the authority itself is an error
// by section 8.1.2.
func (a *Authority) subject(q url.Values) (EntityID, bool) {
	if len(q["sub"]) != 1 {
		return "", false
	}
	id, err := ParseEntityID(q.Get("sub"))
	return id, err == nil && id != a.cfg.EntityID
}

func (a *Authority) serveFetch(w http.ResponseWriter, q url.Values) {
	id, ok := a.subject(q)
	if !ok {
		writeError(w, http.StatusBadRequest, errorInvalidRequest)
		return
	}
	a.mu.Lock()
	m := a.members[id]
	ok = m.active()
	a.mu.Unlock()
	if !ok {
		writeError(w, http.StatusNotFound, errorNotFound)
		return
	}
	token, err := a.vouch(m.Enrolment, a.cfg.Clock())
	if err != nil {
		writeError(w, http.StatusInternalServerError, errorServer)
		return
	}
	writeToken(w, contentStatement, token)
}

// vouch signs the Subordinate Statement that pins what was enrolled.
func (a *Authority) vouch(e Enrolment, now time.Time) (string, error) {
	none := 0
	return SignSubordinateStatement(a.cfg.Key, SubordinateStatement{
		Issuer: a.cfg.EntityID, Subject: e.Entity, IssuedAt: now, ExpiresAt: now.Add(e.Lifetime),
		Keys:     e.Keys,
		Metadata: Metadata{TamgaNode: &NodeMetadata{Jurisdiction: e.Jurisdiction, PeerID: e.PeerID}},
		// A node is a Leaf: whatever it states about others leads nowhere.
		MaxPathLength:  &none,
		SourceEndpoint: strings.TrimRight(string(a.cfg.EntityID), "/") + pathFetch,
	})
}

func (a *Authority) serveList(w http.ResponseWriter, q url.Values) {
	ids := a.active()
	if types := q["entity_type"]; ids == nil || (len(types) > 0 && !slices.Contains(types, typeNode)) {
		ids = []EntityID{}
	}
	writeJSON(w, http.StatusOK, ids)
}

func (a *Authority) serveResolve(w http.ResponseWriter, q url.Values) {
	id, ok := a.subject(q)
	anchors := q["trust_anchor"]
	if !ok || len(anchors) == 0 {
		writeError(w, http.StatusBadRequest, errorInvalidRequest)
		return
	}
	if !slices.Contains(anchors, string(a.cfg.EntityID)) {
		writeError(w, http.StatusNotFound, errorInvalidTrustAnchor)
		return
	}
	token, code := a.resolve(id, q["entity_type"])
	switch code {
	case "":
		writeToken(w, contentResolve, token)
	case errorNotFound:
		writeError(w, http.StatusNotFound, code)
	case errorInvalidTrustChain:
		writeError(w, http.StatusBadRequest, code)
	default:
		writeError(w, http.StatusInternalServerError, code)
	}
}

// response is what is answered about a member until its time ends: a token or an
// error code.
type response struct {
	token, code string
	until       time.Time
}

// selection reduces entity_type parameters to what they can select here: nothing
// asked is everything (nil); Entity Types that this federation does not know select
// nothing, and do not tell requests apart. There are therefore only five selections,
// whatever is asked.
func selection(asked []string) []string {
	if len(asked) == 0 {
		return nil
	}
	types := []string{}
	for _, t := range []string{typeFederation, typeNode} {
		if slices.Contains(asked, t) {
			types = append(types, t)
		}
	}
	return types
}

// resolve returns a resolve response about a member or the error code instead.
func (a *Authority) resolve(id EntityID, asked []string) (string, string) {
	now := a.cfg.Clock()
	types := selection(asked)
	key := "*"
	if types != nil {
		key = strings.Join(types, " ")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.members[id]
	if !m.active() {
		return "", errorNotFound
	}
	r, ok := m.responses[key]
	if !ok || !now.Before(r.until) {
		r = a.respond(m.Enrolment, types, now)
		if m.responses == nil {
			m.responses = map[string]response{}
		}
		m.responses[key] = r
	}
	return r.token, r.code
}

// respond makes a resolve response; an error is a response too, since finding it
// costs as many signatures.
func (a *Authority) respond(e Enrolment, types []string, now time.Time) response {
	r := response{until: now.Add(responseLife)}
	c, err := a.chain(e, now)
	if err != nil {
		// The stored configuration ran out: the node is a member that nobody can
		// verify at the moment.
		r.code = errorInvalidTrustChain
		return r
	}
	if c.ExpiresAt.Before(r.until) {
		r.until = c.ExpiresAt
	}
	if r.token, err = signResolve(a.cfg.Key, a.cfg.EntityID, c, types, now); err != nil {
		r.code = errorServer
	}
	return r
}

// chain builds and verifies the chain of a member as any node would.
func (a *Authority) chain(e Enrolment, now time.Time) (Chain, error) {
	own, err := a.publisher.Token()
	if err != nil {
		return Chain{}, err
	}
	link, err := a.vouch(e, now)
	if err != nil {
		return Chain{}, fmt.Errorf("vouching for a member: %w", err)
	}
	return VerifyChain([]string{e.Configuration, link, own}, []Anchor{a.Anchor()}, now)
}
