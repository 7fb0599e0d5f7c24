// Package consent issues and verifies a person's signed permission that one
// office may ask another for a comparison of their biometrics.
//
// A consent is a compact JWS (RFC 7515) of typ "tamga-consent+jwt", signed
// with the holder's key, which lives in the person's wallet. Its public half
// travels inside as the cnf claim (RFC 7800 section 3.2), and it counts only
// when its RFC 7638 thumbprint is the one recorded at the person's enrolment:
// the responder keeps a thumbprint, the consent brings the key.
//
//	payload = {
//	  "jti": id, "iss": thumbprint, "aud": [requester], "controller": entity,
//	  "purpose": purpose, "modalities": [modality, ...],
//	  "iat": seconds, "exp": seconds, "cnf": {"jwk": holder's public key}
//	}
//
// No member may be missing and no other may be present. A wallet calls
// [Issue]; the responder calls [Verify] with what it is about to do.
//
// The package does not decide whether consent is needed (federation/policy
// does), does not know of revocation, and does not remember what it has seen:
// a consent may be used until it expires, for every Query of that requester
// with that purpose. It is no ISO/IEC TS 27560 record, which describes far
// more and no signature; a record may refer to the id.
//
// Invariants:
//   - a [Consent] that [Verify] returned matches every field of the
//     [Expectation]; an empty expected field matches nothing;
//   - each reason to refuse has its own sentinel, and a refusal returns the
//     zero Consent;
//   - no consent is valid for longer than [MaxLifetime].
//
// Claims of this version stay verifiable; a new claim means a new typ.
package consent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Type is the JWS typ of a consent.
const Type = "tamga-consent+jwt"

// MaxLifetime is the longest time from iat to exp.
const MaxLifetime = 30 * 24 * time.Hour

// MaxSize is the longest token that [Issue] makes and [Verify] looks at, in
// bytes. Only identifiers of characters that JSON escapes get there.
const MaxSize = 8 << 10

// Skew is how far in the future iat may lie: the wallet's clock is a phone's.
// Expiry has no allowance.
const Skew = time.Minute

// Why a consent is refused. Each error of [Verify] wraps exactly one.
var (
	// ErrMalformed: no token of this typ, or a claim missing, unknown,
	// repeated or outside its syntax.
	ErrMalformed = errors.New("malformed consent")
	// ErrHolder: the key is not the one recorded for the person.
	ErrHolder = errors.New("consent of another holder")
	// ErrSignature: the holder's key did not sign these bytes.
	ErrSignature = errors.New("consent signature does not verify")
	// ErrAudience: given to another requester.
	ErrAudience = errors.New("consent for another requester")
	// ErrController: about data that another entity holds.
	ErrController = errors.New("consent for another controller")
	// ErrPurpose: given for another purpose.
	ErrPurpose = errors.New("consent for another purpose")
	// ErrModality: the modality is not among those consented to.
	ErrModality = errors.New("consent does not cover the modality")
	// ErrLifetime: exp is not after iat, or more than MaxLifetime after it.
	ErrLifetime = errors.New("consent lifetime out of bounds")
	// ErrNotYet: issued in the future.
	ErrNotYet = errors.New("consent not valid yet")
	// ErrExpired: the time of exp has come.
	ErrExpired = errors.New("consent expired")
)

// Consent is what a person agreed to. It prints as a redaction mark, but its
// fields are plain and fmt calls no method on an unexported field: do not keep
// one there in anything that is printed. The zero value permits nothing.
type Consent struct {
	ID         string    // jti: 1 to 128 visible ASCII characters, unique per holder.
	Holder     string    // iss: RFC 7638 thumbprint of the signing key. Issue fills it in when empty.
	Requester  string    // aud: entity identifier of who may ask, at most 1024 visible ASCII characters.
	Controller string    // controller: entity identifier of who holds the data, likewise.
	Purpose    string    // purpose: 1 to 64 of a-z, 0-9, '_'.
	Modalities []string  // modalities: 1 to 8 different names of the same syntax.
	IssuedAt   time.Time // iat, whole seconds.
	ExpiresAt  time.Time // exp, whole seconds, at most MaxLifetime later.
}

// claims is the payload. Its members are exactly those of the package comment.
type claims struct {
	ID         string       `json:"jti"`
	Issuer     string       `json:"iss"`
	Audience   []string     `json:"aud"`
	Controller string       `json:"controller"`
	Purpose    string       `json:"purpose"`
	Modalities []string     `json:"modalities"`
	IssuedAt   int64        `json:"iat"`
	ExpiresAt  int64        `json:"exp"`
	Confirm    confirmation `json:"cnf"`
}

type confirmation struct {
	Key jose.PublicKey `json:"jwk"`
}

// Issue signs c with the holder's key. Fractions of a second are cut off. It
// returns [ErrHolder] for the zero key or when c.Holder names another key,
// [ErrLifetime] and [ErrMalformed] for a consent that no one could verify.
func Issue(k jose.PrivateKey, c Consent) (string, error) {
	if k.IsZero() || c.Holder != "" && c.Holder != k.Public().KeyID() {
		return "", fmt.Errorf("issuing consent: %w", ErrHolder)
	}
	cl := claims{
		ID: c.ID, Issuer: k.Public().KeyID(), Audience: []string{c.Requester},
		Controller: c.Controller, Purpose: c.Purpose, Modalities: slices.Clone(c.Modalities),
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(),
		Confirm: confirmation{k.Public()},
	}
	if err := cl.validate(); err != nil {
		return "", fmt.Errorf("issuing consent: %w", err)
	}
	payload, err := json.Marshal(cl)
	if err != nil {
		return "", fmt.Errorf("issuing consent: %w", err)
	}
	token, err := jose.Sign(k, Type, payload)
	if err != nil {
		return "", fmt.Errorf("issuing consent: %w", err)
	}
	if len(token) > MaxSize {
		return "", fmt.Errorf("issuing consent: longer than %d bytes: %w", MaxSize, ErrMalformed)
	}
	return token, nil
}

const redacted = "consent(redacted)"

// LogValue implements [slog.LogValuer] without the fields: who consented to
// what is about the person.
func (Consent) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format implements [fmt.Formatter] without the fields, whatever the verb.
func (Consent) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalJSON writes the redaction mark, for JSON logs. A consent travels as
// the token that [Issue] makes.
func (Consent) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
