package consent

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Role is what an officer's key may be used for.
type Role string

// The roles.
const (
	MayAttest Role = "attest" // that a person consented
	MayExempt Role = "exempt" // order or countersign that nobody is asked
)

// Offices are whom a verifier lets attest and exempt, by entity identifier.
type Offices map[string]Office

// Office is one of them, as its file says:
//
//	{"office": entity, "under": entity, "officers": [{"name", "roles": [...], "key": jwk}, ...]}
type Office struct {
	ID       string    `json:"office"`   // entity identifier
	Under    string    `json:"under"`    // node for whose Queries it may: the requester's or the controller's
	Officers []Officer `json:"officers"` // whose names, and whose keys, all differ
}

// Officer is one person of an office, with a key of the own.
type Officer struct {
	Name  string         `json:"name"`
	Roles []Role         `json:"roles"`
	Key   jose.PublicKey `json:"key"`
}

// errOffice has ParseOffice say no more than what is wrong: names of officers are in the file.
var errOffice = errors.New("reading office: not the file of an office")

const maxOfficers = 256

// ParseOffice reads the file of an office.
func ParseOffice(b []byte) (Office, error) {
	var o Office
	if err := jose.DecodeClaims(b, &o); err != nil {
		return Office{}, fmt.Errorf("%w: %v", errOffice, err)
	}
	if !visible(o.ID, maxEntity) || !visible(o.Under, maxEntity) || len(o.Officers) == 0 || len(o.Officers) > maxOfficers {
		return Office{}, fmt.Errorf("%w: office, under or officers is not what it should be", errOffice)
	}
	for i, f := range o.Officers {
		switch {
		case !visible(f.Name, maxName):
			return Office{}, fmt.Errorf("%w: officer %d: name", errOffice, i+1)
		case len(f.Roles) == 0 || slices.ContainsFunc(f.Roles, func(r Role) bool { return r != MayAttest && r != MayExempt }):
			return Office{}, fmt.Errorf("%w: officer %d: roles", errOffice, i+1)
		case f.Key.IsZero():
			return Office{}, fmt.Errorf("%w: officer %d: key", errOffice, i+1)
		}
		for _, other := range o.Officers[:i] {
			if other.Name == f.Name || other.Key.KeyID() == f.Key.KeyID() {
				return Office{}, fmt.Errorf("%w: officer %d: has the name or the key of another", errOffice, i+1)
			}
		}
	}
	return o, nil
}

// officer finds who may do something with the key of that identifier.
func (o Offices) officer(office, name, kid string, role Role, want Expectation) (Officer, error) {
	of, ok := o[office]
	if !ok || of.Under != want.Requester && of.Under != want.Controller {
		return Officer{}, ErrOffice
	}
	for _, f := range of.Officers {
		if f.Name == name && f.Key.KeyID() == kid && slices.Contains(f.Roles, role) {
			return f, nil
		}
	}
	return Officer{}, ErrOffice
}

const bindingSalt = 16

// Bind is the claim sub about a person: 16 random bytes and SHA-256 of
//
//	"tamga/v1/consent-subject" || 0 || them || jurisdiction || 0 || type || 0 || value
//
// in base64url. It names the person to nobody who does not know or guess the identifier;
// who has the artefact can try them all, so it is kept and sent like the identifier itself.
func Bind(id pseudonym.Identifier) (string, error) {
	id, err := id.Normalize()
	if err != nil {
		return "", err
	}
	return bound(aboutPerson(id)), nil
}

// BindSample is the claim sub about somebody of whom nothing is known but a sample, for a
// search among all: as that of [Bind], of
//
//	"tamga/v1/search-sample" || 0 || 16 random bytes || record
//
// An order about a sample is none about a person, and the other way round.
func BindSample(record []byte) string { return bound(aboutSample(record)) }

// BindHandle is the claim sub about a candidate of a search, of
//
//	"tamga/v1/search-handle" || 0 || 16 random bytes || handle
func BindHandle(handle []byte) string { return bound(aboutHandle(handle)) }

// about is whom an artefact of an office is about.
type about struct {
	label string
	what  []byte
}

func aboutPerson(id pseudonym.Identifier) about {
	return about{"tamga/v1/consent-subject", []byte(id.Jurisdiction + "\x00" + id.Type + "\x00" + id.Value)}
}

func aboutSample(record []byte) about { return about{"tamga/v1/search-sample", record} }
func aboutHandle(handle []byte) about { return about{"tamga/v1/search-handle", handle} }

func bound(a about) string {
	b := make([]byte, bindingSalt, bindingSalt+sha256.Size)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(binding(b, a))
}

func binding(salt []byte, a about) []byte {
	h := sha256.New()
	h.Write([]byte(a.label + "\x00"))
	h.Write(salt)
	h.Write(a.what)
	return h.Sum(salt[:bindingSalt:bindingSalt])
}

func isBinding(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == bindingSalt+sha256.Size
}

// isAbout reports whether a binding is to what the verifier expects.
func isAbout(sub string, want Expectation) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(sub)
	if err != nil || len(b) != bindingSalt+sha256.Size {
		return false
	}
	var a about
	switch {
	case want.Sample != nil:
		a = aboutSample(want.Sample)
	case want.Handle != nil:
		a = aboutHandle(want.Handle)
	case want.Subject != (pseudonym.Identifier{}):
		a = aboutPerson(want.Subject)
	default:
		return false
	}
	return subtle.ConstantTimeCompare(b, binding(b[:bindingSalt:bindingSalt], a)) == 1
}

// Attest signs with an officer's key that the person of c.Subject consented, in the form
// c.Form, having been shown c.Notice.
func Attest(k jose.PrivateKey, c Consent) (string, error) {
	return byOfficer(k, c, TypeAttestation)
}

// Order signs with an officer's key that the person of c.Subject is not asked. It takes
// effect with a second officer's [Countersign].
func Order(k jose.PrivateKey, c Consent) (string, error) {
	return byOfficer(k, c, TypeOrder)
}

func byOfficer(k jose.PrivateKey, c Consent, typ string) (string, error) {
	if k.IsZero() {
		return "", fmt.Errorf("signing %s: %w", typ, ErrOffice)
	}
	cl := claimsOf(c)
	cl.Issuer, cl.Subject, cl.Officer, cl.Form, cl.Case = c.Office, c.Subject, c.Officer, c.Form, c.Exemption.Case
	if !c.Exemption.Disclose.IsZero() {
		cl.Disclose = c.Exemption.Disclose.UTC().Format(day)
	}
	token, err := cl.sign(k, typ)
	if err != nil {
		return "", fmt.Errorf("signing %s: %w", typ, err)
	}
	return token, nil
}

// countersigned is the payload of an exemption.
type countersigned struct {
	Issuer   string `json:"iss"`
	Officer  string `json:"officer"`
	IssuedAt int64  `json:"iat"`
	Order    string `json:"order"`
}

// Countersign is the exemption that an order becomes with a second officer's signature.
// It returns [ErrSecondOfficer] when that is the officer, or the key, of the order.
func Countersign(k jose.PrivateKey, order, office, officer string, now time.Time) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("countersigning exemption: %w", err) }
	if k.IsZero() {
		return fail(ErrOffice)
	}
	u, err := parse(order)
	if err != nil {
		return fail(err)
	}
	cl, err := decode(u)
	if err == nil && u.Type() != TypeOrder {
		err = fmt.Errorf("typ is another: %w", ErrMalformed)
	}
	if err == nil {
		err = cl.validate(TypeOrder)
	}
	if err != nil {
		return fail(err)
	}
	c := countersigned{office, officer, now.Unix(), order}
	if !visible(office, maxEntity) || !visible(officer, maxName) {
		return fail(malformed("officer"))
	}
	if sameOfficer(cl, c) || u.KeyID() == k.Public().KeyID() {
		return fail(ErrSecondOfficer)
	}
	token, err := signed(k, TypeExemption, c)
	if err != nil {
		return fail(err)
	}
	return token, nil
}

// sameOfficer: the names of two offices do not meet.
func sameOfficer(first claims, second countersigned) bool {
	return first.Issuer == second.Issuer && first.Officer == second.Officer
}

// byOffice is an attestation, or an order.
func byOffice(token string, u jose.Unverified, want Expectation) (Consent, error) {
	role := MayAttest
	if u.Type() == TypeOrder {
		role = MayExempt
	}
	cl, err := decode(u)
	if err == nil {
		err = cl.validate(u.Type())
	}
	if err != nil {
		return Consent{}, err
	}
	f, err := want.Offices.officer(cl.Issuer, cl.Officer, u.KeyID(), role, want)
	if err == nil {
		err = check(token, u, u.Type(), f.Key, ErrOffice)
	}
	if err != nil {
		return Consent{}, err
	}
	if !isAbout(cl.Subject, want) {
		return Consent{}, ErrHolder
	}
	return cl.consent(u.Type()), nil
}

// byTwo is an exemption.
func byTwo(token string, u jose.Unverified, want Expectation) (Consent, error) {
	var outer countersigned
	if err := jose.DecodeClaims(u.Payload(), &outer); err != nil {
		return Consent{}, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	if !visible(outer.Officer, maxName) || !visible(outer.Issuer, maxEntity) || outer.IssuedAt <= 0 || outer.IssuedAt > maxTime {
		return Consent{}, malformed("officer")
	}
	inner, err := parse(outer.Order)
	if err != nil {
		return Consent{}, fmt.Errorf("claim order: %w", err)
	}
	if inner.Type() != TypeOrder {
		return Consent{}, fmt.Errorf("claim order: typ is another: %w", ErrMalformed)
	}
	cl, err := decode(inner)
	if err != nil {
		return Consent{}, err
	}
	// Before anything is verified: that one officer signed twice is the finding, whoever it is.
	if sameOfficer(cl, outer) || inner.KeyID() == u.KeyID() {
		return Consent{}, ErrSecondOfficer
	}
	f, err := want.Offices.officer(outer.Issuer, outer.Officer, u.KeyID(), MayExempt, want)
	if err == nil {
		err = check(token, u, TypeExemption, f.Key, ErrOffice)
	}
	if err != nil {
		return Consent{}, err
	}
	c, err := byOffice(outer.Order, inner, want)
	if err != nil {
		return Consent{}, err
	}
	if at := time.Unix(outer.IssuedAt, 0); at.After(want.Now.Add(Skew)) {
		return Consent{}, ErrNotYet
	}
	c.Exemption.Second = outer.Officer
	return c, nil
}
