package trust

import "fmt"

// Rule names one reason why a Trust Chain is refused. The strings are stable:
// operators read them and tests compare them.
type Rule string

// The closed set of rules, in the order in which a chain is checked.
const (
	ruleLength      Rule = "chain-length"          // fewer than 2 or more than 8 statements
	ruleSize        Rule = "statement-size"        // a statement over 64 KiB
	ruleSyntax      Rule = "syntax"                // not a compact JWS with a JSON object
	ruleType        Rule = "type"                  // typ is not entity-statement+jwt
	ruleAlgorithm   Rule = "algorithm"             // alg is not one this federation allows
	ruleHeader      Rule = "header"                // kid missing, or trust_chain in a header
	ruleClaims      Rule = "claims"                // a required claim is missing or malformed
	ruleCritical    Rule = "critical-claim"        // crit names a claim not implemented here
	ruleMisplaced   Rule = "misplaced-claim"       // claim of the other kind of statement
	rulePolicy      Rule = "metadata-policy"       // a policy malformed, not understood, or in conflict with a superior's
	ruleOrder       Rule = "statement-order"       // configuration or subordinate statement where the other belongs
	ruleLink        Rule = "issuer-subject"        // ES[j].iss is not ES[j+1].sub
	ruleLoop        Rule = "loop"                  // an Entity appears twice
	RuleHint        Rule = "authority-hint"        // superior not in the subject's authority_hints
	ruleAnchor      Rule = "unknown-anchor"        // the chain ends at no configured Anchor
	ruleKey         Rule = "unknown-key"           // kid not among the keys the superior vouches for
	ruleSignature   Rule = "signature"             // the signature does not verify
	ruleNotYet      Rule = "issued-in-future"      // iat more than a minute ahead
	ruleExpired     Rule = "expired"               // exp has passed
	rulePath        Rule = "max-path-length"       // more Intermediates than allowed
	ruleName        Rule = "naming-constraint"     // an Entity Identifier outside the names allowed
	ruleCompliance  Rule = "policy-violation"      // the Leaf's metadata breaks the metadata policy
	ruleMetadata    Rule = "metadata"              // resolved metadata malformed
	RuleNotNode     Rule = "no-tamga-node"         // the Entity is no Tamga node
	ruleUnpinned    Rule = "unpinned"              // superior pins no jurisdiction or peer ID
	RuleUnproved    Rule = "peer-id-unproved"      // no peer ID whose key has signed for the Entity
	ruleForeign     Rule = "foreign-jurisdiction"  // a node below the node of another country
	ruleKeysShared  Rule = "federation-key-reused" // a federation key used as a protocol key
	RuleWrongEntity Rule = "wrong-entity"          // a valid chain, about somebody else
)

// ChainError says which statement of a Trust Chain broke which rule.
type ChainError struct {
	// Statement is the position in the chain: 0 is the Leaf's Entity
	// Configuration; -1 when no single statement is at fault.
	Statement int
	// Entity is the subject the statement claims, unverified; empty when the
	// statement could not be parsed so far.
	Entity EntityID
	// Rule is what was broken.
	Rule Rule
	// Err is the detail, or nil. It is an implementation detail and not unwrapped.
	Err error
}

// Error names the statement and the rule, and never quotes a claim's value other
// than the Entity Identifier, cut to a bounded length.
func (e *ChainError) Error() string {
	s := "checking trust chain"
	if e.Statement >= 0 {
		s += fmt.Sprintf(": statement %d", e.Statement)
	}
	if e.Entity != "" {
		s += fmt.Sprintf(" about %q", e.Entity.Clip())
	}
	s += ": " + string(e.Rule)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// at places an error that a single statement caused in its chain.
func (e *ChainError) at(i int) *ChainError {
	c := *e
	c.Statement = i
	return &c
}

func broken(rule Rule, err error) *ChainError { return &ChainError{Rule: rule, Err: err} }

func clip(s string) string {
	const most = 128
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
