package policy

import (
	"slices"
	"strings"
	"time"

	cedar "github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Step is what became of one policy in a decision.
type Step struct {
	Policy
	Applies bool
	// Because is the first part of its condition that does not hold; empty when it applies.
	Because string
}

// Given is one thing that the law was asked about, by its name in a law.
type Given struct{ Name, Value string }

// Given lists what of r the conditions of the law ask about, in the order of the profile, with the values that they see.
// Consent, modality and, while the Query is sealed, the class are left out when they are not known.
func (l *Law) Given(r Request) (out []Given) {
	if l == nil {
		return nil
	}
	class := r.SubjectClass
	r = r.complete()
	for _, a := range known {
		name := a.of + "." + a.name
		switch {
		case a.of == "context" && !slices.Contains(l.asked, a.name), a.kind == kindClass && !l.asksClass, a.kind == kindModality && !l.asksModality:
		case a.kind == kindMarks:
			out = append(out, Given{name, strings.Join(r.PeerMarks, " ")})
		case a.kind == kindConsent && r.Consent == "", a.kind == kindModality && r.Modality == "", a.kind == kindClass && r.Sealed && class == "":
		case a.kind == kindTime:
			out = append(out, Given{name, r.Time.UTC().Format(time.RFC3339)})
		case a.of == "context":
			out = append(out, Given{name, plain(r.attribute(a.name))})
		case a.of == "principal":
			out = append(out, Given{name, plain(r.asker()[cedar.String(a.name)])})
		default:
			out = append(out, Given{name, plain(r.asked()[cedar.String(a.name)])})
		}
	}
	return out
}

// plain is a word or a number as it is read.
func plain(v cedar.Value) string {
	switch v := v.(type) {
	case cedar.String:
		return string(v)
	case cedar.Long:
		if v == NoLimit {
			return "no limit"
		}
	}
	return v.String()
}

// Explain decides r and says of every policy, in file order, whether it applies and, if not, on what it fails. It
// costs much more than [Law.Decide], and decides as Decide does. Where consent or modality are not known, a part that
// asks for them is taken to fail on that.
func (l *Law) Explain(r Request) (Decision, []Step) {
	d := l.Decide(r)
	r = r.complete()
	if l == nil || r.fault() != "" {
		return d, nil
	}
	steps := make([]Step, len(l.rules))
	for i, p := range l.Policies() {
		steps[i].Policy = p
		steps[i].Because = l.failing(&l.rules[i], r)
		steps[i].Applies = steps[i].Because == ""
	}
	return d, steps
}

// failing is the first part of the rule that does not hold for r, as text.
func (l *Law) failing(rule *rule, r Request) string {
	tree := (*ast.Policy)(rule.policy.AST())
	scope := &ast.Policy{Effect: ast.EffectPermit, Principal: tree.Principal, Action: tree.Action, Resource: tree.Resource}
	if !l.matches(scope, r) {
		return "principal, action or resource is another"
	}
	for _, c := range tree.Conditions {
		parts := []ast.IsNode{c.Body}
		if c.Condition == ast.ConditionWhen {
			parts = conjuncts(c.Body)
		}
		for _, part := range parts {
			one := &ast.Policy{Effect: ast.EffectPermit, Principal: ast.ScopeTypeAll{}, Action: ast.ScopeTypeAll{}, Resource: ast.ScopeTypeAll{},
				Conditions: []ast.ConditionType{{Condition: c.Condition, Body: part}}}
			if !l.matches(one, r) {
				return conditionText(one)
			}
		}
	}
	return ""
}

func (l *Law) matches(p *ast.Policy, r Request) bool {
	one := ruleList{{id: "part", policy: cedar.NewPolicyFromAST((*cedarast.Policy)(p))}}
	verdict, _ := cedar.Authorize(one, &entities{r: &r}, l.cedarRequest(&r))
	return verdict == cedar.Allow
}

// conjuncts are the parts that && joins.
func conjuncts(n ast.IsNode) []ast.IsNode {
	and, ok := n.(ast.NodeTypeAnd)
	if !ok {
		return []ast.IsNode{n}
	}
	return append(conjuncts(and.Left), conjuncts(and.Right)...)
}

// conditionText is the condition of a policy that has one, on one line.
func conditionText(p *ast.Policy) string {
	text := string(cedar.NewPolicyFromAST((*cedarast.Policy)(p)).MarshalCedar())
	if _, after, ok := strings.Cut(text, ")"); ok {
		text = after
	}
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ";")
}
