package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// profile checks that a policy keeps to the subset of Cedar the package comment describes.
type profile struct {
	st     statement
	faults *faults
	tested map[string]bool // context attributes the conditions test
}

func checkProfile(st statement, p *ast.Policy, f *faults) {
	c := &profile{st: st, faults: f, tested: map[string]bool{}}
	c.scope("principal", typeNode, p.Principal)
	c.scope("resource", typeGallery, p.Resource)
	c.action(p)
	for _, condition := range p.Conditions {
		c.boolean(condition.Body)
	}
	if p.Effect == ast.EffectForbid {
		return
	}
	for _, attribute := range []string{"purpose", "legal_basis"} {
		if !c.tested[attribute] {
			f.add(st.at, "permit does not test context.%s: a permission is for named purposes on named legal bases", attribute)
		}
	}
}

func (c *profile) fault(format string, args ...any) { c.faults.add(c.st.at, format, args...) }

func (c *profile) faultAt(literal, format string, args ...any) {
	c.faults.add(c.st.where(c.st.literals, literal), format, args...)
}

// scope checks principal and resource.
func (c *profile) scope(variable, entityType string, scope ast.IsScopeNode) {
	switch s := scope.(type) {
	case ast.ScopeTypeAll:
	case ast.ScopeTypeIs:
		if string(s.Type) != entityType {
			c.fault("%s is %s: must be %s", variable, quote(string(s.Type)), entityType)
		}
	case ast.ScopeTypeEq:
		c.entity(variable, entityType, s.Entity)
	default:
		c.fault("%s: only \"is\" and \"==\" are part of the profile", variable)
	}
}

func (c *profile) entity(variable, entityType string, e types.EntityUID) {
	if string(e.Type) != entityType {
		c.faultAt(string(e.ID), "%s == %s: must be a %s", variable, quote(string(e.Type)), entityType)
	}
	if !isEntityID(string(e.ID)) {
		c.faultAt(string(e.ID), "%s == %s: must be an Entity Identifier, an https URL", variable, quote(string(e.ID)))
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
			c.faultAt(string(e.ID), "action %s::%s is not %s of type %s", e.Type, quote(string(e.ID)), kindOperation.describe(), typeAction)
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
		c.boolean(n.Arg)
	case ast.NodeTypeEquals:
		c.equality(n.Left, n.Right)
	case ast.NodeTypeNotEquals:
		c.equality(n.Left, n.Right)
	case ast.NodeTypeContains:
		c.membership(n)
	default:
		c.fault("condition is outside the profile: use ==, !=, [\"a\", \"b\"].contains(x), &&, || and !")
	}
}

// equality checks attribute == "word", attribute == attribute, and principal == entity, either way round.
func (c *profile) equality(left, right ast.IsNode) {
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
	if s, ok := literal(right); ok {
		c.wordOf(k, s)
		return
	}
	if other := c.attribute(right); other != kindNone && other != k {
		c.fault("comparison of two attributes that hold different vocabularies")
	}
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
	for _, element := range set.Elements {
		s, isWord := literal(element)
		if !isWord {
			c.fault("contains: the left side must be a set of words")
		} else if k != kindNone {
			c.wordOf(k, s)
		}
	}
}

func isPeerMarks(n ast.IsNode) bool {
	access, ok := n.(ast.NodeTypeAccess)
	variable, isVariable := access.Arg.(ast.NodeTypeVariable)
	return ok && isVariable && variable.Name == "context" && string(access.Value) == peerMarks
}

// attribute checks context.x, principal.country and resource.country and gives the vocabulary of its values.
func (c *profile) attribute(n ast.IsNode) kind {
	access, ok := n.(ast.NodeTypeAccess)
	variable, isVariable := access.Arg.(ast.NodeTypeVariable)
	if !ok || !isVariable {
		c.fault("comparison is outside the profile: compare an attribute of context, principal or resource")
		return kindNone
	}
	name := string(access.Value)
	switch variable.Name {
	case "context":
		if k := attributeKind(name); k != kindNone {
			c.tested[name] = true
			return k
		}
		if name == peerMarks {
			c.fault("context.peer_marks is a set: use context.peer_marks.contains(\"https://...\")")
			return kindNone
		}
		c.fault("unknown attribute context.%s: known are %s", name, strings.Join(attributes[:], ", "))
	case "principal", "resource":
		if name == "country" {
			return kindCountry
		}
		c.fault("unknown attribute %s.%s: known is country", variable.Name, name)
	default:
		c.fault("%s has no attributes", variable.Name)
	}
	return kindNone
}

func (c *profile) wordOf(k kind, s string) {
	if !k.accepts(s) {
		c.faultAt(s, "%s is not %s", quote(s), k.describe())
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
