package metadatapolicy

import "encoding/json"

// The standard operators (section 6.1.3.1), in the order in which they are applied.
const (
	opValue      = "value"
	opAdd        = "add"
	opDefault    = "default"
	opOneOf      = "one_of"
	opSubsetOf   = "subset_of"
	opSupersetOf = "superset_of"
	opEssential  = "essential"
)

// operators is the policy of one metadata parameter. A nil member is an operator that
// is absent.
type operators struct {
	value, byDefault                 *value
	add, oneOf, subsetOf, supersetOf *set
	essential                        *bool
}

// fault says which operator breaks which rule; where it does is added further out.
func fault(operator, rule string) *Error { return &Error{Operator: operator, Rule: rule} }

func parseOperators(raw map[string]json.RawMessage, scope bool) (operators, *Error) {
	var o operators
	for name, r := range raw {
		v, err := parseValue(r)
		if err != nil {
			return o, fault(name, "is not a JSON value")
		}
		if scope {
			v = v.split()
		}
		switch name {
		case opValue:
			o.value = &v
		case opDefault:
			if v.isNull() {
				return o, fault(name, "is null")
			}
			o.byDefault = &v
		case opEssential:
			var b *bool
			if json.Unmarshal(r, &b) != nil || b == nil {
				return o, fault(name, "is not true or false")
			}
			o.essential = b
		case opAdd, opOneOf, opSubsetOf, opSupersetOf:
			s, ok := v.set()
			if !ok {
				return o, fault(name, "is not an array")
			}
			*o.set(name) = &s
		}
	}
	return o, o.check()
}

func (o *operators) set(name string) **set {
	switch name {
	case opAdd:
		return &o.add
	case opOneOf:
		return &o.oneOf
	case opSubsetOf:
		return &o.subsetOf
	default:
		return &o.supersetOf
	}
}

// check refuses combinations that section 6.1.3.1 does not allow.
func (o operators) check() *Error {
	if o.value != nil {
		if f := o.checkValue(*o.value); f != nil {
			return f
		}
	}
	switch {
	case o.oneOf != nil && o.add != nil:
		return fault(opAdd, "is combined with one_of")
	case o.oneOf != nil && o.subsetOf != nil:
		return fault(opSubsetOf, "is combined with one_of")
	case o.oneOf != nil && o.supersetOf != nil:
		return fault(opSupersetOf, "is combined with one_of")
	case o.add != nil && o.subsetOf != nil && !o.add.within(*o.subsetOf):
		return fault(opAdd, "is not within subset_of")
	case o.supersetOf != nil && o.subsetOf != nil && !o.supersetOf.within(*o.subsetOf):
		return fault(opSupersetOf, "is not within subset_of")
	}
	return nil
}

// checkValue: the value that will be assigned has to pass every other operator.
func (o operators) checkValue(v value) *Error {
	if v.isNull() {
		switch {
		case o.byDefault != nil:
			return fault(opValue, "is null beside default")
		case o.essential != nil && *o.essential:
			return fault(opValue, "is null beside essential")
		}
	}
	values, array := v.set()
	switch {
	case o.oneOf != nil && !o.oneOf.has(v):
		return fault(opValue, "is not in one_of")
	case o.add != nil && !(array && o.add.within(values)):
		return fault(opAdd, "is not within value")
	case o.subsetOf != nil && !(array && values.within(*o.subsetOf)):
		return fault(opValue, "is not within subset_of")
	case o.supersetOf != nil && !(array && o.supersetOf.within(values)):
		return fault(opSupersetOf, "is not within value")
	}
	return nil
}

// merge adds a subordinate's operators to a superior's.
func (o operators) merge(sub operators) (operators, *Error) {
	var f *Error
	if o.value, f = same(opValue, o.value, sub.value); f != nil {
		return o, f
	}
	if o.byDefault, f = same(opDefault, o.byDefault, sub.byDefault); f != nil {
		return o, f
	}
	o.add = combine(o.add, sub.add, set.union)
	o.supersetOf = combine(o.supersetOf, sub.supersetOf, set.union)
	o.subsetOf = combine(o.subsetOf, sub.subsetOf, set.intersection)
	both := o.oneOf != nil && sub.oneOf != nil
	if o.oneOf = combine(o.oneOf, sub.oneOf, set.intersection); both && len(*o.oneOf) == 0 {
		return o, fault(opOneOf, "leaves no value")
	}
	if o.essential == nil || (sub.essential != nil && *sub.essential) {
		o.essential = sub.essential
	}
	return o, o.check()
}

func same(name string, a, b *value) (*value, *Error) {
	switch {
	case b == nil:
		return a, nil
	case a != nil && !a.equal(*b):
		return nil, fault(name, "differs from the superior's")
	default:
		return b, nil
	}
}

// equal compares arrays as sets, as operators do: their order means nothing.
func (v value) equal(other value) bool {
	if v.key == other.key {
		return true
	}
	a, ok := v.set()
	b, ok2 := other.set()
	return ok && ok2 && len(a) == len(b) && a.within(b)
}

func combine(a, b *set, how func(set, set) set) *set {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	s := how(*a, *b)
	return &s
}

// apply runs the operators over a parameter, nil when it is absent, in the order of
// section 6.1.3.1. It returns nil when the parameter is to be absent.
func (o operators) apply(v *value) (*value, *Error) {
	if o.value != nil {
		if v = o.value; v.isNull() {
			v = nil
		}
	}
	if o.add != nil {
		present := set{}
		if v != nil {
			var array bool
			if present, array = v.set(); !array {
				return nil, fault(opAdd, "meets a parameter that is no array")
			}
		}
		sum := present.union(*o.add).value()
		v = &sum
	}
	if o.byDefault != nil && v == nil {
		v = o.byDefault
	}
	if v == nil {
		if o.essential != nil && *o.essential {
			return nil, fault(opEssential, "meets a parameter that is absent")
		}
		return nil, nil
	}
	if o.oneOf != nil && !o.oneOf.has(*v) {
		return nil, fault(opOneOf, "does not list the parameter's value")
	}
	return o.applySets(v)
}

func (o operators) applySets(v *value) (*value, *Error) {
	if o.subsetOf == nil && o.supersetOf == nil {
		return v, nil
	}
	values, array := v.set()
	if !array {
		return nil, fault(opSubsetOf, "or superset_of meets a parameter that is no array")
	}
	if o.subsetOf != nil {
		values = values.intersection(*o.subsetOf)
		cut := values.value()
		v = &cut
	}
	if o.supersetOf != nil && !o.supersetOf.within(values) {
		return nil, fault(opSupersetOf, "is not within the parameter's values")
	}
	return v, nil
}

// MarshalJSON writes the operators under their names.
func (o operators) MarshalJSON() ([]byte, error) {
	m := map[string]json.RawMessage{}
	if o.value != nil {
		m[opValue] = o.value.raw
	}
	if o.byDefault != nil {
		m[opDefault] = o.byDefault.raw
	}
	for _, name := range []string{opAdd, opOneOf, opSubsetOf, opSupersetOf} {
		if s := *o.set(name); s != nil {
			m[name] = s.value().raw
		}
	}
	if o.essential != nil {
		m[opEssential] = json.RawMessage("false")
		if *o.essential {
			m[opEssential] = json.RawMessage("true")
		}
	}
	return json.Marshal(m)
}
