package sealing

import (
	"bytes"
	stdhpke "crypto/hpke"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"

	"github.com/tamga-id/tamga/crypto/avxstate"
)

// SeedSize is the length of a private key's seed, which is also its RFC 9180
// serialisation (draft-ietf-hpke-pq section 4).
const SeedSize = 32

// PrivateKey opens what was sealed to its public half. It is immutable, safe
// for concurrent use, not comparable with ==, and prints as a redaction mark
// under every fmt verb and slog handler. The zero value opens nothing.
type PrivateKey struct {
	// The key is reached through a closure so that fmt and reflection-based
	// encoders, which do not call methods on unexported fields, find only a
	// code address.
	open func() *privateKey
}

type privateKey struct {
	seed []byte // nil for an ephemeral key
	kem  kem.PrivateKey
	own  stdhpke.PrivateKey // instead of kem, for an ephemeral key
	pub  PublicKey
}

// GenerateKey makes a new key from crypto/rand.
func GenerateKey() (PrivateKey, error) {
	var seed [SeedSize]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("generating sealing key: %w", err)
	}
	defer clear(seed[:])
	return NewPrivateKey(seed[:])
}

// NewPrivateKey rebuilds a key from its 32-byte seed, of which it keeps a
// copy. It returns [ErrKey] for another length.
func NewPrivateKey(seed []byte) (PrivateKey, error) {
	if len(seed) != SeedSize {
		return PrivateKey{}, fmt.Errorf("loading sealing key: %d bytes instead of %d: %w", len(seed), SeedSize, ErrKey)
	}
	sk, err := hpke.KEM_XWING.Scheme().UnmarshalBinaryPrivateKey(seed)
	avxstate.Clean()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("loading sealing key: %w", ErrKey)
	}
	raw, err := sk.Public().MarshalBinary()
	if err != nil || len(raw) != PublicKeySize {
		return PrivateKey{}, fmt.Errorf("loading sealing key: %w", ErrKey)
	}
	// Not by ParsePublicKey: a key made of a seed is well formed, and expanding it again takes a quarter of all this.
	pub := newPublicKey(sk.Public(), raw)
	k := &privateKey{seed: bytes.Clone(seed), kem: sk, pub: pub}
	return PrivateKey{func() *privateKey { return k }}, nil
}

// Open decrypts what [Seal] made for this key with the same info and aad. Any
// failure, the zero key's included, is [ErrOpen] and nothing else. The result
// is the caller's, who should wipe it when it was a biometric sample.
func (k PrivateKey) Open(info, aad, sealed []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, ErrOpen
	}
	if own := k.open().own; own != nil {
		return openOwn(own, info, aad, sealed)
	}
	return open(suite(), k.open(), info, aad, sealed)
}

// Public returns the key to publish; the zero value for the zero key.
func (k PrivateKey) Public() PublicKey {
	if k.IsZero() {
		return PublicKey{}
	}
	return k.open().pub
}

// Seed returns a copy of the 32-byte seed, nil for the zero key and for an ephemeral one. It is the
// secret itself: hand it to custody and clear it.
func (k PrivateKey) Seed() []byte {
	if k.IsZero() {
		return nil
	}
	return bytes.Clone(k.open().seed)
}

// IsZero reports whether k is the zero value.
func (k PrivateKey) IsZero() bool { return k.open == nil }

// Equal reports, in constant time, whether both are the same key: those of one public
// key are. Two zero keys are equal.
func (k PrivateKey) Equal(o PrivateKey) bool {
	if k.IsZero() || o.IsZero() {
		return k.IsZero() && o.IsZero()
	}
	a, b := k.open().pub.k, o.open().pub.k
	return subtle.ConstantTimeCompare(a.raw[:], b.raw[:]) == 1
}

const redacted = "sealing-private-key(redacted)"

// LogValue implements [slog.LogValuer] without the key.
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format implements [fmt.Formatter] without the key, whatever the verb.
func (PrivateKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }
