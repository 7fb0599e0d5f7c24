package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// selector is what every request says in closed words: enough to leave out most policies of a long law unevaluated.
type selector struct{ direction, operation, purpose, basis string }

// truth is what can be said of a condition when only a selector is known.
type truth int

const (
	never truth = iota
	perhaps
	always
)

func (t truth) not() truth { return always - t }

func certain(b bool) truth {
	if b {
		return always
	}
	return never
}

// index lists for every selector the rules that are not certain to be without effect. Leaving out a rule that cannot
// apply changes no decision: evaluation of a profile's condition cannot fail.
func (l *Law) index() {
	l.candidates = make(map[selector]ruleList)
	for _, direction := range directions {
		for _, operation := range operations {
			for _, purpose := range purposes {
				for _, basis := range legalBases {
					s := selector{direction, operation, purpose, basis}
					for i := range l.rules {
						if s.applies((*ast.Policy)(l.rules[i].policy.AST())) == never {
							continue
						}
						l.candidates[s] = append(l.candidates[s], &l.rules[i])
						if l.rules[i].counts && !slices.Contains(l.counts, direction) {
							l.counts = append(l.counts, direction)
						}
					}
				}
			}
		}
	}
}

func (s selector) applies(p *ast.Policy) truth {
	out := s.acts(p.Action)
	for _, c := range p.Conditions {
		holds := s.holds(c.Body)
		if c.Condition == ast.ConditionUnless {
			holds = holds.not()
		}
		out = min(out, holds)
	}
	return out
}

func (s selector) acts(scope ast.IsActionScopeNode) truth {
	action := types.NewEntityUID(typeAction, types.String(s.operation))
	switch scope := scope.(type) {
	case ast.ScopeTypeEq:
		return certain(scope.Entity == action)
	case ast.ScopeTypeInSet:
		for _, e := range scope.Entities {
			if e == action {
				return always
			}
		}
		return never
	}
	return perhaps
}

func (s selector) holds(n ast.IsNode) truth {
	switch n := n.(type) {
	case ast.NodeTypeAnd:
		return min(s.holds(n.Left), s.holds(n.Right))
	case ast.NodeTypeOr:
		return max(s.holds(n.Left), s.holds(n.Right))
	case ast.NodeTypeNot:
		return s.holds(n.Arg).not()
	case ast.NodeTypeEquals:
		return s.equal(n.Left, n.Right)
	case ast.NodeTypeNotEquals:
		return s.equal(n.Left, n.Right).not()
	case ast.NodeTypeContains:
		set, ok := n.Left.(ast.NodeTypeSet)
		if !ok {
			return perhaps
		}
		out := never
		for _, element := range set.Elements {
			out = max(out, s.equal(element, n.Right))
		}
		return out
	}
	return perhaps
}

func (s selector) equal(left, right ast.IsNode) truth {
	a, ok := s.value(left)
	b, also := s.value(right)
	if !ok || !also {
		return perhaps
	}
	return certain(a == b)
}

// value is a literal, or an attribute that the selector knows.
func (s selector) value(n ast.IsNode) (string, bool) {
	if text, ok := literal(n); ok {
		return text, true
	}
	access, ok := n.(ast.NodeTypeAccess)
	if variable, isVariable := access.Arg.(ast.NodeTypeVariable); !ok || !isVariable || variable.Name != "context" {
		return "", false
	}
	switch access.Value {
	case "direction":
		return s.direction, true
	case "purpose":
		return s.purpose, true
	case "legal_basis":
		return s.basis, true
	}
	return "", false
}
