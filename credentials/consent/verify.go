package consent

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Expectation is what the verifier is about to do. Every field but Offices, Sample and Handle
// is required: one left empty matches no consent.
type Expectation struct {
	HolderThumbprint string               // RFC 7638 thumbprint recorded when the person was enrolled.
	Subject          pseudonym.Identifier // Whom the Query is about.
	Requester        string               // Entity identifier of whoever asks, as authenticated.
	Controller       string               // Entity identifier of the node that holds the data.
	Purpose          string               // Purpose of the Query.
	Modality         string               // Modality about to be compared.
	Now              time.Time            // The verifier's clock.
	Offices          Offices              // Whom the verifier lets attest and exempt; nil for none.

	// In Subject's place, where nobody knows whom it is about: the record that is searched for, or
	// the handle of a candidate. Only what an office made can be about these.
	Sample, Handle []byte
}

// Verify checks that token is a consent or what may stand in its place, signed by who may,
// that covers everything in want at want.Now. The checks run in the order form,
// signer, signature, requester, controller, purpose, modality, time; the first
// to fail decides which one of the package's errors is wrapped. The result is
// zero then.
func Verify(token string, want Expectation) (Consent, error) {
	c, err := authenticate(token, want)
	if err == nil {
		err = c.covers(want)
	}
	if err != nil {
		return Consent{}, fmt.Errorf("verifying consent: %w", err)
	}
	return c, nil
}

// authenticate returns what the token says once it is known who signed it.
func authenticate(token string, want Expectation) (Consent, error) {
	u, err := parse(token)
	if err != nil {
		return Consent{}, err
	}
	switch u.Type() {
	case Type:
		if want.Sample != nil || want.Handle != nil {
			return Consent{}, ErrHolder
		}
		return byHolder(token, u, want.HolderThumbprint)
	case TypeAttestation:
		return byOffice(token, u, want)
	case TypeExemption:
		return byTwo(token, u, want)
	case TypeOrder:
		return Consent{}, ErrSecondOfficer
	}
	return Consent{}, fmt.Errorf("typ is another: %w", ErrMalformed)
}

func parse(token string) (jose.Unverified, error) {
	if len(token) > MaxSize {
		return jose.Unverified{}, fmt.Errorf("longer than %d bytes: %w", MaxSize, ErrMalformed)
	}
	u, err := jose.Parse(token)
	if err != nil {
		return jose.Unverified{}, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	return u, nil
}

func decode(u jose.Unverified) (c claims, err error) {
	if err := jose.DecodeClaims(u.Payload(), &c); err != nil {
		return claims{}, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	return c, nil
}

// byHolder: the key inside the token is only a carrier: it is the
// thumbprint that decides, so a key that a thief put in gains nothing.
func byHolder(token string, u jose.Unverified, thumbprint string) (Consent, error) {
	cl, err := decode(u)
	if err != nil {
		return Consent{}, err
	}
	if cl.Confirm == nil || cl.Confirm.Key.IsZero() {
		return Consent{}, fmt.Errorf("claim cnf: no key: %w", ErrMalformed)
	}
	key := cl.Confirm.Key
	if key.KeyID() != thumbprint || cl.Issuer != thumbprint {
		return Consent{}, ErrHolder
	}
	if err := check(token, u, Type, key, ErrHolder); err != nil {
		return Consent{}, err
	}
	if err := cl.validate(Type); err != nil {
		return Consent{}, err
	}
	return cl.consent(Type), nil
}

// check verifies the signature under one key. other is the error when it names another.
func check(token string, u jose.Unverified, typ string, key jose.PublicKey, other error) error {
	payload, err := jose.Verify(token, typ, jose.NewKeySet(key))
	if errors.Is(err, jose.ErrKey) {
		return fmt.Errorf("%v: %w", err, other)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", err, ErrSignature)
	}
	if !bytes.Equal(payload, u.Payload()) {
		return fmt.Errorf("signed bytes are not those decoded: %w", ErrSignature)
	}
	return nil
}

// covers compares what was authenticated with what is about to happen.
func (c Consent) covers(want Expectation) error {
	now := want.Now.Unix()
	switch {
	case c.Requester != want.Requester:
		return ErrAudience
	case c.Controller != want.Controller:
		return ErrController
	case c.Purpose != want.Purpose:
		return ErrPurpose
	case !slices.Contains(c.Modalities, want.Modality):
		return ErrModality
	case c.IssuedAt.Unix() > now+int64(Skew/time.Second):
		return ErrNotYet
	case now >= c.ExpiresAt.Unix(): // RFC 7519 section 4.1.4: "on or after".
		return ErrExpired
	}
	return nil
}
