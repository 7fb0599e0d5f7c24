package trust

import (
	"encoding/json"
	"errors"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Limits on trust marks. They bound what one Entity makes others verify.
const (
	maxMarks     = 32
	maxMark      = 16 << 10
	maxMarkTypes = 128
	maxMarkType  = 1024
)

// TrustMark is a Trust Mark as an Entity Configuration holds it. Nobody has verified it:
// package trustmark does.
type TrustMark struct {
	// Type is the Trust Mark type identifier; the token's claim is the same.
	Type string `json:"trust_mark_type"`
	// Token is the Trust Mark, a JWS.
	Token string `json:"trust_mark"`
}

// MarkOwner owns a Trust Mark type and delegates the right to issue marks of it.
type MarkOwner struct {
	Entity EntityID    `json:"sub"`
	Keys   jose.KeySet `json:"jwks"`
}

// MarkRules are a Trust Anchor's word on Trust Marks, from its Entity Configuration.
type MarkRules struct {
	// Issuers are who may issue marks of a type; an empty slice means anyone. Marks of a
	// type that is not here are worth nothing.
	Issuers map[string][]EntityID
	// Owners are the types for which a delegation is needed.
	Owners map[string]MarkOwner
}

// parseMarks checks a trust_marks claim as far as section 3.1.5 says that it is syntax.
func parseMarks(raw json.RawMessage) ([]TrustMark, error) {
	if raw == nil {
		return nil, nil
	}
	var list []struct {
		Type  *string `json:"trust_mark_type"`
		Token *string `json:"trust_mark"`
	}
	if json.Unmarshal(raw, &list) != nil || list == nil || len(list) > maxMarks {
		return nil, errors.New("trust_marks is not an array of at most 32 objects")
	}
	marks := make([]TrustMark, 0, len(list))
	for _, m := range list {
		if m.Type == nil || m.Token == nil || !isMarkType(*m.Type) || len(*m.Token) > maxMark {
			return nil, errors.New("trust_marks holds a mark without type or token, or one that is too long")
		}
		u, err := jose.Parse(*m.Token)
		var claims struct {
			Type string `json:"trust_mark_type"`
		}
		if err != nil || jose.DecodeOpenClaims(u.Payload(), &claims) != nil || claims.Type != *m.Type {
			return nil, errors.New("trust_marks holds a token that is not of the type it is listed under")
		}
		marks = append(marks, TrustMark{*m.Type, *m.Token})
	}
	return marks, nil
}

func isMarkType(s string) bool { return IsPrintable(s, maxMarkType) }

// parseMarkRules reads trust_mark_issuers and trust_mark_owners.
func parseMarkRules(issuers, owners json.RawMessage) (MarkRules, error) {
	var r MarkRules
	if issuers != nil && (json.Unmarshal(issuers, &r.Issuers) != nil || r.Issuers == nil || len(r.Issuers) > maxMarkTypes) {
		return MarkRules{}, errors.New("trust_mark_issuers is not an object of arrays of Entity Identifiers")
	}
	for kind, ids := range r.Issuers {
		if !isMarkType(kind) || ids == nil || len(ids) > maxMarkTypes {
			return MarkRules{}, errors.New("trust_mark_issuers is not an object of arrays of Entity Identifiers")
		}
	}
	if owners != nil && (json.Unmarshal(owners, &r.Owners) != nil || r.Owners == nil || len(r.Owners) > maxMarkTypes) {
		return MarkRules{}, errors.New("trust_mark_owners is not an object of owners")
	}
	for kind, o := range r.Owners {
		if !isMarkType(kind) || o.Entity == "" || o.Keys.Len() == 0 {
			return MarkRules{}, errors.New("trust_mark_owners holds an owner without sub or jwks")
		}
	}
	return r, nil
}
