package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/tamga-id/tamga/federation/policy/lawtext"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// profile checks that a policy keeps to the subset of Cedar the package comment describes.
type profile struct {
	st     lawtext.Statement
	faults *lawtext.Faults
	asks   map[kind]bool // kinds of attributes that the conditions test
	names  []string      // attributes of the context that they test
	// forTaking is whether the part at hand speaks for a refusal when it is true: then a consent may only be tested for
	// being absent, and otherwise only for being there. So no law can allow more for want of a consent.
	forTaking bool
	permit    bool
}

func checkProfile(st lawtext.Statement, p *ast.Policy, f *lawtext.Faults) *profile {
	c := &profile{st: st, faults: f, asks: map[kind]bool{}, permit: p.Effect == ast.EffectPermit}
	c.scope("principal", typeNode, p.Principal)
	c.scope("resource", typeGallery, p.Resource)
	c.action(p)
	for _, condition := range p.Conditions {
		c.forTaking = (p.Effect == ast.EffectForbid) != (condition.Condition == ast.ConditionUnless)
		c.boolean(condition.Body)
	}
	if p.Effect == ast.EffectForbid {
		return c
	}
	if c.asks[kindConsent] {
		f.Add(st.At, "permit tests context.consent: it says with @consent what it needs")
	}
	c.blanket(p)
	for _, a := range known {
		if (a.kind == kindPurpose || a.kind == kindLegalBasis) && !c.asks[a.kind] {
			f.Add(st.At, "permit does not test context.%s: a permission is for named purposes on named legal bases", a.name)
		}
	}
	return c
}

// blanket refuses a permit whose conditions let every purpose through, or every legal basis: one that tests them and
// excludes none permits as much as one that does not.
func (c *profile) blanket(p *ast.Policy) {
	if !c.asks[kindPurpose] || !c.asks[kindLegalBasis] {
		return
	}
	forPurpose, onBasis := map[string]bool{}, map[string]bool{}
	for _, direction := range directions {
		for _, operation := range operations {
			for _, purpose := range purposes {
				for _, basis := range legalBases {
					if (selector{direction, operation, purpose, basis}).applies(p) != never {
						forPurpose[purpose], onBasis[basis] = true, true
					}
				}
			}
		}
	}
	if len(forPurpose) == len(purposes) {
		c.fault("permit tests context.purpose and excludes none: a permission is for named purposes")
	}
	if len(onBasis) == len(legalBases) {
		c.fault("permit tests context.legal_basis and excludes none: a permission is on named legal bases")
	}
}

func (c *profile) fault(format string, args ...any) { c.faults.Add(c.st.At, format, args...) }

func (c *profile) faultAt(literal, format string, args ...any) {
	c.faults.Add(c.st.Where(c.st.Literals, literal), format, args...)
}

// scope checks principal and resource.
func (c *profile) scope(variable, entityType string, scope ast.IsScopeNode) {
	switch s := scope.(type) {
	case ast.ScopeTypeAll:
	case ast.ScopeTypeIs:
		if string(s.Type) != entityType {
			c.fault("%s is %s: must be %s", variable, lawtext.Quote(string(s.Type)), entityType)
		}
	case ast.ScopeTypeEq:
		c.entity(variable, entityType, s.Entity)
	default:
		c.fault("%s: only \"is\" and \"==\" are part of the profile", variable)
	}
}

func (c *profile) entity(variable, entityType string, e types.EntityUID) {
	if string(e.Type) != entityType {
		c.faultAt(string(e.ID), "%s == %s: must be a %s", variable, lawtext.Quote(string(e.Type)), entityType)
	}
	if !isEntityID(string(e.ID)) {
		c.faultAt(string(e.ID), "%s == %s: must be an Entity Identifier, an https URL", variable, lawtext.Quote(string(e.ID)))
	}
}

// action checks the third part of the scope. A permit must name its operations.
func (c *profile) action(p *ast.Policy) {
	var named []types.EntityUID
	switch s := p.Action.(type) {
	case ast.ScopeTypeAll:
		if p.Effect == ast.EffectPermit {
			c.fault("permit for every action: a permit names its actions")
		}
	case ast.ScopeTypeEq:
		named = []types.EntityUID{s.Entity}
	case ast.ScopeTypeInSet:
		named = s.Entities
	default:
		c.fault("action: only \"==\" and \"in [...]\" are part of the profile")
	}
	for _, e := range named {
		if string(e.Type) != typeAction || !kindOperation.accepts(string(e.ID)) {
			c.faultAt(string(e.ID), "action %s::%s is not %s of type %s", e.Type, lawtext.Quote(string(e.ID)), kindOperation.describe(), typeAction)
		}
	}
}

// boolean checks a node whose value must be a truth value.
func (c *profile) boolean(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeTypeAnd:
		c.boolean(n.Left)
		c.boolean(n.Right)
	case ast.NodeTypeOr:
		c.boolean(n.Left)
		c.boolean(n.Right)
	case ast.NodeTypeNot:
		c.forTaking = !c.forTaking
		c.boolean(n.Arg)
		c.forTaking = !c.forTaking
	case ast.NodeTypeEquals:
		c.equality(n.Left, n.Right, true)
	case ast.NodeTypeNotEquals:
		c.equality(n.Left, n.Right, false)
	case ast.NodeTypeContains:
		c.membership(n)
	case ast.NodeTypeLessThan:
		c.order(n.Left, n.Right)
	case ast.NodeTypeLessThanOrEqual:
		c.order(n.Left, n.Right)
	case ast.NodeTypeGreaterThan:
		c.order(n.Left, n.Right)
	case ast.NodeTypeGreaterThanOrEqual:
		c.order(n.Left, n.Right)
	default:
		c.fault("condition is outside the profile: use ==, !=, [\"a\", \"b\"].contains(x), &&, || and !, and < for times and numbers")
	}
}

// equality checks attribute == "word", attribute == attribute, and principal == entity, either way round.
func (c *profile) equality(left, right ast.IsNode, equal bool) {
	if _, ok := literal(left); ok {
		left, right = right, left
	}
	if v, ok := left.(ast.NodeTypeVariable); ok {
		c.entityEquality(v, right)
		return
	}
	k := c.attribute(left)
	if k == kindNone {
		return
	}
	if k.ordered() {
		c.fault("times and numbers are compared with <, <=, > or >=")
		return
	}
	if s, ok := literal(right); ok {
		c.wordOf(k, s)
		if k == kindConsent {
			c.consent(s == vocabulary.ConsentNone, equal)
		}
		return
	}
	if other := c.attribute(right); other != kindNone && (other != k || k == kindConsent) {
		c.fault("comparison of two attributes that hold different vocabularies")
	}
}

// consent checks which way a consent is tested: for being one of those that were given, or for there being none.
func (c *profile) consent(none, equal bool) {
	if !c.permit && (none == equal) != c.forTaking {
		c.fault("context.consent is tested so that the law would allow more without a consent than with one")
	}
}

// order checks context.time < datetime("...") and context.queries_by_officer < 100, either way round.
func (c *profile) order(left, right ast.IsNode) {
	if _, ok := left.(ast.NodeTypeAccess); !ok {
		left, right = right, left
	}
	k := c.attribute(left)
	switch k {
	case kindNone:
	case kindTime:
		if _, ok := instant(right); !ok {
			c.fault("context.time is compared with datetime(\"2027-01-31\") or datetime(\"2027-01-31T08:00:00Z\")")
		}
	case kindCount:
		if _, ok := number(right); !ok {
			c.fault("counts are compared with a number from 0 to %d", maxCount)
		}
	default:
		c.fault("only times and numbers are compared with <, <=, > or >=")
	}
}

// maxCount bounds a number in a law.
const maxCount = 1_000_000_000

func number(n ast.IsNode) (int64, bool) {
	value, ok := n.(ast.NodeValue)
	if !ok {
		return 0, false
	}
	v, ok := value.Value.(types.Long)
	return int64(v), ok && v >= 0 && v <= maxCount
}

func instant(n ast.IsNode) (types.Datetime, bool) {
	call, ok := n.(ast.NodeTypeExtensionCall)
	if !ok || call.Name != "datetime" || len(call.Args) != 1 {
		return types.Datetime{}, false
	}
	s, ok := literal(call.Args[0])
	if !ok {
		return types.Datetime{}, false
	}
	at, err := types.ParseDatetime(s)
	return at, err == nil
}

func (c *profile) entityEquality(v ast.NodeTypeVariable, right ast.IsNode) {
	value, ok := right.(ast.NodeValue)
	e, isEntity := value.Value.(types.EntityUID)
	switch {
	case !ok || !isEntity:
		c.fault("%s may only be compared with an entity", v.Name)
	case v.Name == "principal":
		c.entity("principal", typeNode, e)
	case v.Name == "resource":
		c.entity("resource", typeGallery, e)
	default:
		c.fault("%s may not be compared in a condition", v.Name)
	}
}

// membership checks ["a", "b"].contains(attribute) and context.peer_marks.contains("https://...").
func (c *profile) membership(n ast.NodeTypeContains) {
	if isPeerMarks(n.Left) {
		c.ask("context", peerMarks, kindMarks)
		if mark, ok := literal(n.Right); !ok || !isMark(mark) {
			c.fault("contains: context.peer_marks contains the identifier of a Trust Mark type, an https URL")
		}
		return
	}
	set, ok := n.Left.(ast.NodeTypeSet)
	if !ok || len(set.Elements) == 0 {
		c.fault("contains: the left side must be a set of words, not empty")
		return
	}
	k := c.attribute(n.Right)
	if k.ordered() {
		c.fault("times and numbers are compared with <, <=, > or >=")
		return
	}
	none := false
	for _, element := range set.Elements {
		s, isWord := literal(element)
		if !isWord {
			c.fault("contains: the left side must be a set of words")
		} else if k != kindNone {
			c.wordOf(k, s)
			none = none || s == vocabulary.ConsentNone
		}
	}
	switch {
	case k == kindConsent && none:
		c.fault("none is no consent: it does not stand in one set with those that are")
	case k == kindConsent:
		c.consent(false, true)
	}
}

func (c *profile) ask(of, name string, k kind) {
	c.asks[k] = true
	if of == "context" && !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
}

func isPeerMarks(n ast.IsNode) bool {
	access, ok := n.(ast.NodeTypeAccess)
	variable, isVariable := access.Arg.(ast.NodeTypeVariable)
	return ok && isVariable && variable.Name == "context" && string(access.Value) == peerMarks
}

// attribute checks an attribute and gives the vocabulary of its values.
func (c *profile) attribute(n ast.IsNode) kind {
	access, ok := n.(ast.NodeTypeAccess)
	variable, isVariable := access.Arg.(ast.NodeTypeVariable)
	if !ok || !isVariable {
		c.fault("comparison is outside the profile: compare an attribute of context, principal or resource")
		return kindNone
	}
	of, name := string(variable.Name), string(access.Value)
	switch k := attributeKind(of, name); {
	case attributesOf(of) == "":
		c.fault("%s has no attributes", of)
	case k == kindNone:
		c.fault("unknown attribute %s.%s: known are %s", of, name, attributesOf(of))
	case k == kindMarks:
		c.fault("context.peer_marks is a set: use context.peer_marks.contains(\"https://...\")")
	default:
		c.ask(of, name, k)
		return k
	}
	return kindNone
}

func (c *profile) wordOf(k kind, s string) {
	if !k.accepts(s) {
		c.faultAt(s, "%s is not %s", lawtext.Quote(s), k.describe())
	}
}

func literal(n ast.IsNode) (string, bool) {
	value, ok := n.(ast.NodeValue)
	if !ok {
		return "", false
	}
	s, ok := value.Value.(types.String)
	return string(s), ok
}
