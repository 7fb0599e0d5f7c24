// Package envelope encrypts a gallery's records at rest so that one person's
// records can be made unreadable by forgetting one small value.
//
// The keys form a chain: the node's root (crypto/custody) gives one
// key-encryption key (KEK) per generation; a KEK wraps one random
// data-encryption key (DEK) per subject; the DEK seals that subject's records.
// All encryption is AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces,
// all derivation HKDF-SHA256 (RFC 5869).
//
// A node builds one [Ring] at start. Enrolment calls [Ring.NewDEK], stores the
// wrapped DEK and what [DEK.Seal] returns; a read calls [Ring.UnwrapDEK],
// [DEK.Open] and [DEK.Wipe]. After the current generation was raised,
// [Ring.Rewrap] moves a wrapped DEK to it without touching the records.
//
// The package stores nothing. Erasure is the store's act: once no copy of the
// wrapped DEK is left, no key of the node opens the records. A copy of a
// wrapped DEK kept in a backup still opens under the same root, so a store
// that promises erasure past restores must also refuse to restore it or
// re-root; KEK generations limit how much one key protects, they are not
// destroyed one by one.
//
// Invariants:
//   - a wrapped DEK opens only for its pseudonym, at its generation;
//   - a record opens only under its DEK with every field of its [AAD] equal;
//   - every generation up to the current one unwraps, none above it does;
//   - a DEK that was wiped, or never made, seals and opens nothing.
//
// With random nonces one KEK may wrap 2^32 DEKs (SP 800-38D section 8.3):
// raise the generation before a gallery is that large.
package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/custody"
)

var (
	// ErrOpen reports bytes that do not open: other key, other pseudonym,
	// other AAD, altered or cut. Which one is deliberately not recorded.
	ErrOpen = errors.New("sealed bytes refused")
	// ErrGeneration reports a KEK generation that is 0 or above the ring's
	// current one, such as a store newer than the configuration.
	ErrGeneration = errors.New("unknown key generation")
	// ErrNoKey reports an unusable root, or a DEK that is zero or wiped.
	ErrNoKey = errors.New("no key")
	// ErrField reports a pseudonym or AAD field that is empty or too long.
	ErrField = errors.New("field empty or too long")
)

const (
	keySize        = 32
	nonceSize      = 12
	tagSize        = 16
	generationSize = 4

	// WrappedSize is the length of a wrapped DEK:
	// generation (4, big endian) || nonce (12) || ciphertext (32) || tag (16).
	WrappedSize = generationSize + nonceSize + keySize + tagSize
	// Overhead is how many bytes [DEK.Seal] adds: nonce and tag.
	Overhead = nonceSize + tagSize

	maxPseudonym = 64

	labelKEK           = "tamga/v1/kek"
	labelKEKGeneration = "tamga/v1/kek-generation"
	labelDEK           = "tamga/v1/dek"
	labelRecord        = "tamga/v1/record"
)

// Ring holds the KEK generations of one node. It is immutable, safe for
// concurrent use, and prints as a redaction mark.
type Ring struct {
	// A closure hides the key from fmt and reflection, which skip methods on
	// unexported fields.
	open    func() *ringKeys
	current uint32
}

type ringKeys struct {
	master [keySize]byte // All generations derive from it.
	newest cipher.AEAD   // KEK of the current generation, which most calls want.
}

// NewRing derives the KEKs of generations 1 to current from root. The root
// may be wiped afterwards. It returns [ErrGeneration] for current 0 and
// [ErrNoKey] for an unusable root.
func NewRing(root custody.Root, current uint32) (*Ring, error) {
	if current == 0 {
		return nil, fmt.Errorf("building key ring: generation 0: %w", ErrGeneration)
	}
	if !root.Usable() {
		return nil, fmt.Errorf("building key ring: root: %w", ErrNoKey)
	}
	k := &ringKeys{master: root.Derive(labelKEK)}
	kek, err := k.kek(current)
	if err != nil {
		return nil, fmt.Errorf("building key ring: %w", err)
	}
	k.newest = kek
	return &Ring{open: func() *ringKeys { return k }, current: current}, nil
}

// kek derives the KEK of one generation.
func (k *ringKeys) kek(generation uint32) (cipher.AEAD, error) {
	info := string(binary.BigEndian.AppendUint32([]byte(labelKEKGeneration), generation))
	key, err := hkdf.Key(sha256.New, k.master[:], nil, info, keySize)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newAEAD(key)
}

// Current returns the generation that new DEKs are wrapped under.
func (r *Ring) Current() uint32 { return r.current }

// NewDEK makes a random DEK for the subject and wraps it under the current
// generation. The wrapped form is [WrappedSize] bytes, may be stored in clear,
// and is the caller's. Pseudonym is 1 to 64 bytes, else [ErrField].
func (r *Ring) NewDEK(pseudonym []byte) (DEK, []byte, error) {
	var key [keySize]byte
	defer clear(key[:])
	if _, err := rand.Read(key[:]); err != nil {
		return DEK{}, nil, fmt.Errorf("making data key: %w", err)
	}
	wrapped, err := r.wrap(pseudonym, key[:])
	if err != nil {
		return DEK{}, nil, fmt.Errorf("making data key: %w", err)
	}
	return newDEK(key[:], r.current), wrapped, nil
}

// UnwrapDEK opens a wrapped DEK of any generation up to the current one. It
// returns [ErrGeneration] for a later one and [ErrOpen] when wrapped was not
// made for this pseudonym under this root.
func (r *Ring) UnwrapDEK(pseudonym, wrapped []byte) (DEK, error) {
	key, generation, err := r.unwrap(pseudonym, wrapped)
	if err != nil {
		return DEK{}, fmt.Errorf("unwrapping data key: %w", err)
	}
	defer clear(key)
	return newDEK(key, generation), nil
}

// Rewrap opens a wrapped DEK and wraps the same key under the current
// generation. It fails as [Ring.UnwrapDEK] does.
func (r *Ring) Rewrap(pseudonym, wrapped []byte) ([]byte, error) {
	key, _, err := r.unwrap(pseudonym, wrapped)
	if err != nil {
		return nil, fmt.Errorf("rewrapping data key: %w", err)
	}
	defer clear(key)
	fresh, err := r.wrap(pseudonym, key)
	if err != nil {
		return nil, fmt.Errorf("rewrapping data key: %w", err)
	}
	return fresh, nil
}

// wrap seals key under the current generation: see [WrappedSize].
func (r *Ring) wrap(pseudonym, key []byte) ([]byte, error) {
	aad, err := dekAAD(pseudonym, r.current)
	if err != nil {
		return nil, err
	}
	out := make([]byte, generationSize+nonceSize, WrappedSize)
	binary.BigEndian.PutUint32(out, r.current)
	nonce := out[generationSize:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return r.open().newest.Seal(out, nonce, key, aad), nil
}

func (r *Ring) unwrap(pseudonym, wrapped []byte) ([]byte, uint32, error) {
	if len(wrapped) != WrappedSize {
		return nil, 0, ErrOpen
	}
	generation := binary.BigEndian.Uint32(wrapped)
	if generation == 0 || generation > r.current {
		return nil, 0, fmt.Errorf("generation %d: %w", generation, ErrGeneration)
	}
	aad, err := dekAAD(pseudonym, generation)
	if err != nil {
		return nil, 0, err
	}
	kek := r.open().newest
	if generation != r.current {
		if kek, err = r.open().kek(generation); err != nil {
			return nil, 0, err
		}
	}
	nonce, ct := wrapped[generationSize:generationSize+nonceSize], wrapped[generationSize+nonceSize:]
	key, err := kek.Open(nil, nonce, ct, aad)
	if err != nil {
		return nil, 0, ErrOpen
	}
	return key, generation, nil
}

// dekAAD binds a wrapped DEK to its subject and generation.
func dekAAD(pseudonym []byte, generation uint32) ([]byte, error) {
	if len(pseudonym) == 0 || len(pseudonym) > maxPseudonym {
		return nil, fmt.Errorf("pseudonym: %w", ErrField)
	}
	b := make([]byte, 0, 128)
	b = appendField(b, labelDEK)
	b = appendField(b, pseudonym)
	return binary.BigEndian.AppendUint32(b, generation), nil
}

// appendField appends a 4-byte big-endian length and the field, so that no
// two field lists encode alike.
func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

const redactedRing = "kek-ring(redacted)"

// LogValue implements [slog.LogValuer] without keys.
func (Ring) LogValue() slog.Value { return slog.StringValue(redactedRing) }

// Format implements [fmt.Formatter] without keys, whatever the verb.
func (Ring) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedRing) }
