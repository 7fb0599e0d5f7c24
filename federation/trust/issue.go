package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// EntityConfiguration is what an Entity says about itself; see
// [SignEntityConfiguration].
type EntityConfiguration struct {
	// Entity is issuer and subject.
	Entity EntityID
	// IssuedAt and ExpiresAt bound the statement, in whole seconds.
	IssuedAt, ExpiresAt time.Time
	// Keys are the Entity's federation keys, the signing key among them. Empty
	// means the signing key alone. Protocol keys belong into Metadata.
	Keys jose.KeySet
	// AuthorityHints are the immediate superiors; empty only for a Trust Anchor.
	AuthorityHints []EntityID
	// TrustAnchorHints are Anchors that the Entity is below of or trusts; optional.
	TrustAnchorHints []EntityID
	// TrustMarks are the Entity's own.
	TrustMarks []TrustMark
	// MarkRules are for a Trust Anchor alone.
	MarkRules MarkRules
	// Metadata declares the Entity's types.
	Metadata Metadata
}

// SubordinateStatement is what a superior says about an immediate subordinate; see
// [SignSubordinateStatement].
type SubordinateStatement struct {
	// Issuer is the superior, Subject the subordinate; they differ.
	Issuer, Subject EntityID
	// IssuedAt and ExpiresAt bound the statement, in whole seconds.
	IssuedAt, ExpiresAt time.Time
	// Keys are the subject's federation keys that the superior vouches for.
	Keys jose.KeySet
	// Metadata overrides what the subject declares, parameter by parameter. A
	// superior of a node pins jurisdiction and peer_id here, and peer_ids when it has some.
	Metadata Metadata
	// Constraints apply to the subject and to all below it.
	Constraints Constraints
	// Policy is the metadata policy for the subject and for all below it: the claim
	// that [metadatapolicy.Parse] reads, or nil.
	Policy json.RawMessage
	// SourceEndpoint is the fetch endpoint the statement comes from; optional.
	SourceEndpoint string
}

// signed is the claims set of both kinds of statement:
//
//	{"iss","sub","iat","exp","jwks",["authority_hints"],["trust_anchor_hints"],["trust_marks"],["trust_mark_issuers"],["trust_mark_owners"],["metadata"],["constraints"],["metadata_policy"],["source_endpoint"]}
type signed struct {
	Iss            EntityID              `json:"iss"`
	Sub            EntityID              `json:"sub"`
	Iat            int64                 `json:"iat"`
	Exp            int64                 `json:"exp"`
	JWKS           jose.KeySet           `json:"jwks"`
	AuthorityHints []EntityID            `json:"authority_hints,omitempty"`
	AnchorHints    []EntityID            `json:"trust_anchor_hints,omitempty"`
	TrustMarks     []TrustMark           `json:"trust_marks,omitempty"`
	MarkIssuers    map[string][]EntityID `json:"trust_mark_issuers,omitempty"`
	MarkOwners     map[string]MarkOwner  `json:"trust_mark_owners,omitempty"`
	Metadata       Metadata              `json:"metadata,omitzero"`
	Constraints    Constraints           `json:"constraints,omitzero"`
	MetadataPolicy json.RawMessage       `json:"metadata_policy,omitempty"`
	SourceEndpoint string                `json:"source_endpoint,omitempty"`
}

// SignEntityConfiguration signs c with the Entity's federation key and returns the
// compact JWS (OpenID Federation section 3). What it returns, [ParseStatement]
// accepts.
func SignEntityConfiguration(key jose.PrivateKey, c EntityConfiguration) (string, error) {
	keys := c.Keys
	if keys.Len() == 0 {
		keys = jose.NewKeySet(key.Public())
	}
	if _, ok := keys.Key(key.Public().KeyID()); !ok {
		return "", errors.New("signing entity configuration: the signing key is not among the Entity's keys")
	}
	return sign(key, signed{
		Iss: c.Entity, Sub: c.Entity, Iat: c.IssuedAt.Unix(), Exp: c.ExpiresAt.Unix(),
		JWKS: keys, AuthorityHints: c.AuthorityHints, AnchorHints: c.TrustAnchorHints, Metadata: c.Metadata,
		TrustMarks: c.TrustMarks, MarkIssuers: c.MarkRules.Issuers, MarkOwners: c.MarkRules.Owners,
	})
}

// SignSubordinateStatement signs s with the superior's federation key and returns
// the compact JWS (OpenID Federation section 3). What it returns, [ParseStatement]
// accepts.
func SignSubordinateStatement(key jose.PrivateKey, s SubordinateStatement) (string, error) {
	if s.Issuer == s.Subject {
		return "", errors.New("signing subordinate statement: issuer and subject are the same")
	}
	c := signed{
		Iss: s.Issuer, Sub: s.Subject, Iat: s.IssuedAt.Unix(), Exp: s.ExpiresAt.Unix(),
		JWKS: s.Keys, Metadata: s.Metadata, SourceEndpoint: s.SourceEndpoint,
		Constraints: s.Constraints, MetadataPolicy: s.Policy,
	}
	return sign(key, c)
}

// sign refuses to issue what nobody would accept.
func sign(key jose.PrivateKey, c signed) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("signing entity statement: %w", err)
	}
	token, err := jose.Sign(key, StatementType, payload)
	if err != nil {
		return "", fmt.Errorf("signing entity statement: %w", err)
	}
	if _, err := ParseStatement(token); err != nil {
		return "", fmt.Errorf("signing entity statement: %w", err)
	}
	return token, nil
}
