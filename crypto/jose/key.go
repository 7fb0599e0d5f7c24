package jose

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// PrivateKey is an Ed25519 signing key. The zero value is no key: Sign refuses
// it. It cannot be compared with ==, and prints as a placeholder everywhere.
type PrivateKey struct {
	open   func() ed25519.PrivateKey // a closure, so that no printer can follow it
	public PublicKey
}

// GenerateKey makes a key from the operating system's randomness.
func GenerateKey() (PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand.Reader, seed); err != nil {
		return PrivateKey{}, fmt.Errorf("generating signing key: %w", err)
	}
	return NewPrivateKey(seed)
}

// NewPrivateKey makes the key of a 32-byte seed (RFC 8032 section 5.1.5), which
// is copied. Any other length wraps [ErrKey].
func NewPrivateKey(seed []byte) (PrivateKey, error) {
	if len(seed) != ed25519.SeedSize {
		return PrivateKey{}, fmt.Errorf("reading signing key seed: %w: %d bytes instead of %d", ErrKey, len(seed), ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	return PrivateKey{
		open:   func() ed25519.PrivateKey { return key },
		public: publicKey(key.Public().(ed25519.PublicKey)),
	}, nil
}

// IsZero reports whether k is the zero value, no key.
func (k PrivateKey) IsZero() bool { return k.open == nil }

// Seed returns a copy of the seed, nil for the zero key. It is the whole secret:
// the caller keeps it in custody and wipes it.
func (k PrivateKey) Seed() []byte {
	if k.IsZero() {
		return nil
	}
	return k.open().Seed()
}

// Public returns the verification key, zero for the zero key.
func (k PrivateKey) Public() PublicKey { return k.public }

// Equal compares in constant time. Two zero keys are equal.
func (k PrivateKey) Equal(other PrivateKey) bool {
	return subtle.ConstantTimeCompare(k.Seed(), other.Seed()) == 1
}

// LogValue redacts.
func (PrivateKey) LogValue() slog.Value { return slog.StringValue("signing-key(redacted)") }

// Format redacts, whatever the verb.
func (PrivateKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "signing-key(redacted)") }

// PublicKey is an Ed25519 verification key. The zero value verifies nothing.
type PublicKey struct {
	key ed25519.PublicKey
	id  string // thumbprint of key
}

// NewPublicKey makes a key of its 32-byte encoding (RFC 8032 section 5.1.2),
// which is copied. Encodings that are not canonical and points of small order
// wrap [ErrKey]: under the latter one signature fits every message.
func NewPublicKey(encoded []byte) (PublicKey, error) {
	if len(encoded) != ed25519.PublicKeySize {
		return PublicKey{}, fmt.Errorf("reading public key: %w: %d bytes instead of %d", ErrKey, len(encoded), ed25519.PublicKeySize)
	}
	if weakPoint([32]byte(encoded)) {
		return PublicKey{}, fmt.Errorf("reading public key: %w: not a canonical point of large order", ErrKey)
	}
	return publicKey(bytes.Clone(encoded)), nil
}

func publicKey(key ed25519.PublicKey) PublicKey {
	// The members and their order are those of RFC 7638 section 3.2 and RFC 8037 section 2.
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + encode(key) + `"}`))
	return PublicKey{key: key, id: encode(sum[:])}
}

// IsZero reports whether k is the zero value, no key.
func (k PublicKey) IsZero() bool { return k.id == "" }

// Equal reports whether both are the same point. Two zero keys are equal.
func (k PublicKey) Equal(other PublicKey) bool { return bytes.Equal(k.key, other.key) }

// KeyID returns the RFC 7638 SHA-256 thumbprint in base64url, "" for the zero
// key. It is always computed from the key, never taken from a JWK's kid, so it
// can be compared with a thumbprint that was recorded earlier.
func (k PublicKey) KeyID() string { return k.id }

// Bytes returns a copy of the 32-byte encoding, nil for the zero key.
func (k PublicKey) Bytes() []byte { return bytes.Clone(k.key) }

// publicJWK is the wire form, RFC 8037 section 2:
//
//	{"kty":"OKP","crv":"Ed25519","x":"<43 chars>","kid":"<thumbprint>","use":"sig","alg":"Ed25519"}
type publicJWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	KeyID     string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

func (k PublicKey) jwk(kid string) publicJWK {
	return publicJWK{KeyType: "OKP", Curve: "Ed25519", X: encode(k.key), KeyID: kid, Use: "sig", Algorithm: algEd25519}
}

// MarshalJSON writes a JWK whose kid is the thumbprint. The zero key is an error.
func (k PublicKey) MarshalJSON() ([]byte, error) {
	if k.IsZero() {
		return nil, fmt.Errorf("encoding public key: %w", ErrKey)
	}
	return json.Marshal(k.jwk(k.id))
}

// UnmarshalJSON reads a JWK that may verify Ed25519 signatures. Its kid, if any,
// is ignored: KeyID is always the thumbprint. Private members, another key type,
// curve, alg or use, and key_ops without "verify" wrap [ErrKey] or [ErrAlgorithm].
// On error k is the zero key.
func (k *PublicKey) UnmarshalJSON(data []byte) error {
	*k = PublicKey{}
	parsed, err := parseJWK(data)
	if err == nil {
		*k, err = parsed.ed25519()
	}
	if err != nil {
		return fmt.Errorf("reading public key: %w", err)
	}
	return nil
}
