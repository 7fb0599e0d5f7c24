package metadatapolicy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Metadata is a metadata claim: Entity Type -> parameter -> value.
type Metadata = map[string]map[string]json.RawMessage

// Policy is one valid metadata policy. The zero value asks for nothing. Immutable,
// safe for concurrent use.
type Policy struct {
	types map[string]map[string]operators
}

// Error says what of a policy is wrong, or which metadata it refuses. It names the
// parameter and never its value.
type Error struct {
	EntityType, Parameter, Operator string
	// Rule is what is broken.
	Rule string
	// Metadata is true when the policy is sound and the subject's metadata breaks it.
	Metadata bool
}

// Error implements error.
func (e *Error) Error() string {
	doing := "checking metadata policy"
	if e.Metadata {
		doing = "applying metadata policy"
	}
	if e.EntityType != "" {
		doing += fmt.Sprintf(" for %q", clip(e.EntityType))
	}
	if e.Parameter != "" {
		doing += fmt.Sprintf(" parameter %q", clip(e.Parameter))
	}
	return doing + ": " + e.Operator + " " + e.Rule
}

func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// at places a fault.
func (e *Error) at(entityType, parameter string) *Error {
	e.EntityType, e.Parameter = entityType, parameter
	return e
}

// Parse reads a metadata_policy claim (section 6.1.2):
//
//	{ entity-type: { parameter: { operator: value } } }
//
// Each level has at least one member. The error is an [*Error].
func Parse(claim []byte) (Policy, error) {
	var raw map[string]map[string]map[string]json.RawMessage
	if err := jose.DecodeOpenClaims(claim, &raw); err != nil || len(raw) == 0 {
		return Policy{}, fault("", "the claim is not an object of objects of objects, or is empty")
	}
	p := Policy{make(map[string]map[string]operators, len(raw))}
	for entityType, parameters := range raw {
		if len(parameters) == 0 {
			return Policy{}, fault("", "is empty").at(entityType, "")
		}
		p.types[entityType] = make(map[string]operators, len(parameters))
		for name, ops := range parameters {
			if len(ops) == 0 {
				return Policy{}, fault("", "is empty").at(entityType, name)
			}
			o, f := parseOperators(ops, name == scope)
			if f != nil {
				return Policy{}, f.at(entityType, name)
			}
			p.types[entityType][name] = o
		}
	}
	return p, nil
}

// scope is the one parameter whose string stands for an array.
const scope = "scope"

// CheckCritical checks a metadata_policy_crit claim: an array, not empty, of names of
// additional operators that have to be understood. None is, so that a claim that is
// there always gives an error; nil means that it is absent.
func CheckCritical(claim []byte) error {
	if claim == nil {
		return nil
	}
	return fault("metadata_policy_crit", "asks for an operator that is not understood")
}

// Merge merges a subordinate's policy into p, the superior's (section 6.1.4.1). The
// error is an [*Error].
func (p Policy) Merge(subordinate Policy) (Policy, error) {
	out := Policy{make(map[string]map[string]operators, len(p.types))}
	for entityType, parameters := range p.types {
		out.types[entityType] = maps.Clone(parameters)
	}
	for entityType, parameters := range subordinate.types {
		if out.types[entityType] == nil {
			out.types[entityType] = make(map[string]operators, len(parameters))
		}
		for name, sub := range parameters {
			o, f := out.types[entityType][name].merge(sub)
			if f != nil {
				return Policy{}, f.at(entityType, name)
			}
			out.types[entityType][name] = o
		}
	}
	return out, nil
}

// Apply applies the policy to every Entity Type that the metadata declares
// (section 6.1.4.2). m is left as it is. The error is an [*Error] with Metadata set.
func (p Policy) Apply(m Metadata) (Metadata, error) {
	out := make(Metadata, len(m))
	for entityType, parameters := range m {
		resolved := maps.Clone(parameters)
		if resolved == nil {
			resolved = map[string]json.RawMessage{}
		}
		policies := p.types[entityType]
		for _, name := range slices.Sorted(maps.Keys(policies)) {
			if f := applyTo(resolved, name, policies[name]); f != nil {
				f.Metadata = true
				return nil, f.at(entityType, name)
			}
		}
		out[entityType] = resolved
	}
	return out, nil
}

func applyTo(parameters map[string]json.RawMessage, name string, o operators) *Error {
	var v *value
	if raw, ok := parameters[name]; ok {
		parsed, err := parseValue(raw)
		if err != nil || parsed.isNull() {
			return fault("", "is null or no JSON value")
		}
		if name == scope {
			parsed = parsed.split()
		}
		v = &parsed
	}
	v, f := o.apply(v)
	if f != nil {
		return f
	}
	if v == nil {
		delete(parameters, name)
		return nil
	}
	out := *v
	if name == scope {
		out = out.join()
	}
	parameters[name] = out.raw
	return nil
}

// MarshalJSON writes the metadata_policy claim.
func (p Policy) MarshalJSON() ([]byte, error) { return json.Marshal(p.types) }

// IsZero reports whether the policy asks for nothing.
func (p Policy) IsZero() bool { return len(p.types) == 0 }
