package trust

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

const (
	// MaxChain bounds a Trust Chain: Leaf, up to five Intermediates' statements,
	// the Anchor's statement and its Entity Configuration.
	MaxChain = 8
	// ClockSkew is how far in the future an iat may lie, because two states' clocks
	// differ. Expiry gets no such allowance: the issuer chose it.
	ClockSkew = 60 * time.Second
)

// Anchor is a Trust Anchor as its operator announced it out of band. Its keys are
// never taken from the network.
type Anchor struct {
	// EntityID is the Trust Anchor's Entity Identifier.
	EntityID EntityID `json:"entity_id"`
	// Keys are its federation keys.
	Keys jose.KeySet `json:"jwks"`
	// Since is when the Entity Configuration was issued that names Keys, when they were
	// followed by those; zero when they came from out of band. What an earlier one names
	// beside Keys may have been withdrawn since.
	Since time.Time `json:"-"`
	// Location is the base URL where its endpoints are reached; empty means the
	// Entity Identifier itself.
	Location string `json:"location,omitempty"`
}

// Chain is a verified Trust Chain. Only [VerifyChain] and what rests on it make
// one; the zero value names nobody. Read-only, safe for concurrent use.
type Chain struct {
	// Leaf is the subject, Anchor the Trust Anchor it leads to.
	Leaf, Anchor EntityID
	// ExpiresAt is the earliest expiry of any statement in the chain.
	ExpiresAt time.Time
	// Metadata is the Leaf's resolved metadata: its own with its immediate superior's
	// and the metadata policies of all superiors applied.
	Metadata Metadata
	// JWKS are the Leaf's federation keys as its superior vouches for them.
	JWKS jose.KeySet
	// TrustMarks are what the Leaf's Entity Configuration holds, unverified.
	TrustMarks []TrustMark
	// MarkRules are the Anchor's, empty when the chain ends without its Entity
	// Configuration: no Trust Mark is then worth anything.
	MarkRules MarkRules
	// AnchorKeys are the Anchor's federation keys, those in its Entity Configuration
	// when the chain has one.
	AnchorKeys jose.KeySet
	// Superior is whether the constraints let a chain lead through the Leaf to
	// somebody below it.
	Superior bool
	// Superiors are the issuers of the Subordinate Statements: the immediate superior
	// first, the Anchor last.
	Superiors []EntityID

	statements []string
	signer     string // kid of the key that signed the Leaf's Entity Configuration
	above      *above // the node that this chain passes through, nil for none
	resolved   rawMetadata
	pinned     rawMetadata
}

// above are the nodes below which another is: the nearest, and the jurisdiction that was
// pinned of each.
type above struct {
	nearest       EntityID
	jurisdictions []string
}

// Statements are the tokens the chain was verified from, Leaf first. The slice is
// the caller's.
func (c Chain) Statements() []string { return slices.Clone(c.statements) }

// VerifyChain verifies a Trust Chain (OpenID Federation sections 3.2 and 10.2):
// the Leaf's Entity Configuration, one Subordinate Statement per level, and
// optionally the Trust Anchor's Entity Configuration, in this order. anchors hold
// the keys that came from out of band. Every error is a [*ChainError]; the Chain is
// then zero.
func VerifyChain(chain []string, anchors []Anchor, now time.Time) (Chain, error) {
	c, statements, fault := verifyUndated(chain, anchors)
	if fault == nil {
		fault = checkTimes(statements, now)
	}
	if fault != nil {
		return Chain{}, fault
	}
	return c, nil
}

// VerifyUndated is [VerifyChain] without a look at the clock, for a snapshot that was
// verified before and whose expiry is checked at each look-up.
func VerifyUndated(chain []string, anchors []Anchor) (Chain, error) {
	c, _, fault := verifyUndated(chain, anchors)
	if fault != nil {
		return Chain{}, fault
	}
	return c, nil
}

func verifyUndated(chain []string, anchors []Anchor) (Chain, []statement, *ChainError) {
	statements, fault := parseChain(chain)
	if fault == nil {
		fault = checkGraph(statements)
	}
	if fault != nil {
		return Chain{}, nil, fault
	}
	top := len(statements) - 1
	i := slices.IndexFunc(anchors, func(a Anchor) bool { return a.EntityID == statements[top].iss })
	if i < 0 {
		return Chain{}, nil, statements[top].fault(ruleAnchor, top)
	}
	anchorKeys, fault := verifySignatures(statements, anchors[i])
	if fault != nil {
		return Chain{}, nil, fault
	}
	leaf, superior := statements[0], statements[1]
	c := Chain{
		Leaf: leaf.sub, Anchor: anchors[i].EntityID, ExpiresAt: leaf.exp, JWKS: superior.keys,
		statements: slices.Clone(chain), AnchorKeys: anchorKeys, TrustMarks: leaf.marks,
		pinned: superior.metadata, signer: leaf.signer,
	}
	if c.resolved, fault = resolve(statements); fault != nil {
		return Chain{}, nil, fault
	}
	for j, s := range statements[1:] {
		if s.exp.Before(c.ExpiresAt) {
			c.ExpiresAt = s.exp
		}
		if s.iss != s.sub {
			c.Superiors = append(c.Superiors, s.iss)
		}
		if jurisdiction := s.metadata[TypeNode]["jurisdiction"]; j > 0 && s.iss != s.sub && jurisdiction != nil {
			if c.above == nil {
				c.above = &above{nearest: s.sub}
			}
			var pinned string
			if json.Unmarshal(jurisdiction, &pinned) != nil {
				return Chain{}, nil, s.fault(ruleMetadata, j+1)
			}
			c.above.jurisdictions = append(c.above.jurisdictions, pinned)
		}
	}
	c.Superior = !slices.ContainsFunc(statements, func(s statement) bool {
		most := s.constraints.MaxPathLength
		return most != nil && slices.IndexFunc(c.Superiors, func(id EntityID) bool { return id == s.iss }) >= *most
	})
	if last := statements[top]; last.iss == last.sub {
		c.MarkRules = last.rules
	}
	var err error
	if c.Metadata, err = c.resolved.decode(); err != nil {
		f := leaf.fault(ruleMetadata, 0)
		f.Err = err
		return Chain{}, nil, f
	}
	return c, statements, nil
}

func parseChain(chain []string) ([]statement, *ChainError) {
	if len(chain) < 2 || len(chain) > MaxChain {
		return nil, broken(ruleLength, nil).at(-1)
	}
	statements := make([]statement, len(chain))
	for i, token := range chain {
		s, fault := parseStatement(token)
		if fault != nil {
			return nil, fault.at(i)
		}
		statements[i] = s
	}
	return statements, nil
}

// checkGraph checks what statements say about each other, before any signature:
// nothing here is trusted, and everything here is cheap.
func checkGraph(statements []statement) *ChainError {
	top := len(statements) - 1
	seen := make(map[EntityID]bool, len(statements))
	for j, s := range statements {
		configuration := s.iss == s.sub
		if wanted := j == 0 || (j == top && j > 1 && configuration); configuration != wanted {
			return s.fault(ruleOrder, j)
		}
		if j > 0 && statements[j-1].iss != s.sub {
			return s.fault(ruleLink, j)
		}
		// An Entity is the subject of one statement; the Leaf and the Anchor's
		// closing configuration follow from the links.
		if j != 1 && seen[s.sub] {
			return s.fault(ruleLoop, j)
		}
		seen[s.sub] = true
	}
	if last := statements[top]; last.iss != last.sub && seen[last.iss] {
		return last.fault(ruleLoop, top)
	}
	if !slices.Contains(statements[0].hints, statements[1].iss) {
		return statements[1].fault(RuleHint, 1)
	}
	return checkConstraints(statements)
}

// verifySignatures goes from the Anchor down, so that a key is used only after the
// statement that vouches for it has been verified. It returns the Anchor's keys,
// those in its own Entity Configuration when the chain has one.
func verifySignatures(statements []statement, a Anchor) (jose.KeySet, *ChainError) {
	keys, anchorKeys := a.Keys, a.Keys
	for j := len(statements) - 1; j >= 0; j-- {
		s := statements[j]
		if fault := s.verify(keys); fault != nil {
			return jose.KeySet{}, fault.at(j)
		}
		// A configuration must also verify under the keys it announces itself.
		if s.iss == s.sub {
			if fault := s.verify(s.keys); fault != nil {
				return jose.KeySet{}, fault.at(j)
			}
		}
		keys = s.keys
		if j > 0 && s.iss == s.sub {
			keys = a.Current(s.keys, s.iat)
			anchorKeys = keys
		}
	}
	return anchorKeys, nil
}

// Current are those of the keys in an Entity Configuration of the Anchor that it is not
// known to have withdrawn since that was issued: who has a withdrawn key could otherwise
// put an earlier Entity Configuration, which still holds, behind what he signs.
func (a Anchor) Current(keys jose.KeySet, issued time.Time) jose.KeySet {
	if !issued.Before(a.Since) {
		return keys
	}
	var out []jose.PublicKey
	for _, k := range keys.Keys() {
		if known, ok := a.Keys.Key(k.KeyID()); ok && known.Equal(k) {
			out = append(out, k)
		}
	}
	return jose.NewKeySet(out...)
}

func (s *statement) verify(keys jose.KeySet) *ChainError {
	if _, err := jose.Verify(s.token, StatementType, keys); err != nil {
		f := joseFault(err)
		f.Entity = s.sub
		return f
	}
	return nil
}

func checkTimes(statements []statement, now time.Time) *ChainError {
	for j, s := range statements {
		if s.iat.After(now.Add(ClockSkew)) {
			return s.fault(ruleNotYet, j)
		}
		if !now.Before(s.exp) {
			return s.fault(ruleExpired, j)
		}
	}
	return nil
}

func (s *statement) fault(r Rule, j int) *ChainError {
	return &ChainError{Statement: j, Entity: s.sub, Rule: r}
}
