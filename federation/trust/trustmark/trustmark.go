package trustmark

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

const (
	markType       = "trust-mark+jwt"
	delegationType = "trust-mark-delegation+jwt"
	statusType     = "trust-mark-status-response+jwt"
)

// Mark is a Trust Mark that was verified, or is to be signed.
type Mark struct {
	// Type is the Trust Mark type identifier.
	Type string
	// Issuer gave it, Subject has it.
	Issuer, Subject trust.EntityID
	// IssuedAt is when, in whole seconds.
	IssuedAt time.Time
	// ExpiresAt is when the mark, or the delegation it rests on, ends; zero means never.
	ExpiresAt time.Time
	// Delegation is the owner's token, where the type has an owner.
	Delegation string
	// Reference is a URL for people; optional.
	Reference string
}

// Delegation is an owner's word that Issuer may issue marks of the type.
type Delegation struct {
	Type          string
	Owner, Issuer trust.EntityID
	IssuedAt      time.Time
	ExpiresAt     time.Time // zero means never
}

// claims are those of a mark, of a delegation and of nothing else:
//
//	mark       = {"iss","sub","trust_mark_type","iat",["exp"],["ref"],["delegation"]}
//	delegation = {"iss","sub","trust_mark_type","iat",["exp"]}
type claims struct {
	Iss        trust.EntityID `json:"iss"`
	Sub        trust.EntityID `json:"sub"`
	Type       string         `json:"trust_mark_type"`
	Iat        *int64         `json:"iat"`
	Exp        *int64         `json:"exp,omitempty"`
	Ref        string         `json:"ref,omitempty"`
	Delegation string         `json:"delegation,omitempty"`
}

// Errors of [Verify], for those who tell people why a mark counts for nothing.
var (
	// ErrUnrecognised: the Anchor does not say that the issuer may issue marks of the type.
	ErrUnrecognised = errors.New("not a mark of an issuer that the Trust Anchor names")
	// ErrDelegation: the owner's delegation is missing or not good.
	ErrDelegation = errors.New("delegation missing or not good")
	// ErrEnded: the mark has expired, or was issued in the future.
	ErrEnded = errors.New("expired, or issued in the future")
)

// Sign issues a mark with the issuer's federation key (section 7.1).
func Sign(key jose.PrivateKey, m Mark) (string, error) {
	return sign(key, markType, claims{Iss: m.Issuer, Sub: m.Subject, Type: m.Type, Ref: m.Reference, Delegation: m.Delegation}, m.IssuedAt, m.ExpiresAt)
}

// SignDelegation gives an issuer the right to issue marks, with the owner's federation
// key (section 7.2.1).
func SignDelegation(key jose.PrivateKey, d Delegation) (string, error) {
	return sign(key, delegationType, claims{Iss: d.Owner, Sub: d.Issuer, Type: d.Type}, d.IssuedAt, d.ExpiresAt)
}

func sign(key jose.PrivateKey, typ string, c claims, issued, expires time.Time) (string, error) {
	iat := issued.Unix()
	c.Iat = &iat
	if !expires.IsZero() {
		exp := expires.Unix()
		c.Exp = &exp
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("signing trust mark: %w", err)
	}
	if _, err := decode(payload); err != nil {
		return "", fmt.Errorf("signing trust mark: %w", err)
	}
	token, err := jose.Sign(key, typ, payload)
	if err != nil {
		return "", fmt.Errorf("signing trust mark: %w", err)
	}
	return token, nil
}

func decode(payload []byte) (claims, error) {
	var c claims
	if err := jose.DecodeOpenClaims(payload, &c); err != nil {
		return claims{}, err
	}
	if c.Iss == "" || c.Sub == "" || c.Type == "" || c.Iat == nil || *c.Iat < 0 || (c.Exp != nil && *c.Exp <= *c.Iat) {
		return claims{}, errors.New("iss, sub, trust_mark_type or iat missing, or exp before iat")
	}
	return c, nil
}

// Unverified is what a mark claims of itself; nobody has verified it.
type Unverified Mark

// Read reads a mark without trusting it: to find its issuer's keys, or its place in the
// issuer's records.
func Read(token string) (Unverified, error) {
	u, err := jose.Parse(token)
	if err != nil {
		return Unverified{}, fmt.Errorf("reading trust mark: %w", err)
	}
	c, err := decode(u.Payload())
	if err != nil {
		return Unverified{}, fmt.Errorf("reading trust mark: %w", err)
	}
	return Unverified(c.mark()), nil
}

func (c claims) mark() Mark {
	return Mark{Type: c.Type, Issuer: c.Iss, Subject: c.Sub, IssuedAt: time.Unix(*c.Iat, 0).UTC(), ExpiresAt: c.expiry(),
		Delegation: c.Delegation, Reference: c.Ref}
}

// Verify validates a mark (section 7.3) that the Entity Configuration of subject holds,
// under the rules of the Trust Anchor through which the issuer is trusted and the
// issuer's federation keys by its Trust Chain to that Anchor. The error may match one of
// this package's; no other tells more than that the token is not a mark of that issuer
// and subject.
func Verify(token string, subject trust.EntityID, rules trust.MarkRules, issuerKeys jose.KeySet, now time.Time) (Mark, error) {
	fail := func(err error) (Mark, error) { return Mark{}, fmt.Errorf("verifying trust mark: %w", err) }
	payload, err := jose.Verify(token, markType, issuerKeys)
	if err != nil {
		return fail(err)
	}
	c, err := decode(payload)
	if err != nil {
		return fail(err)
	}
	if c.Sub != subject {
		return fail(errors.New("it is about another Entity"))
	}
	issuers, known := rules.Issuers[c.Type]
	if !known || (len(issuers) > 0 && !slices.Contains(issuers, c.Iss)) {
		return fail(ErrUnrecognised)
	}
	if !c.holds(now) {
		return fail(ErrEnded)
	}
	m := c.mark()
	owner, owned := rules.Owners[c.Type]
	if !owned && c.Delegation == "" {
		return m, nil
	}
	d, err := verifyDelegation(c.Delegation, owner, c, now)
	if err != nil {
		return fail(fmt.Errorf("%w: %v", ErrDelegation, err))
	}
	if exp := d.expiry(); !exp.IsZero() && (m.ExpiresAt.IsZero() || exp.Before(m.ExpiresAt)) {
		m.ExpiresAt = exp
	}
	return m, nil
}

// verifyDelegation is section 7.2.2. A delegation by somebody whom the Anchor does not
// name as owner verifies under no key.
func verifyDelegation(token string, owner trust.MarkOwner, mark claims, now time.Time) (claims, error) {
	payload, err := jose.Verify(token, delegationType, owner.Keys)
	if err != nil {
		return claims{}, err
	}
	d, err := decode(payload)
	switch {
	case err != nil:
		return claims{}, err
	case d.Iss != owner.Entity || d.Sub != mark.Iss || d.Type != mark.Type:
		return claims{}, errors.New("it is of another owner, issuer or type")
	case !d.holds(now):
		return claims{}, ErrEnded
	}
	return d, nil
}

func (c claims) holds(now time.Time) bool {
	return *c.Iat <= now.Add(trust.ClockSkew).Unix() && (c.Exp == nil || now.Unix() < *c.Exp)
}

func (c claims) expiry() time.Time {
	if c.Exp == nil {
		return time.Time{}
	}
	return time.Unix(*c.Exp, 0).UTC()
}

// Status is what an issuer says of a mark (section 8.4.2).
type Status string

// The statuses of the specification. Any other means that the mark is not active.
const (
	Active  Status = "active"
	Expired Status = "expired"
	Revoked Status = "revoked"
	Invalid Status = "invalid"
)

// statusClaims is a status response: {"iss","iat","trust_mark","status"}.
type statusClaims struct {
	Iss    trust.EntityID `json:"iss"`
	Iat    *int64         `json:"iat"`
	Mark   string         `json:"trust_mark"`
	Status Status         `json:"status"`
}

// SignStatus states what a mark is worth at now, with the issuer's federation key.
func SignStatus(key jose.PrivateKey, issuer trust.EntityID, mark string, s Status, now time.Time) (string, error) {
	iat := now.Unix()
	payload, err := json.Marshal(statusClaims{issuer, &iat, mark, s})
	if err != nil {
		return "", fmt.Errorf("signing status of trust mark: %w", err)
	}
	return jose.Sign(key, statusType, payload)
}

// VerifyStatus verifies an issuer's status response about mark. It returns the status and
// when it was given; how long that is good for is the caller's to say.
func VerifyStatus(token, mark string, issuer trust.EntityID, issuerKeys jose.KeySet, now time.Time) (Status, time.Time, error) {
	payload, err := jose.Verify(token, statusType, issuerKeys)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("verifying status of trust mark: %w", err)
	}
	var c statusClaims
	if err := jose.DecodeOpenClaims(payload, &c); err != nil {
		return "", time.Time{}, fmt.Errorf("verifying status of trust mark: %w", err)
	}
	if c.Iss != issuer || c.Mark != mark || c.Iat == nil || *c.Iat > now.Add(trust.ClockSkew).Unix() || c.Status == "" {
		return "", time.Time{}, errors.New("verifying status of trust mark: it is of another issuer or mark, or from the future")
	}
	return c.Status, time.Unix(*c.Iat, 0).UTC(), nil
}
