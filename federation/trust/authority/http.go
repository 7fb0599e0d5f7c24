package authority

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
)

// responseLife is how long one resolve response is handed out again. With
// selection it bounds the signatures that unauthenticated requests can cause.
const responseLife = 30 * time.Second

// Handler serves the authority's endpoints over HTTP.
func (a *Authority) Handler() http.Handler { return endpoint.Handler(a.cfg.EntityID, a.Answer) }

// Answer answers as the operations of section 8 ask, from memory and at most one stat
// of the folder. Unknown parameters are ignored.
func (a *Authority) Answer(r endpoint.Request) endpoint.Response {
	if err := a.Reload(); err != nil {
		return endpoint.Response{Code: endpoint.ServerError}
	}
	switch r.Operation {
	case endpoint.Configuration, endpoint.HistoricalKeys:
		return a.publisher.Answer(r)
	case endpoint.Fetch:
		return a.fetch(r)
	case endpoint.List:
		return a.list(r)
	case endpoint.Resolve:
		return a.resolveRequest(r)
	case endpoint.Mark:
		return a.answerMark(r)
	case endpoint.MarkList:
		return a.answerMarkList(r)
	case endpoint.MarkStatus:
		return a.answerMarkStatus(r)
	default:
		return endpoint.Response{Code: endpoint.NotFound}
	}
}

// fetch: asking for the authority itself is an error by section 8.1.2.
func (a *Authority) fetch(r endpoint.Request) endpoint.Response {
	id, ok := r.Subject()
	if !ok || id == a.cfg.EntityID {
		return endpoint.Response{Code: endpoint.InvalidRequest}
	}
	a.mu.Lock()
	m := a.members[id]
	a.mu.Unlock()
	if !m.active() {
		return endpoint.Response{Code: endpoint.NotFound}
	}
	token, err := a.vouch(m.Enrolment, a.cfg.Clock())
	if err != nil {
		return endpoint.Response{Code: endpoint.ServerError}
	}
	return endpoint.Response{Body: token}
}

// list filters by what was enrolled (section 8.2.1): entity_type, of which all given
// have to be there, intermediate, and trust_marked and trust_mark_type by the marks
// that the authority itself has issued.
func (a *Authority) list(r endpoint.Request) endpoint.Response {
	for _, name := range []string{"intermediate", "trust_marked"} {
		if v := r.Values.Get(name); v != "" && v != "true" && v != "false" {
			return endpoint.Response{Code: endpoint.InvalidRequest}
		}
	}
	kind := r.Values.Get("trust_mark_type")
	marked := map[trust.EntityID]bool{}
	for _, m := range a.Marks() {
		if (kind == "" || m.Type == kind) && m.active(a.cfg.Clock()) {
			marked[m.Subject] = true
		}
	}
	var ids []trust.EntityID
	for _, e := range a.List() {
		lacks := func(t string) bool { return !slices.Contains(e.types(), t) }
		if !e.Suspended.IsZero() || slices.ContainsFunc(r.Values["entity_type"], lacks) ||
			(r.Values.Get("intermediate") == "true" && len(e.Jurisdictions) == 0) ||
			((kind != "" || r.Values.Get("trust_marked") == "true") && !marked[e.Entity]) {
			continue
		}
		ids = append(ids, e.Entity)
	}
	return endpoint.Listed(ids)
}

// types are the Entity Types a member declares; enrolments of earlier releases were
// nodes and did not say so.
func (e Enrolment) types() []string {
	if e.EntityTypes == nil {
		return []string{trust.TypeNode}
	}
	return e.EntityTypes
}

func (a *Authority) resolveRequest(r endpoint.Request) endpoint.Response {
	id, ok := r.Subject()
	anchors := r.Values["trust_anchor"]
	if !ok || id == a.cfg.EntityID || len(anchors) == 0 {
		return endpoint.Response{Code: endpoint.InvalidRequest}
	}
	if !slices.Contains(anchors, string(a.cfg.EntityID)) {
		return endpoint.Response{Code: endpoint.InvalidTrustAnchor}
	}
	return a.resolve(id, r.Values["entity_type"])
}

// response is what is answered about a member until its time ends: a token or an
// error code.
type response struct {
	endpoint.Response
	until time.Time
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
	for _, t := range []string{trust.TypeFederation, trust.TypeNode} {
		if slices.Contains(asked, t) {
			types = append(types, t)
		}
	}
	return types
}

// resolve returns a resolve response about a member or the error code instead.
func (a *Authority) resolve(id trust.EntityID, asked []string) endpoint.Response {
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
		return endpoint.Response{Code: endpoint.NotFound}
	}
	r, ok := m.responses[key]
	if !ok || !now.Before(r.until) || r.until.Sub(now) > responseLife { // the clock was put back
		r = a.respond(m.Enrolment, types, now)
		if m.responses == nil {
			m.responses = map[string]response{}
		}
		m.responses[key] = r
	}
	return r.Response
}

// respond makes a resolve response; an error is a response too, since finding it
// costs as many signatures.
func (a *Authority) respond(e Enrolment, types []string, now time.Time) response {
	r := response{until: now.Add(responseLife)}
	c, err := a.chain(e, now)
	if err != nil {
		// The stored configuration ran out: the node is a member that nobody can
		// verify at the moment.
		r.Code = endpoint.InvalidTrustChain
		return r
	}
	if c.ExpiresAt.Before(r.until) {
		r.until = c.ExpiresAt
	}
	if r.Body, err = trust.SignResolve(a.cfg.Key, a.cfg.EntityID, c, types, now); err != nil {
		r.Code = endpoint.ServerError
	}
	return r
}

// chain builds and verifies the chain of a member as any node would.
func (a *Authority) chain(e Enrolment, now time.Time) (trust.Chain, error) {
	own, err := a.publisher.Token()
	if err != nil {
		return trust.Chain{}, err
	}
	link, err := a.vouch(e, now)
	if err != nil {
		return trust.Chain{}, fmt.Errorf("vouching for a member: %w", err)
	}
	return trust.VerifyChain([]string{e.Configuration, link, own}, []trust.Anchor{a.Anchor()}, now)
}
