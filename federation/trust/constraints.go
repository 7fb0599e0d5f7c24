package trust

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Constraints are what a superior allows below the subject of a Subordinate Statement
// (section 6.2). The zero value allows everything.
type Constraints struct {
	// MaxPathLength is how many Intermediates may stand between the issuer and the
	// subject of a Trust Chain; nil sets no limit.
	MaxPathLength *int `json:"max_path_length,omitempty"`
	// Naming restricts the hosts of Entity Identifiers; nil sets no limit.
	Naming *NamingConstraints `json:"naming_constraints,omitempty"`
	// EntityTypes are the Entity Types that metadata may have, federation_entity apart,
	// which is always allowed and never listed; nil sets no limit, and an empty slice
	// allows no other.
	EntityTypes *[]string `json:"allowed_entity_types,omitempty"`
}

// NamingConstraints are domain name constraints in the syntax of RFC 5280 section
// 4.2.1.10: "host.example" is that host, ".example" every host below it and not
// itself. Excluded wins. A nil Permitted permits every name, an empty one none.
type NamingConstraints struct {
	Permitted []string `json:"permitted,omitzero"`
	Excluded  []string `json:"excluded,omitzero"`
}

// maxConstraintNames bounds each list of names or types.
const maxConstraintNames = 256

// parseConstraints ignores constraints of later revisions, as section 6.2 requires.
func parseConstraints(raw json.RawMessage) (Constraints, error) {
	if raw == nil {
		return Constraints{}, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return Constraints{}, errors.New("constraints is not an object")
	}
	var c Constraints
	if value, ok := members["max_path_length"]; ok {
		if json.Unmarshal(value, &c.MaxPathLength) != nil || c.MaxPathLength == nil || *c.MaxPathLength < 0 {
			return Constraints{}, errors.New("max_path_length is not a number of Intermediates")
		}
	}
	if value, ok := members["naming_constraints"]; ok {
		n, err := parseNaming(value)
		if err != nil {
			return Constraints{}, err
		}
		c.Naming = n
	}
	if value, ok := members["allowed_entity_types"]; ok {
		types, err := parseNames(value)
		if err != nil || slices.Contains(types, TypeFederation) {
			return Constraints{}, errors.New("allowed_entity_types is not an array of Entity Types other than federation_entity")
		}
		c.EntityTypes = &types
	}
	return c, nil
}

func parseNaming(raw json.RawMessage) (*NamingConstraints, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil, errors.New("naming_constraints is not an object")
	}
	var n NamingConstraints
	for name, into := range map[string]*[]string{"permitted": &n.Permitted, "excluded": &n.Excluded} {
		value, ok := members[name]
		if !ok {
			continue
		}
		list, err := parseNames(value)
		if err != nil || slices.ContainsFunc(list, func(s string) bool { return !isDomain(strings.TrimPrefix(s, ".")) }) {
			return nil, errors.New("naming_constraints holds something else than domain names")
		}
		*into = list
	}
	return &n, nil
}

func parseNames(raw json.RawMessage) ([]string, error) {
	var list []*string
	if json.Unmarshal(raw, &list) != nil || list == nil || len(list) > maxConstraintNames {
		return nil, errors.New("not an array of strings")
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil || *s == "" {
			return nil, errors.New("not an array of strings")
		}
		out = append(out, *s)
	}
	return out, nil
}

func isDomain(s string) bool {
	if s == "" || len(s) > 253 || net.ParseIP(s) != nil {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || !isAlphanumeric(label, "-") {
			return false
		}
	}
	return true
}

// allows reports whether the host of an Entity Identifier lies where it has to. A host
// that is an IP address is within no name: RFC 5280 has it refused.
func (n *NamingConstraints) allows(id EntityID) bool {
	u, err := url.Parse(string(id))
	if err != nil || !isDomain(u.Hostname()) {
		return false
	}
	within := func(constraint string) bool {
		host, constraint := strings.ToLower(u.Hostname()), strings.ToLower(constraint)
		if constraint[0] == '.' {
			return len(host) > len(constraint) && strings.HasSuffix(host, constraint)
		}
		return host == constraint
	}
	return !slices.ContainsFunc(n.Excluded, within) &&
		(n.Permitted == nil || slices.ContainsFunc(n.Permitted, within))
}

// checkConstraints applies the constraints of every statement, each on its own, to
// the Entities below its issuer.
func checkConstraints(statements []statement) *ChainError {
	for j, s := range statements {
		if most := s.constraints.MaxPathLength; most != nil && j-1 > *most {
			return s.fault(rulePath, j)
		}
		if s.constraints.Naming == nil {
			continue
		}
		for _, below := range statements[1 : j+1] {
			if !s.constraints.Naming.allows(below.sub) {
				return s.fault(ruleName, j)
			}
		}
	}
	return nil
}

// allowedTypes removes what an allowed_entity_types constraint leaves no room for.
func (m rawMetadata) allowedTypes(statements []statement) rawMetadata {
	out := rawMetadata{}
	for entityType, parameters := range m {
		allowed := entityType == TypeFederation || !slices.ContainsFunc(statements, func(s statement) bool {
			return s.constraints.EntityTypes != nil && !slices.Contains(*s.constraints.EntityTypes, entityType)
		})
		if allowed {
			out[entityType] = parameters
		}
	}
	return out
}
