package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// ResolveType is the typ of resolve responses.
const ResolveType = "resolve-response+jwt"

// resolveResponse is the claims set of a resolve response (section 8.3.2).
type resolveResponse struct {
	Iss        string      `json:"iss"`
	Sub        string      `json:"sub"`
	Iat        *int64      `json:"iat"`
	Exp        *int64      `json:"exp"`
	Metadata   rawMetadata `json:"metadata"`
	TrustChain []string    `json:"trust_chain"`
}

// SignResolve states what a verified chain resolves to. types, when not nil, limits
// the metadata to these Entity Types.
func SignResolve(key jose.PrivateKey, resolver EntityID, c Chain, types []string, now time.Time) (string, error) {
	metadata := c.resolved
	if types != nil {
		metadata = rawMetadata{}
		for _, t := range types {
			if p, ok := c.resolved[t]; ok {
				metadata[t] = p
			}
		}
	}
	iat, exp := now.Unix(), c.ExpiresAt.Unix()
	payload, err := json.Marshal(resolveResponse{string(resolver), string(c.Leaf), &iat, &exp, metadata, c.statements})
	if err != nil {
		return "", fmt.Errorf("signing resolve response: %w", err)
	}
	return jose.Sign(key, ResolveType, payload)
}

// VerifyResolve verifies a resolve response that the Anchor itself issued about
// subject. Nothing of its metadata is used: the chain inside is verified and
// resolved here.
func VerifyResolve(token string, anchor Anchor, subject EntityID, now time.Time) (Chain, error) {
	u, err := jose.Parse(token)
	if err != nil {
		return Chain{}, fmt.Errorf("verifying resolve response: %w", err)
	}
	var r resolveResponse
	if err := jose.DecodeOpenClaims(u.Payload(), &r); err != nil {
		return Chain{}, fmt.Errorf("verifying resolve response: %w", err)
	}
	if r.Iss != string(anchor.EntityID) || r.Sub != string(subject) || r.Iat == nil || r.Exp == nil {
		return Chain{}, errors.New("verifying resolve response: iss, sub, iat or exp missing or about somebody else")
	}
	c, err := VerifyChain(r.TrustChain, []Anchor{anchor}, now)
	if err != nil {
		return Chain{}, fmt.Errorf("verifying resolve response: %w", err)
	}
	if c.Leaf != subject {
		return Chain{}, &ChainError{Statement: -1, Entity: c.Leaf, Rule: RuleWrongEntity}
	}
	if _, err := jose.Verify(token, ResolveType, c.AnchorKeys); err != nil {
		return Chain{}, fmt.Errorf("verifying resolve response: %w", err)
	}
	if now.Unix() >= *r.Exp || *r.Iat > now.Add(ClockSkew).Unix() {
		return Chain{}, fmt.Errorf("verifying resolve response: %w", ErrExpired)
	}
	return c, nil
}
