package policy

import (
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// A counterpart that no law names. The country is of ISO 3166-1's user-assigned range, so it is nobody's.
const (
	someCountry = "XXZ"
	someEntity  = "https://counterpart.invalid"
)

// Purposes lists the purposes for which the law permits operation "verify" in the direction at the time, on some legal
// basis and with some counterpart: what an Entity Configuration advertises and a command line offers. The order is that
// of the vocabulary; the slice is the caller's. It is found by asking [Law.Decide], so it cannot disagree with it; that
// costs some thousand decisions, so call it once per law. An unknown direction or a zero Law gives nil.
//
// Listed does not mean allowed for everyone: a single request is decided by Decide alone.
func (l *Law) Purposes(direction string, at time.Time) []string {
	if l == nil || !slices.Contains(directions, direction) {
		return nil
	}
	var out []string
	for _, purpose := range purposes {
		if slices.ContainsFunc(legalBases, func(basis string) bool { return l.serves(direction, purpose, basis, at) }) {
			out = append(out, purpose)
		}
	}
	return out
}

// LegalBases lists the legal bases on which the law permits operation "verify" for some purpose, as [Law.Purposes] lists
// the purposes.
func (l *Law) LegalBases(direction string, at time.Time) []string {
	if l == nil || !slices.Contains(directions, direction) {
		return nil
	}
	var out []string
	for _, basis := range legalBases {
		if slices.ContainsFunc(purposes, func(purpose string) bool { return l.serves(direction, purpose, basis, at) }) {
			out = append(out, basis)
		}
	}
	return out
}

func (l *Law) serves(direction, purpose, basis string, at time.Time) bool {
	all := l.candidates[selector{direction, "verify", purpose, basis}]
	for _, r := range all {
		if r.permit && l.servesUnder(namedBy(r, all), Request{Direction: direction, Purpose: purpose, LegalBasis: basis, Operation: "verify", Time: at}) {
			return true
		}
	}
	return false
}

// servesUnder tries the counterparts that one permit could be about: those it names, and one it does not.
func (l *Law) servesUnder(named names, q Request) bool {
	for _, q.Requester = range named.ids {
		for _, q.Responder = range named.ids {
			for _, q.OfficerRole = range named.roles {
				for _, q.SubjectClass = range named.classes {
					for _, q.Assurance = range named.assurances {
						if l.servesAbroad(q, named) {
							return true
						}
					}
				}
			}
		}
	}
	return false
}

func (l *Law) servesAbroad(q Request, named names) bool {
	for _, country := range named.countries {
		q.RequesterCountry, q.ResponderCountry, q.PeerMarks = l.head.jurisdiction, country, nil
		if q.Direction == Answer {
			q.RequesterCountry, q.ResponderCountry = country, l.head.jurisdiction
		}
		if l.Decide(q).Allowed {
			return true
		}
		if q.PeerMarks = named.marks; len(named.marks) > 0 && l.Decide(q).Allowed {
			return true
		}
	}
	return false
}

// names are the words of one permit, and one of each kind that it does not name.
type names struct{ ids, countries, marks, roles, classes, assurances []string }

// namedBy collects the words of the permit, and roles, classes and assurances of every policy beside it too: a forbid may
// except one of them.
func namedBy(permit *rule, all ruleList) names {
	out := names{ids: []string{someEntity}, countries: []string{someCountry}}
	for _, r := range all {
		out.read(r, r == permit)
	}
	for k, list := range out.closed() {
		// Those that no policy names are all alike to it; unspecified is one of them, unless it is named.
		unnamed := slices.IndexFunc(k.words(), func(w string) bool { return !slices.Contains(*list, w) })
		if slices.Contains(*list, vocabulary.Unspecified) && unnamed >= 0 {
			*list = append(*list, k.words()[unnamed])
		}
		*list = append(*list, vocabulary.Unspecified)
	}
	for _, list := range []*[]string{&out.ids, &out.countries, &out.roles, &out.classes, &out.assurances} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return out
}

// closed are the lists that every policy's words go into.
func (n *names) closed() map[kind]*[]string {
	return map[kind]*[]string{kindRole: &n.roles, kindClass: &n.classes, kindAssurance: &n.assurances}
}

func (n *names) read(r *rule, whole bool) {
	tree := (*ast.Policy)(r.policy.AST())
	for _, s := range []ast.IsScopeNode{tree.Principal, tree.Resource} {
		if eq, ok := s.(ast.ScopeTypeEq); ok && whole {
			n.ids = append(n.ids, string(eq.Entity.ID))
		}
	}
	for _, c := range tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(node ast.IsNode) bool {
			if in, ok := node.(ast.NodeTypeContains); ok && isPeerMarks(in.Left) {
				if mark, ok := literal(in.Right); ok && whole {
					n.marks = append(n.marks, mark)
				}
			}
			if value, ok := node.(ast.NodeValue); ok {
				n.take(value.Value, whole)
			}
			return true
		})
	}
}

func (n *names) take(v types.Value, whole bool) {
	switch v := v.(type) {
	case types.EntityUID:
		if whole {
			n.ids = append(n.ids, string(v.ID))
		}
	case types.String:
		word := string(v)
		if whole && isCountry(word) {
			n.countries = append(n.countries, word)
		}
		for k, list := range n.closed() {
			if k.accepts(word) {
				*list = append(*list, word)
			}
		}
	}
}
