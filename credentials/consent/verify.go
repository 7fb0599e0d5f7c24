package consent

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Expectation is what the verifier is about to do. Every field is required:
// one left empty matches no consent.
type Expectation struct {
	HolderThumbprint string    // RFC 7638 thumbprint recorded when the person was enrolled.
	Requester        string    // Entity identifier of whoever asks, as authenticated.
	Controller       string    // Entity identifier of the node that holds the data.
	Purpose          string    // Purpose of the Query.
	Modality         string    // Modality about to be compared.
	Now              time.Time // The verifier's clock.
}

// Verify checks that token is a consent, signed by the expected holder, that
// covers everything in want at want.Now. The checks run in the order form,
// holder, signature, requester, controller, purpose, modality, time; the first
// to fail decides which one of the package's errors is wrapped. The result is
// zero then.
func Verify(token string, want Expectation) (Consent, error) {
	cl, err := authenticate(token, want.HolderThumbprint)
	if err == nil {
		err = cl.covers(want)
	}
	if err != nil {
		return Consent{}, fmt.Errorf("verifying consent: %w", err)
	}
	return Consent{
		ID: cl.ID, Holder: cl.Issuer, Requester: cl.Audience[0], Controller: cl.Controller,
		Purpose: cl.Purpose, Modalities: cl.Modalities,
		IssuedAt: time.Unix(cl.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(cl.ExpiresAt, 0).UTC(),
	}, nil
}

// authenticate returns the claims once the expected holder is known to have
// signed them. The key inside the token is only a carrier: it is the
// thumbprint that decides, so a key that a thief put in gains nothing.
func authenticate(token, thumbprint string) (claims, error) {
	if len(token) > MaxSize {
		return claims{}, fmt.Errorf("longer than %d bytes: %w", MaxSize, ErrMalformed)
	}
	u, err := jose.Parse(token)
	if err != nil {
		return claims{}, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	if u.Type() != Type {
		return claims{}, fmt.Errorf("typ is another: %w", ErrMalformed)
	}
	var unverified claims
	if err := jose.DecodeClaims(u.Payload(), &unverified); err != nil {
		return claims{}, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	key := unverified.Confirm.Key
	if key.IsZero() {
		return claims{}, fmt.Errorf("claim cnf: no key: %w", ErrMalformed)
	}
	if key.KeyID() != thumbprint || unverified.Issuer != thumbprint {
		return claims{}, ErrHolder
	}
	payload, err := jose.Verify(token, Type, jose.NewKeySet(key))
	if errors.Is(err, jose.ErrKey) {
		return claims{}, fmt.Errorf("%v: %w", err, ErrHolder)
	}
	if err != nil {
		return claims{}, fmt.Errorf("%v: %w", err, ErrSignature)
	}
	if !bytes.Equal(payload, u.Payload()) {
		return claims{}, fmt.Errorf("signed bytes are not those decoded: %w", ErrSignature)
	}
	verified := unverified
	if err := verified.validate(); err != nil {
		return claims{}, err
	}
	return verified, nil
}

// covers compares authenticated claims with what is about to happen.
func (c *claims) covers(want Expectation) error {
	now := want.Now.Unix()
	switch {
	case c.Audience[0] != want.Requester:
		return ErrAudience
	case c.Controller != want.Controller:
		return ErrController
	case c.Purpose != want.Purpose:
		return ErrPurpose
	case !slices.Contains(c.Modalities, want.Modality):
		return ErrModality
	case c.IssuedAt > now+int64(Skew/time.Second):
		return ErrNotYet
	case now >= c.ExpiresAt: // RFC 7519 section 4.1.4: "on or after".
		return ErrExpired
	}
	return nil
}

const (
	maxID         = 128
	maxEntity     = 1024
	maxName       = 64
	maxModalities = 8
	// maxTime is 9999-12-31T23:59:59Z: later values overflow time arithmetic
	// and RFC 3339 alike.
	maxTime = 253402300799
)

// validate checks the form of every claim but cnf, for both directions.
func (c *claims) validate() error {
	switch {
	case !visible(c.ID, maxID):
		return malformed("jti")
	case len(c.Audience) != 1 || !visible(c.Audience[0], maxEntity):
		return malformed("aud")
	case !visible(c.Controller, maxEntity):
		return malformed("controller")
	case !name(c.Purpose):
		return malformed("purpose")
	case len(c.Modalities) == 0 || len(c.Modalities) > maxModalities:
		return malformed("modalities")
	case c.IssuedAt <= 0 || c.IssuedAt > maxTime:
		return malformed("iat")
	case c.ExpiresAt <= 0 || c.ExpiresAt > maxTime:
		return malformed("exp")
	}
	for i, m := range c.Modalities {
		if !name(m) || slices.Contains(c.Modalities[:i], m) {
			return malformed("modalities")
		}
	}
	if life := c.ExpiresAt - c.IssuedAt; life <= 0 || life > int64(MaxLifetime/time.Second) {
		return ErrLifetime
	}
	return nil
}

func malformed(claim string) error { return fmt.Errorf("claim %s: %w", claim, ErrMalformed) }

// visible reports whether s is 1 to limit visible ASCII characters, so that
// nothing in a log or a page can be spoofed by it.
func visible(s string, limit int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// name reports whether s is 1 to maxName of a-z, 0-9, '_'.
func name(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}
