package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
)

const (
	minModulusBits = 2048 // NIST SP 800-131A
	maxModulusBits = 8192 // verification time grows with the square
	minExponent    = 65537
)

// foreignKey is a key of another system, bound to what it may be used for.
type foreignKey struct {
	kid, kty, crv, alg string
	raw                any // ed25519.PublicKey, *ecdsa.PublicKey, *ecdsa.PrivateKey, *rsa.PublicKey, *rsa.PrivateKey or []byte
}

// parseForeign reads a JWK, or a JWK Set when there is a "keys" member.
func parseForeign(data []byte) ([]jwk, error) {
	if len(data) > maxKeySetSize {
		return nil, ErrTooLarge
	}
	isSet := false
	err := scanObject(data, nil, false, func(name, _ []byte) error {
		isSet = isSet || string(name) == "keys"
		return nil
	})
	raw := [][]byte{data}
	if err == nil && isSet {
		raw, err = keySetEntries(data)
	}
	if err != nil {
		return nil, err
	}
	keys := make([]jwk, len(raw))
	secret := 0
	names := make(map[[2]string]bool)
	for i, entry := range raw {
		if keys[i], err = parseJWK(entry); err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		if keys[i].text["kty"] == "oct" {
			secret++
		}
		// Looked for before any key is left out: which of two is left out would
		// otherwise decide which one is trusted.
		if name := [2]string{keys[i].text["kty"], keys[i].text["kid"]}; name[1] != "" {
			if names[name] {
				return nil, fmt.Errorf("key %d: %w: duplicate kid", i, ErrKey)
			}
			names[name] = true
		}
	}
	if secret != 0 && secret != len(keys) {
		return nil, fmt.Errorf("%w: secret and public keys in one set", ErrKey)
	}
	return keys, nil
}

// collectKeys builds those keys that want accepts. An unusable key does not
// spoil the others, but no key at all, and two under one kid, are errors.
func collectKeys(keys []jwk, want func(jwk) (foreignKey, error)) ([]foreignKey, error) {
	var usable []foreignKey
	fault := fmt.Errorf("%w: empty key set", ErrKey)
	for i, k := range keys {
		key, err := want(k)
		if err != nil {
			fault = fmt.Errorf("key %d: %w", i, err)
			continue
		}
		for _, have := range usable {
			if have.kid == key.kid {
				return nil, fmt.Errorf("key %d: %w: kid missing or duplicate", i, ErrKey)
			}
		}
		usable = append(usable, key)
	}
	if len(usable) == 0 {
		return nil, fault
	}
	return usable, nil
}

// pickKey finds the key for a token's kid. A token may leave the kid out, or
// give one to a key that has none, only when there is no choice to make.
func pickKey(keys []foreignKey, kid string) (foreignKey, error) {
	for _, k := range keys {
		if k.kid == kid {
			return k, nil
		}
	}
	if len(keys) == 1 && (kid == "" || keys[0].kid == "") {
		return keys[0], nil
	}
	return foreignKey{}, fmt.Errorf("%w: kid does not name one of the keys", ErrKey)
}

// foreign copies what binds a key.
func (k jwk) foreign(raw any) foreignKey {
	return foreignKey{kid: k.text["kid"], kty: k.text["kty"], crv: k.text["crv"], alg: k.text["alg"], raw: raw}
}

func curveOf(crv string) (elliptic.Curve, bool) {
	switch crv {
	case "P-256":
		return elliptic.P256(), true
	case "P-384":
		return elliptic.P384(), true
	case "P-521":
		return elliptic.P521(), true
	}
	return nil, false
}

// ecPublic reads an EC key. Coordinates have the full length of the field (RFC
// 7518 section 6.2.1.2) and the point is on the curve; otherwise ECDH with it
// would give the private key away.
func (k jwk) ecPublic() (*ecdsa.PublicKey, error) {
	curve, ok := curveOf(k.text["crv"])
	if !ok || k.text["kty"] != "EC" {
		return nil, fmt.Errorf("%w: unsupported curve", ErrKey)
	}
	size := (curve.Params().BitSize + 7) / 8
	point := []byte{4} // uncompressed, SEC 1 section 2.3.3
	for _, name := range [...]string{"x", "y"} {
		coordinate, err := k.member(name)
		if err != nil {
			return nil, err
		}
		if len(coordinate) != size {
			return nil, fmt.Errorf("%w: JWK member %s has the wrong length", ErrKey, name)
		}
		point = append(point, coordinate...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("%w: not a point of the curve", ErrKey)
	}
	return key, nil
}

func (k jwk) ecPrivate() (*ecdsa.PrivateKey, error) {
	public, err := k.ecPublic()
	if err != nil {
		return nil, err
	}
	d, err := k.member("d")
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(public.Curve, d)
	if err != nil || !key.PublicKey.Equal(public) {
		return nil, fmt.Errorf("%w: private and public members do not belong together", ErrKey)
	}
	return key, nil
}

func (k jwk) rsaPublic() (*rsa.PublicKey, error) {
	n, err := k.integer("n")
	if err != nil {
		return nil, err
	}
	e, err := k.integer("e")
	if err != nil {
		return nil, err
	}
	switch {
	case n.BitLen() < minModulusBits || n.BitLen() > maxModulusBits || n.Bit(0) == 0:
		return nil, fmt.Errorf("%w: RSA modulus", ErrKey)
	case e.BitLen() > 31 || e.Int64() < minExponent || e.Bit(0) == 0:
		return nil, fmt.Errorf("%w: RSA exponent", ErrKey)
	case isROCA(n):
		return nil, fmt.Errorf("%w: RSA modulus has the ROCA fingerprint", ErrKey)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// rsaPrivate takes the factors and recomputes the rest; a JWK without them is refused.
func (k jwk) rsaPrivate() (*rsa.PrivateKey, error) {
	public, err := k.rsaPublic()
	if err != nil {
		return nil, err
	}
	key := &rsa.PrivateKey{PublicKey: *public, Primes: make([]*big.Int, 2)}
	for i, name := range [...]string{"p", "q"} {
		if key.Primes[i], err = k.integer(name); err != nil {
			return nil, err
		}
	}
	if key.D, err = k.integer("d"); err != nil {
		return nil, err
	}
	if k.has("oth") || key.Validate() != nil {
		return nil, fmt.Errorf("%w: inconsistent RSA members", ErrKey)
	}
	key.Precompute()
	return key, nil
}

// integer reads a Base64urlUInt, RFC 7518 section 2: no leading zero octets.
func (k jwk) integer(name string) (*big.Int, error) {
	value, err := k.member(name)
	if err != nil {
		return nil, err
	}
	if value[0] == 0 || len(value) > maxModulusBits/8 {
		return nil, fmt.Errorf("%w: JWK member %s", ErrKey, name)
	}
	return new(big.Int).SetBytes(value), nil
}

// isROCA recognises moduli from the smart-card library of CVE-2017-15361 (Nemec
// et al., "The Return of Coppersmith's Attack", CCS 2017): both primes, and so
// their product, are powers of 65537 modulo every small prime, which of all other
// moduli fewer than one in 2^27 are. Estonia's and Slovakia's identity cards had them.
func isROCA(n *big.Int) bool {
	small := [...]int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
		97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167}
	for _, p := range small {
		if !isPowerOf65537(new(big.Int).Mod(n, big.NewInt(p)).Int64(), p) {
			return false
		}
	}
	return true
}

func isPowerOf65537(residue, p int64) bool {
	power := int64(1)
	for range p {
		if power == residue {
			return true
		}
		power = power * 65537 % p
	}
	return false
}
