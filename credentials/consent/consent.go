// Package consent issues and verifies a person's permission that one office may ask
// another for a comparison of their biometrics, and what may stand in its place.
//
// Its members are those of ISO/IEC TS 27560:2023, in the mapping of the W3C Data Privacy
// Vocabulary (https://w3id.org/dpv/schema/dpv-27560): see [Consent.Record]. That document
// defines members and neither a signature nor a media type; here each artefact is a
// compact JWS (RFC 7515), told apart by its typ:
//
//	tamga-consent+jwt               the holder's own: signed with the key in the person's
//	                                wallet, whose public half is the claim cnf (RFC 7800
//	                                section 3.2). It counts only when its RFC 7638 thumbprint
//	                                is the one recorded at the person's enrolment.
//	tamga-consent-attestation+jwt   an office saw the person consent: in writing, through a
//	                                guardian, or with a thumb mark.
//	tamga-exemption-order+jwt       an officer orders that nobody be asked. Alone it permits nothing.
//	tamga-exemption+jwt             that order, countersigned by a second officer.
//	tamga-consent-withdrawal+jwt    see [Withdraw].
//
// The payload of the holder's is
//
//	{
//	  "jti": id, "iss": thumbprint, "aud": [requester], "controller": entity,
//	  "purpose": purpose, "modalities": [modality, ...],
//	  "iat": seconds, "exp": seconds, "uses": number,
//	  "notice": {"sha-256": digest, "lang": language}, "cnf": {"jwk": holder's public key}
//	}
//
// An attestation has iss = the office, "sub" (whom it is about: [Bind]), "officer" and
// "form" in place of cnf. An order has iss, sub and officer, "case" and "disclose", a day,
// and no notice. An exemption is {"iss", "officer", "iat", "order": the order's JWS}. No
// other member may be present, and none be missing.
//
// A wallet calls [Issue], an office [Attest], [Order] and [Countersign]; the responder calls
// [Verify] with what it is about to do and whom it lets attest and exempt.
//
// The package does not decide whether consent is needed (federation/policy does), and does
// not remember: how often a consent was used, and whether it was withdrawn, is for the
// caller to keep under [Consent.Key].
//
// Invariants:
//   - a [Consent] that [Verify] returned matches every field of the
//     [Expectation]; an empty expected field matches nothing;
//   - each reason to refuse has its own sentinel, and a refusal returns the
//     zero Consent;
//   - no artefact is valid for longer than [MaxLifetime], or for more than [MaxUses];
//   - an exemption is signed with two keys of two officers.
//
// Claims of this version stay verifiable; a new claim means a new typ.
package consent

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// The JWS typ of each artefact.
const (
	Type            = "tamga-consent+jwt"
	TypeAttestation = "tamga-consent-attestation+jwt"
	TypeOrder       = "tamga-exemption-order+jwt"
	TypeExemption   = "tamga-exemption+jwt"
	TypeWithdrawal  = "tamga-consent-withdrawal+jwt"
)

// MaxLifetime is the longest time from iat to exp.
const MaxLifetime = 30 * 24 * time.Hour

// MaxUses is for how many Queries one artefact may be good.
const MaxUses = 1000

// MaxSize is the longest token that is made and that [Verify] looks at, in
// bytes. Only identifiers of characters that JSON escapes get there.
const MaxSize = 8 << 10

// Skew is how far in the future iat may lie: the wallet's clock is a phone's.
// Expiry has no allowance.
const Skew = time.Minute

// Why a consent is refused. Each error of [Verify] wraps exactly one.
var (
	// ErrMalformed: no token of these typs, or a claim missing, unknown,
	// repeated or outside its syntax.
	ErrMalformed = errors.New("malformed consent")
	// ErrHolder: the key is not the one recorded for the person, or the artefact is about another.
	ErrHolder = errors.New("consent of another holder")
	// ErrSignature: the key that it names did not sign these bytes.
	ErrSignature = errors.New("consent signature does not verify")
	// ErrOffice: the verifier lets no such office, or none with this key, do what it did.
	ErrOffice = errors.New("consent of an office that may not")
	// ErrSecondOfficer: an exemption lacks the signature of a second officer, with another key.
	ErrSecondOfficer = errors.New("exemption without a second officer")
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

// State is who permitted: what law may ask about. The zero value is nobody.
type State string

// The states.
const (
	None     State = "none"
	Holder   State = "holder"    // the person, with the own key
	Attested State = "attested"  // the person, as an office saw
	Exempt   State = "exemption" // two officers, in the person's place
)

// Forms of consent that an office attests.
const (
	Written   = "written"
	Guardian  = "guardian"   // by who may consent for the person
	ThumbMark = "thumb_mark" // by somebody who does not write
)

// Notice is what the person was shown before consenting. The text itself stays with the
// office; whoever has it can show that it is the one.
type Notice struct {
	Digest   [sha256.Size]byte // SHA-256 of the text, in UTF-8, as shown.
	Language string            // BCP 47 tag of the text.
}

// NoticeOf is the notice with a text.
func NoticeOf(text []byte, language string) Notice {
	return Notice{sha256.Sum256(text), language}
}

// Exemption is why nobody was asked. The zero value is none.
type Exemption struct {
	Case     string    // case: reference of the file, 1 to 128 visible ASCII characters.
	Second   string    // the second officer, of the same syntax as Officer.
	Disclose time.Time // disclose: the day, in UTC, on which the person is to be told.
}

// Consent is what was permitted, by whom. It prints as a redaction mark, but its
// fields are plain and fmt calls no method on an unexported field: do not keep
// one there in anything that is printed. The zero value permits nothing.
type Consent struct {
	ID         string    // jti: 1 to 128 visible ASCII characters, unique per issuer.
	Holder     string    // iss of the holder's own: RFC 7638 thumbprint of the signing key. Issue fills it in when empty.
	Requester  string    // aud: entity identifier of who may ask, at most 1024 visible ASCII characters.
	Controller string    // controller: entity identifier of who holds the data, likewise.
	Purpose    string    // purpose: 1 to 64 of a-z, 0-9, '_'.
	Modalities []string  // modalities: 1 to 8 different names of the same syntax.
	IssuedAt   time.Time // iat, whole seconds.
	ExpiresAt  time.Time // exp, whole seconds, at most MaxLifetime later.
	Uses       int       // uses: for how many Queries, 1 to MaxUses; 0 is written as 1.
	Notice     Notice    // notice; of an exemption there is none.

	// Of an attestation or an exemption only.
	Office    string    // iss: entity identifier of the office.
	Subject   string    // sub: see Bind.
	Officer   string    // officer: who attests or orders, 1 to 64 visible ASCII characters.
	Form      string    // form: Written, Guardian or ThumbMark; empty for an exemption.
	Exemption Exemption // of an exemption only.
}

// State says who permitted.
func (c Consent) State() State {
	switch {
	case c.ID == "":
		return None
	case c.Exemption != (Exemption{}):
		return Exempt
	case c.Office != "":
		return Attested
	}
	return Holder
}

// Key names the artefact among all: uses are counted and withdrawals kept under it. Two
// issuers that choose the same id do not meet.
func (c Consent) Key() [sha256.Size]byte {
	if c.Office != "" {
		return keyOf(c.Office, c.ID)
	}
	return keyOf(c.Holder, c.ID)
}

func keyOf(issuer, id string) [sha256.Size]byte {
	return sha256.Sum256([]byte("tamga/v1/consent-key\x00" + issuer + "\x00" + id))
}

// Issue signs c with the holder's key. Fractions of a second are cut off. It
// returns [ErrHolder] for the zero key or when c.Holder names another key,
// [ErrLifetime] and [ErrMalformed] for a consent that no one could verify.
func Issue(k jose.PrivateKey, c Consent) (string, error) {
	if k.IsZero() || c.Holder != "" && c.Holder != k.Public().KeyID() {
		return "", fmt.Errorf("issuing consent: %w", ErrHolder)
	}
	cl := claimsOf(c)
	cl.Issuer, cl.Confirm = k.Public().KeyID(), &confirmation{k.Public()}
	token, err := cl.sign(k, Type)
	if err != nil {
		return "", fmt.Errorf("issuing consent: %w", err)
	}
	return token, nil
}

// sign makes a token of claims that are found valid.
func (c claims) sign(k jose.PrivateKey, typ string) (string, error) {
	if err := c.validate(typ); err != nil {
		return "", err
	}
	return signed(k, typ, c)
}

func signed(k jose.PrivateKey, typ string, v any) (string, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	token, err := jose.Sign(k, typ, payload)
	if err != nil {
		return "", err
	}
	if len(token) > MaxSize {
		return "", fmt.Errorf("longer than %d bytes: %w", MaxSize, ErrMalformed)
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
