package jose

import (
	"fmt"
	"slices"
)

// jwk is a JSON Web Key taken apart but not yet believed: its string members,
// and its key_ops. Members of other types that this package does not use are
// ignored (RFC 7517 section 4).
type jwk struct {
	text   map[string]string
	ops    []string
	hasOps bool
}

// parseJWK reads the members. They are interpreted by whoever knows what the
// key is wanted for.
func parseJWK(data []byte) (jwk, error) {
	if len(data) > maxKeySetSize {
		return jwk{}, fmt.Errorf("reading JWK: %w", ErrTooLarge)
	}
	k := jwk{text: make(map[string]string)}
	err := scanObject(data, nil, false, func(name, value []byte) error {
		switch string(name) {
		case "key_ops":
			k.hasOps = true
			return scanArray(value, func(value []byte) error {
				op, err := stringValue(value)
				k.ops = append(k.ops, op)
				return err
			})
		case "kty", "crv", "x", "y", "n", "e", "alg", "use", "kid", "k", "d", "p", "q", "dp", "dq", "qi", "priv", "oth":
			text, err := stringValue(value)
			k.text[string(name)] = text
			return err
		}
		return nil
	})
	if err != nil {
		return jwk{}, fmt.Errorf("reading JWK: %w", err)
	}
	if k.text["kty"] == "" {
		return jwk{}, fmt.Errorf("reading JWK: %w: no kty", ErrMalformed)
	}
	return k, nil
}

func (k jwk) has(name string) bool {
	_, found := k.text[name]
	return found
}

// private reports whether the JWK carries anything that ought to be secret.
func (k jwk) private() bool {
	return slices.ContainsFunc([]string{"d", "p", "q", "dp", "dq", "qi", "k", "priv", "oth"}, k.has)
}

// permits reports whether use and key_ops, as far as they are given, allow use
// as one of ops (RFC 7517 sections 4.2 and 4.3).
func (k jwk) permits(use string, ops ...string) bool {
	if k.has("use") && k.text["use"] != use {
		return false
	}
	return !k.hasOps || slices.ContainsFunc(ops, func(op string) bool { return slices.Contains(k.ops, op) })
}

// member decodes a base64url member.
func (k jwk) member(name string) ([]byte, error) {
	value, err := decode(k.text[name])
	if err != nil || len(value) == 0 {
		return nil, fmt.Errorf("%w: JWK member %s", ErrKey, name)
	}
	return value, nil
}

// isEd25519 reports whether this is a key Tamga's own tokens can be verified
// with, were its members in order.
func (k jwk) isEd25519() bool {
	return k.text["kty"] == "OKP" && k.text["crv"] == "Ed25519" && k.permits("sig", "verify") &&
		(!k.has("alg") || isEdwards(k.text["alg"]))
}

func (k jwk) ed25519() (PublicKey, error) {
	switch {
	case k.private():
		return PublicKey{}, fmt.Errorf("%w: private members in a public JWK", ErrKey)
	case !k.isEd25519():
		return PublicKey{}, fmt.Errorf("%w: not an Ed25519 verification key", ErrKey)
	}
	x, err := k.member("x")
	if err != nil {
		return PublicKey{}, err
	}
	return NewPublicKey(x)
}
