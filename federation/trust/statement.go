package trust

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust/metadatapolicy"
)

const (
	// StatementType is the typ of Entity Statements.
	StatementType = "entity-statement+jwt"
	// MaxStatement bounds one statement. A node with four sealing keys and an
	// ML-DSA ledger key needs about 20 KiB.
	MaxStatement = 64 << 10
	// maxHints bounds authority_hints, because each may cost a Resolver fetches.
	maxHints = 16
	// maxTime is the last second of the year 9999.
	maxTime = 253402300799
)

// statement is one Entity Statement's claims, as far as they are used here.
type statement struct {
	token    string
	signer   string // kid of the key that signed it
	iss, sub EntityID
	iat, exp time.Time
	keys     jose.KeySet
	hints    []EntityID
	marks    []TrustMark
	rules    MarkRules
	metadata rawMetadata

	constraints Constraints
	policy      metadatapolicy.Policy
}

// UnverifiedStatement is an Entity Statement that was parsed and that nobody has
// verified: everything it says is the sender's claim. Its fields may choose what
// to fetch next and nothing else. The zero value is empty.
type UnverifiedStatement struct{ s statement }

// Token is the statement as it was parsed.
func (u UnverifiedStatement) Token() string { return u.s.token }

// Issuer is the iss claim.
func (u UnverifiedStatement) Issuer() EntityID { return u.s.iss }

// Subject is the sub claim.
func (u UnverifiedStatement) Subject() EntityID { return u.s.sub }

// IsConfiguration reports whether the statement is an Entity Configuration, that
// is, whether issuer and subject are the same.
func (u UnverifiedStatement) IsConfiguration() bool { return u.s.iss == u.s.sub && u.s.iss != "" }

// IssuedAt is the iat claim.
func (u UnverifiedStatement) IssuedAt() time.Time { return u.s.iat }

// ExpiresAt is the exp claim.
func (u UnverifiedStatement) ExpiresAt() time.Time { return u.s.exp }

// Keys are the federation keys that the statement gives its subject.
func (u UnverifiedStatement) Keys() jose.KeySet { return u.s.keys }

// AuthorityHints are the superiors an Entity Configuration names. The slice is the
// caller's.
func (u UnverifiedStatement) AuthorityHints() []EntityID { return slices.Clone(u.s.hints) }

// EntityTypes are the Entity Types of the statement's metadata, in order.
func (u UnverifiedStatement) EntityTypes() []string { return slices.Sorted(maps.Keys(u.s.metadata)) }

// Metadata is what the statement itself declares, before any superior's word.
func (u UnverifiedStatement) Metadata() (Metadata, error) {
	m, err := u.s.metadata.decode()
	if err != nil {
		return Metadata{}, err
	}
	return m, nil
}

// TrustMarks are those that the Entity shows, unverified. The slice is the caller's.
func (u UnverifiedStatement) TrustMarks() []TrustMark { return slices.Clone(u.s.marks) }

// claims mirrors the claims of sections 3.1.1 to 3.1.4. Raw members tell absent
// from null and from empty.
type claims struct {
	Iss                *string         `json:"iss"`
	Sub                *string         `json:"sub"`
	Iat                *int64          `json:"iat"`
	Exp                *int64          `json:"exp"`
	JWKS               json.RawMessage `json:"jwks"`
	AuthorityHints     json.RawMessage `json:"authority_hints"`
	TrustAnchorHints   json.RawMessage `json:"trust_anchor_hints"`
	TrustMarks         json.RawMessage `json:"trust_marks"`
	TrustMarkIssuers   json.RawMessage `json:"trust_mark_issuers"`
	TrustMarkOwners    json.RawMessage `json:"trust_mark_owners"`
	TrustAnchor        json.RawMessage `json:"trust_anchor"`
	SourceEndpoint     json.RawMessage `json:"source_endpoint"`
	Metadata           json.RawMessage `json:"metadata"`
	MetadataPolicy     json.RawMessage `json:"metadata_policy"`
	MetadataPolicyCrit json.RawMessage `json:"metadata_policy_crit"`
	Constraints        json.RawMessage `json:"constraints"`
	Crit               json.RawMessage `json:"crit"`
}

// ParseStatement parses an Entity Configuration or Subordinate Statement without
// trusting it. Claims this package does not know are ignored unless crit lists
// them. The error is a [*ChainError] with Statement -1.
func ParseStatement(token string) (UnverifiedStatement, error) {
	s, err := parseStatement(token)
	if err != nil {
		return UnverifiedStatement{}, err.at(-1)
	}
	return UnverifiedStatement{s}, nil
}

func parseStatement(token string) (statement, *ChainError) {
	if len(token) > MaxStatement {
		return statement{}, broken(ruleSize, nil)
	}
	u, err := jose.Parse(token)
	if err != nil {
		return statement{}, joseFault(err)
	}
	if u.Type() != StatementType {
		return statement{}, broken(ruleType, nil)
	}
	if u.KeyID() == "" || hasChainHeader(token) {
		return statement{}, broken(ruleHeader, nil)
	}
	var c claims
	if err := jose.DecodeOpenClaims(u.Payload(), &c); err != nil {
		return statement{}, broken(ruleClaims, errors.New("not the JSON object of an Entity Statement"))
	}
	s, fault := c.statement()
	if fault != nil {
		fault.Entity = s.sub
		return statement{}, fault
	}
	s.token, s.signer = token, u.KeyID()
	return s, nil
}

// hasChainHeader looks for the trust_chain and peer_trust_chain header parameters,
// which Entity Configurations and Subordinate Statements must not carry.
func hasChainHeader(token string) bool {
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return true
	}
	var h map[string]json.RawMessage
	if json.Unmarshal(raw, &h) != nil {
		return true
	}
	return h["trust_chain"] != nil || h["peer_trust_chain"] != nil
}

// statement checks the claims. On a fault it still returns the subject, so that
// the error can name it.
func (c *claims) statement() (statement, *ChainError) {
	var s statement
	var err error
	if c.Sub == nil || c.Iss == nil {
		return s, broken(ruleClaims, errors.New("iss or sub missing"))
	}
	if s.sub, err = ParseEntityID(*c.Sub); err != nil {
		return s, broken(ruleClaims, errors.New("sub is not an Entity Identifier"))
	}
	if s.iss, err = ParseEntityID(*c.Iss); err != nil {
		return s, broken(ruleClaims, errors.New("iss is not an Entity Identifier"))
	}
	if c.Iat == nil || c.Exp == nil || *c.Iat < 0 || *c.Exp <= *c.Iat || *c.Exp > maxTime {
		return s, broken(ruleClaims, errors.New("iat and exp missing or out of order"))
	}
	s.iat, s.exp = time.Unix(*c.Iat, 0).UTC(), time.Unix(*c.Exp, 0).UTC()
	if s.keys, err = jose.ParseKeySet(c.JWKS); err != nil || s.keys.Len() == 0 {
		return s, broken(ruleClaims, errors.New("jwks missing, malformed or without a usable key"))
	}
	if c.Crit != nil {
		return s, broken(ruleCritical, nil)
	}
	if fault := c.placement(s.iss == s.sub); fault != nil {
		return s, fault
	}
	if s.hints, err = parseHints("authority_hints", c.AuthorityHints); err != nil {
		return s, broken(ruleClaims, err)
	}
	if _, err = parseHints("trust_anchor_hints", c.TrustAnchorHints); err != nil {
		return s, broken(ruleClaims, err)
	}
	if s.marks, err = parseMarks(c.TrustMarks); err != nil {
		return s, broken(ruleClaims, err)
	}
	if s.rules, err = parseMarkRules(c.TrustMarkIssuers, c.TrustMarkOwners); err != nil {
		return s, broken(ruleClaims, err)
	}
	if s.metadata, err = parseRawMetadata(c.Metadata); err != nil {
		return s, broken(ruleClaims, err)
	}
	if s.constraints, err = parseConstraints(c.Constraints); err != nil {
		return s, broken(ruleClaims, err)
	}
	var fault *ChainError
	s.policy, fault = parsePolicy(c.MetadataPolicy, c.MetadataPolicyCrit)
	return s, fault
}

// placement refuses claims of the other kind of statement (sections 3.1.2 and
// 3.1.3).
func (c *claims) placement(configuration bool) *ChainError {
	if c.TrustAnchor != nil {
		return broken(ruleMisplaced, errors.New("trust_anchor"))
	}
	if configuration {
		for name, raw := range map[string]json.RawMessage{
			"constraints": c.Constraints, "metadata_policy": c.MetadataPolicy,
			"metadata_policy_crit": c.MetadataPolicyCrit, "source_endpoint": c.SourceEndpoint,
		} {
			if raw != nil {
				return broken(ruleMisplaced, errors.New(name))
			}
		}
		return nil
	}
	for name, raw := range map[string]json.RawMessage{
		"authority_hints": c.AuthorityHints, "trust_anchor_hints": c.TrustAnchorHints, "trust_marks": c.TrustMarks,
		"trust_mark_issuers": c.TrustMarkIssuers, "trust_mark_owners": c.TrustMarkOwners,
	} {
		if raw != nil {
			return broken(ruleMisplaced, errors.New(name))
		}
	}
	return nil
}

func parseHints(name string, raw json.RawMessage) ([]EntityID, error) {
	if raw == nil {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 || len(list) > maxHints {
		return nil, errors.New(name + " is not an array of 1 to 16 strings")
	}
	hints := make([]EntityID, len(list))
	for i, h := range list {
		id, err := ParseEntityID(h)
		if err != nil || slices.Contains(hints[:i], id) {
			return nil, errors.New(name + " holds a repeated or malformed Entity Identifier")
		}
		hints[i] = id
	}
	return hints, nil
}

// joseFault maps what crypto/jose refuses onto the rules of a chain.
func joseFault(err error) *ChainError {
	for _, m := range []struct {
		is   error
		rule Rule
	}{
		{jose.ErrTooLarge, ruleSize},
		{jose.ErrType, ruleType},
		{jose.ErrAlgorithm, ruleAlgorithm},
		{jose.ErrCritical, ruleHeader},
		{jose.ErrKey, ruleKey},
		{jose.ErrSignature, ruleSignature},
	} {
		if errors.Is(err, m.is) {
			return broken(m.rule, nil)
		}
	}
	return broken(ruleSyntax, nil)
}
