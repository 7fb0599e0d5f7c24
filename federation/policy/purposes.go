package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// A counterpart that no law names. The country is of ISO 3166-1's user-assigned range, so it is nobody's.
const (
	someCountry = "XXZ"
	someEntity  = "https://counterpart.invalid"
)

// Purposes lists the purposes for which the law permits operation "verify" in the direction, on some legal basis and
// with some counterpart: what an Entity Configuration advertises and a command line offers. The order is that of the
// protocol's vocabulary; the slice is the caller's. It is found by asking [Law.Decide], so it cannot disagree with it;
// that costs some thousand decisions, so call it once per law. An unknown direction or a zero Law gives nil.
//
// Listed does not mean allowed for everyone: a single request is decided by Decide alone.
func (l *Law) Purposes(direction string) []string {
	if l == nil || !kindDirection.accepts(direction) {
		return nil
	}
	var out []string
	for _, purpose := range purposes {
		if l.serves(direction, purpose) {
			out = append(out, purpose)
		}
	}
	return out
}

func (l *Law) serves(direction, purpose string) bool {
	for _, r := range l.rules {
		if r.permit && l.serveUnder(r, direction, purpose) {
			return true
		}
	}
	return false
}

// serveUnder tries the counterparts one permit could be about: those it names, and one it does not.
func (l *Law) serveUnder(r rule, direction, purpose string) bool {
	ids, countries, marks := counterparts(r)
	for _, basis := range legalBases {
		for _, requester := range ids {
			for _, responder := range ids {
				for _, country := range countries {
					r := Request{
						Direction: direction, Purpose: purpose, LegalBasis: basis, Operation: "verify",
						Requester: requester, RequesterCountry: l.head.jurisdiction,
						Responder: responder, ResponderCountry: country,
					}
					if direction == Answer {
						r.RequesterCountry, r.ResponderCountry = r.ResponderCountry, r.RequesterCountry
					}
					if l.Decide(r).Allowed {
						return true
					}
					if r.PeerMarks = marks; len(marks) > 0 && l.Decide(r).Allowed {
						return true
					}
				}
			}
		}
	}
	return false
}

// counterparts collects the entity ids and countries one policy names, and one of each that it does not, and the
// Trust Marks it names.
func counterparts(r rule) (ids, countries, marks []string) {
	ids, countries = []string{someEntity}, []string{someCountry}
	tree := (*ast.Policy)(r.policy.AST())
	scopes := []ast.IsScopeNode{tree.Principal, tree.Resource}
	for _, s := range scopes {
		if eq, ok := s.(ast.ScopeTypeEq); ok {
			ids = append(ids, string(eq.Entity.ID))
		}
	}
	for _, c := range tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if in, ok := n.(ast.NodeTypeContains); ok && isPeerMarks(in.Left) {
				if mark, ok := literal(in.Right); ok {
					marks = append(marks, mark)
				}
			}
			value, ok := n.(ast.NodeValue)
			if !ok {
				return true
			}
			switch v := value.Value.(type) {
			case types.EntityUID:
				ids = append(ids, string(v.ID))
			case types.String:
				if isCountry(string(v)) {
					countries = append(countries, string(v))
				}
			}
			return true
		})
	}
	slices.Sort(ids)
	slices.Sort(countries)
	return slices.Compact(ids), slices.Compact(countries), marks
}
