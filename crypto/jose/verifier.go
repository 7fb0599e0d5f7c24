package jose

import (
	"fmt"
	"slices"

	"github.com/tamga-id/tamga/crypto/jose/internal/strictjson"
)

// Verifier checks tokens of other systems: credentials of foreign issuers,
// wallets, OpenID providers. Tamga's own tokens go through [Verify], which has
// no choices to get wrong. The zero value verifies nothing.
type Verifier struct {
	allowed []string
	keys    []foreignKey
}

// NewVerifier takes a JWK or JWK Set and the JWS algorithms to accept: Ed25519,
// EdDSA, ES256/384/512, PS256/384/512, RS256/384/512; or HS256/384/512, not
// mixed with the others, so that a public key can never be taken for a secret.
//
// Keys are left out when their kty, alg, use or key_ops does not fit the list,
// when RSA moduli are outside 2048 to 8192 bits, have an exponent below 65537 or
// the ROCA fingerprint, and when points are not on their curve. If none is left,
// if two have the same kid, if public keys come with private members or with
// secret keys, the error wraps [ErrKey]; a list that is empty, mixed or names
// an unknown algorithm wraps [ErrAlgorithm].
func NewVerifier(jwks []byte, allowed ...string) (Verifier, error) {
	secret, err := checkAllowed(allowed)
	if err != nil {
		return Verifier{}, fmt.Errorf("building verifier: %w", err)
	}
	parsed, err := parseForeign(jwks)
	if err != nil {
		return Verifier{}, fmt.Errorf("building verifier: %w", err)
	}
	if !secret && slices.ContainsFunc(parsed, jwk.private) {
		return Verifier{}, fmt.Errorf("building verifier: %w: private members in a public key", ErrKey)
	}
	v := Verifier{allowed: slices.Clone(allowed)}
	if v.keys, err = collectKeys(parsed, v.key); err != nil {
		return Verifier{}, fmt.Errorf("building verifier: %w", err)
	}
	return v, nil
}

func checkAllowed(allowed []string) (secret bool, err error) {
	secrets := 0
	for _, name := range allowed {
		a, ok := signatureAlgorithmOf(name)
		if !ok {
			return false, fmt.Errorf("%w: %s", ErrAlgorithm, strictjson.Quote(name))
		}
		if a.secret {
			secrets++
		}
	}
	if len(allowed) == 0 || secrets != 0 && secrets != len(allowed) {
		return false, fmt.Errorf("%w: empty or mixed list", ErrAlgorithm)
	}
	return secrets != 0, nil
}

// key builds the key if there is an allowed algorithm for it.
func (v Verifier) key(k jwk) (foreignKey, error) {
	key := k.foreign(nil)
	if !k.permits("sig", "verify") || !slices.ContainsFunc(v.allowed, key.signsWith) {
		return foreignKey{}, fmt.Errorf("%w: not a key for the allowed algorithms", ErrKey)
	}
	var err error
	switch key.kty {
	case "OKP":
		var public PublicKey
		public, err = k.ed25519()
		key.raw = public.key
	case "EC":
		key.raw, err = k.ecPublic()
	case "RSA":
		key.raw, err = k.rsaPublic()
	case "oct":
		key.raw, err = k.member("k")
	}
	if err != nil {
		return foreignKey{}, err
	}
	return key, nil
}

// signsWith reports whether alg is the algorithm of this key: its type, its
// curve and, if it says so, its alg.
func (k foreignKey) signsWith(alg string) bool {
	a, ok := signatureAlgorithmOf(alg)
	return ok && a.kty == k.kty && (a.crv == "" || a.crv == k.crv) &&
		(k.alg == "" || k.alg == alg || isEdwards(k.alg) && isEdwards(alg))
}

// Verify checks a compact JWS of exactly this typ, "" meaning that the header has
// none, and returns its payload, which belongs to the caller. Keys named or
// carried by the header (jwk, jku, x5u, x5c) are not used. A token whose header
// has a kid needs the key of that kid; without one there must be only one key.
//
// Errors wrap [ErrMalformed], [ErrTooLarge], [ErrCritical], [ErrType],
// [ErrAlgorithm], [ErrKey] or [ErrSignature]; the payload is then nil.
func (v Verifier) Verify(token, typ string) ([]byte, error) {
	u, err := parse(token)
	if err == nil {
		err = v.verify(u, typ)
	}
	if err != nil {
		return nil, fmt.Errorf("verifying foreign token: %w", err)
	}
	return u.payload, nil
}

func (v Verifier) verify(u Unverified, typ string) error {
	alg := u.header.alg
	if u.header.typ != typ {
		return ErrType
	}
	if !slices.Contains(v.allowed, alg) {
		return ErrAlgorithm
	}
	key, err := pickKey(v.keys, u.header.kid)
	if err != nil {
		return err
	}
	if !key.signsWith(alg) {
		return fmt.Errorf("%w: not the algorithm of the key", ErrAlgorithm)
	}
	if secret, ok := key.raw.([]byte); ok {
		// RFC 7518 section 3.2: no shorter than the hash.
		if a, _ := signatureAlgorithmOf(alg); len(secret) < a.hash.Size() {
			return fmt.Errorf("%w: secret too short", ErrKey)
		}
	}
	return verifySignature(alg, key.raw, u)
}
