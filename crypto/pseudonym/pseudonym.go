// Package pseudonym turns a person's identifier into the value a gallery is
// keyed by, so that the stored index names no one and cannot be enumerated
// without the node's key.
//
// It implements the verifiable mode (VOPRF) of RFC 9497 with the suite
// OPRF(ristretto255, SHA-512) up to the unblinded [Element], k*H(input), of the
// canonical encoding of a normalised [Identifier]. A [Pseudonym] is the first 32 bytes of
//
//	SHA-512("tamga/v1/pseudonym" 0x00 element (32))
//
// The protocol's own last hash takes the input, too. It is left out, on purpose, so that
// a key can be replaced without asking anybody for his identifier again: [Key.Update]
// makes of the element under an old key the one under a new key, by one multiplication
// with new/old. This is the key rotation of Everspaugh, Chatterjee, Scott, Juels and
// Ristenpart, "The Pythia PRF Service", USENIX Security 2015, section 4, for the function
// of Jarecki, Krawczyk and Resch, "Updatable Oblivious Key Management for Storage
// Systems", CCS 2019. Without a key an element tells as little as a pseudonym: it is
// random under the decisional Diffie-Hellman assumption, H being a random oracle.
//
// A node that holds its own key calls [NewKey] and [Key.Pseudonym]. Where the
// key is kept apart, the asking side calls [Blind], sends the request, the
// key's holder answers with [Key.Evaluate], and [Blinding.Finalize] checks the
// proof and gives the same element: the holder of the key learns nothing of
// the identifier, the asking side learns nothing of the key.
//
// A key may also be shared among holders, any 2 of 3 say, none of whom has it: they make
// it with [Deal] and [Join], each answers with the [Key] of his share ([NewShare]), and
// [NewShared] is the asking side's key, which finds and names a holder that lies.
//
// Without the key a pseudonym is random to an attacker. With it, or with the
// unlimited right to ask [Key.Evaluate], the few million possible document
// numbers of a country can be tried one after another: rate limits belong to
// the caller.
//
// # Normalisation
//
// Two spellings of one number must give one pseudonym, and two numbers never
// the same. Therefore the rule is strict, and knows ASCII only:
//
//   - Jurisdiction is three ASCII letters (ISO 3166-1 alpha-3, not checked
//     against the list), raised to upper case.
//   - Type is exactly one of the constants of this package.
//   - Value is at most 64 bytes before normalisation. Space, '-', '_' and '.'
//     are removed, a-z are raised to A-Z, and 1 to 32 of A-Z and 0-9 must
//     remain. Every other byte refuses the identifier, tab, line break, NUL
//     and every byte above 0x7f included.
//
// Look-alikes outside ASCII, such as Cyrillic А for Latin A, full-width or
// Arabic-Indic digits, dashes other than '-', no-break spaces, are refused and
// not folded: folding would let two different documents meet in one record,
// and a reader that emits them is better repaired than believed. O and 0, I
// and 1 stay different, because documents use both.
//
// # Invariants
//
//   - Normalize is idempotent, and equal normal forms have equal [Identifier.Canonical]
//     encodings, unequal ones never;
//   - direct and blind evaluation agree;
//   - an answer made under another key, or altered, never yields an element;
//   - an updated element is the one that the new key gives of the identifier.
//
// The encoding, the label and the suite are fixed: changing any would orphan
// every enrolled record.
package pseudonym

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
)

// Lengths in bytes.
const (
	Size         = 32 // A pseudonym.
	SeedSize     = 32 // A key's seed.
	RequestSize  = 32 // What Blind sends: one compressed group element.
	ResponseSize = 96 // What Evaluate answers: one element, then the DLEQ proof (two scalars).
)

const labelKey = "tamga/v1/pseudonym-key"

var (
	// ErrIdentifier reports an identifier that breaks the normalisation rule.
	ErrIdentifier = errors.New("malformed identifier")
	// ErrKey reports a seed or public key that is unusable, or a zero key.
	ErrKey = errors.New("invalid pseudonym key")
	// ErrElement reports a request or response that is not what the protocol
	// sends: wrong length, non-canonical or identity element.
	ErrElement = errors.New("malformed protocol element")
	// ErrProof reports a response that was not made with the expected key.
	ErrProof = errors.New("pseudonym proof does not hold")
)

// Pseudonym is what a record is filed under. It is comparable and serves as a
// map key. It is still personal data, so it prints as a redaction mark; a
// store uses its bytes, p[:]. The zero value is nobody's.
type Pseudonym [Size]byte

const redactedPseudonym = "pseudonym(redacted)"

// LogValue implements [slog.LogValuer] without the value.
func (Pseudonym) LogValue() slog.Value { return slog.StringValue(redactedPseudonym) }

// Format implements [fmt.Formatter] without the value, whatever the verb.
// fmt cannot call it on an unexported field, so a type that keeps a Pseudonym
// in one must redact itself.
func (Pseudonym) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedPseudonym) }

// MarshalJSON writes the redaction mark, for JSON logs. A pseudonym is not
// meant to travel.
func (Pseudonym) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedPseudonym + `"`), nil }

// Key computes pseudonyms. It is immutable, safe for concurrent use, not
// comparable with ==, and prints as a redaction mark. The zero value computes
// nothing.
type Key struct {
	// A closure hides the key from fmt and reflection, which skip methods on
	// unexported fields.
	open func() *keySecret
}

type keySecret struct {
	seed   []byte // nil for a share
	scalar group.Scalar
	server oprf.VerifiableServer
	public PublicKey
	shared *sharedKey // instead of all but public, where the key is with its holders
	before PublicKey  // of which a shared key is the multiple by factor; zero where that is not known
	factor group.Scalar
}

// GenerateKey makes a new key from crypto/rand.
func GenerateKey() (Key, error) {
	var seed [SeedSize]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return Key{}, fmt.Errorf("generating pseudonym key: %w", err)
	}
	defer clear(seed[:])
	return NewKey(seed[:])
}

// NewKey derives the key from a 32-byte seed (DeriveKeyPair, RFC 9497 section
// 3.2.1, info "tamga/v1/pseudonym-key"). It keeps a copy of the seed and
// returns [ErrKey] for another length.
func NewKey(seed []byte) (Key, error) { return deriveKey(seed, []byte(labelKey)) }

func deriveKey(seed, info []byte) (Key, error) {
	if len(seed) != SeedSize {
		return Key{}, fmt.Errorf("deriving pseudonym key: %d bytes instead of %d: %w", len(seed), SeedSize, ErrKey)
	}
	private, err := oprf.DeriveKey(oprf.SuiteRistretto255, oprf.VerifiableMode, seed, info)
	if err != nil {
		return Key{}, fmt.Errorf("deriving pseudonym key: %w", ErrKey)
	}
	return newKey(private, bytes.Clone(seed))
}

func newKey(private *oprf.PrivateKey, seed []byte) (Key, error) {
	// Public caches on first use without a lock: call it before sharing.
	raw, err := private.Public().MarshalBinary()
	if err != nil {
		return Key{}, fmt.Errorf("deriving pseudonym key: %w", ErrKey)
	}
	public, err := ParsePublicKey(raw)
	if err != nil {
		return Key{}, fmt.Errorf("deriving pseudonym key: %w", err)
	}
	scalar, err := scalarOf(private)
	if err != nil {
		return Key{}, fmt.Errorf("deriving pseudonym key: %w", ErrKey)
	}
	s := &keySecret{seed: seed, scalar: scalar, server: oprf.NewVerifiableServer(oprf.SuiteRistretto255, private), public: public}
	return Key{func() *keySecret { return s }}, nil
}

// Pseudonym is that of the [Key.Element], with the same errors.
func (k Key) Pseudonym(id Identifier) (Pseudonym, error) {
	e, err := k.Element(id)
	if err != nil {
		return Pseudonym{}, err
	}
	return e.Pseudonym(), nil
}

// Seed returns a copy of the seed, nil for the zero key, a share and a shared key. It is the secret
// itself: hand it to custody and clear it.
func (k Key) Seed() []byte {
	if k.IsZero() {
		return nil
	}
	return bytes.Clone(k.open().seed)
}

// Public returns the key that [Blinding.Finalize] checks answers against; the
// zero value for the zero key.
func (k Key) Public() PublicKey {
	if k.IsZero() {
		return PublicKey{}
	}
	return k.open().public
}

// IsZero reports whether k is the zero value.
func (k Key) IsZero() bool { return k.open == nil }

// Equal reports whether both are the same key: the same public key has no other one.
// Two zero keys are equal.
func (k Key) Equal(o Key) bool {
	if k.IsZero() || o.IsZero() {
		return k.IsZero() && o.IsZero()
	}
	return k.Public().Equal(o.Public())
}

const redactedKey = "pseudonym-key(redacted)"

// LogValue implements [slog.LogValuer] without the key.
func (Key) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// Format implements [fmt.Formatter] without the key, whatever the verb.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedKey) }
