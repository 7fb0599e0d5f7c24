// Package envelope encrypts a gallery's records at rest so that one person's
// records can be made unreadable by forgetting one small value.
//
// The keys form a chain: the keystore under the node's root (crypto/custody)
// holds one random key-encryption key (KEK) per generation; a KEK wraps one
// random data-encryption key (DEK) per subject; the DEK seals that subject's
// records. All encryption is AES-256-GCM (NIST SP 800-38D) with random 96-bit
// nonces.
//
// A node makes a KEK with [NewKEK], keeps it in the keystore, and builds one
// [Ring] of all it has at start. Enrolment calls [Ring.NewDEK], stores the
// wrapped DEK and what [DEK.Seal] returns; a read calls [Ring.UnwrapDEK],
// [DEK.Open] and [DEK.Wipe]. A ring with a later current generation moves a
// wrapped DEK to it with [Ring.Rewrap], without touching the records.
//
// The package stores nothing. Erasure is the store's act: once no copy of the
// wrapped DEK is left, no key of the node opens the records. Copies that a
// backup or a storage medium keeps are dealt with by generation: a KEK is
// random and derived from nothing, so once every wrapped DEK that is to live
// was rewrapped and the old KEK was destroyed in the keystore, what only that
// KEK wrapped opens for nobody, whatever root or later KEK he holds.
//
// Invariants:
//   - a wrapped DEK opens only for its pseudonym, at its generation;
//   - a record opens only under its DEK with every field of its [AAD] equal;
//   - a generation unwraps if and only if its KEK is in the ring;
//   - a DEK or ring that was wiped, or never made, seals and opens nothing.
//
// With random nonces one KEK may wrap 2^32 DEKs (SP 800-38D section 8.3):
// activate another generation before a gallery is that large.
package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/tamga-id/tamga/crypto/internal/locked"
)

var (
	// ErrOpen reports bytes that do not open: other key, other pseudonym,
	// other AAD, altered or cut. Which one is deliberately not recorded.
	ErrOpen = errors.New("sealed bytes refused")
	// ErrGeneration reports a KEK generation that is not in the ring: destroyed,
	// not made yet, or 0.
	ErrGeneration = errors.New("unknown key generation")
	// ErrNoKey reports an unusable KEK, or a ring or DEK that is zero or wiped.
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

	labelDEK    = "tamga/v1/dek"
	labelRecord = "tamga/v1/record"
)

// NewKEK makes a random key-encryption key for one generation. The caller keeps
// it sealed and wipes it.
func NewKEK() ([]byte, error) {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making key-encryption key: %w", err)
	}
	return key, nil
}

// Ring holds the KEK generations of one node, in memory that is locked where the
// system allows. Copies share the keys:
// [Ring.Wipe] on one wipes all. It is safe for concurrent use, and prints as a
// redaction mark.
type Ring struct {
	// A closure hides the keys from fmt and reflection, which skip methods on
	// unexported fields.
	open    func() *ringKeys
	current uint32 // Immutable.
}

type ringKeys struct {
	mu   sync.RWMutex
	keys map[uint32]*locked.Buffer // Guarded by mu; nil once wiped.
}

// NewRing makes a ring of the KEKs by generation, of which new DEKs are wrapped
// under current. It copies the keys, which the caller may wipe. It returns
// [ErrGeneration] when there is a generation 0 or none called current, and
// [ErrNoKey] for a KEK that is not 32 bytes or all zero.
func NewRing(keks map[uint32][]byte, current uint32) (*Ring, error) {
	if _, ok := keks[current]; !ok || current == 0 {
		return nil, fmt.Errorf("building key ring: current generation %d: %w", current, ErrGeneration)
	}
	k := &ringKeys{keys: make(map[uint32]*locked.Buffer, len(keks))}
	for generation, key := range keks {
		if generation == 0 {
			return nil, fmt.Errorf("building key ring: generation 0: %w", ErrGeneration)
		}
		var zero [keySize]byte
		if len(key) != keySize || subtle.ConstantTimeCompare(key, zero[:]) == 1 {
			return nil, fmt.Errorf("building key ring: generation %d: %w", generation, ErrNoKey)
		}
		held := locked.New(keySize)
		copy(held.Bytes(), key)
		k.keys[generation] = held
	}
	return &Ring{open: func() *ringKeys { return k }, current: current}, nil
}

// Using returns a ring of the same keys, which [Ring.Wipe] on either wipes, of which new
// DEKs are wrapped under another generation: [ErrGeneration] when there is none.
func (r *Ring) Using(current uint32) (*Ring, error) {
	k := r.open()
	k.mu.RLock()
	defer k.mu.RUnlock()
	if _, ok := k.keys[current]; !ok {
		return nil, fmt.Errorf("changing key ring: current generation %d: %w", current, ErrGeneration)
	}
	return &Ring{open: r.open, current: current}, nil
}

// Generations returns the generations that the ring unwraps, in order. It is
// empty once the ring was wiped.
func (r *Ring) Generations() []uint32 {
	k := r.open()
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Sorted(maps.Keys(k.keys))
}

// Wipe overwrites the KEKs of r and of every copy of it. Calling it again does
// nothing.
func (r *Ring) Wipe() {
	k := r.open()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		key.Wipe()
	}
	k.keys = nil
}

// use runs f with the KEK of one generation. The cipher is built per call, some
// 200 ns, because an expanded key kept in the ring could not be wiped.
func (k *ringKeys) use(generation uint32, f func(cipher.AEAD) error) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.keys == nil {
		return ErrNoKey
	}
	key, ok := k.keys[generation]
	if !ok {
		return fmt.Errorf("generation %d: %w", generation, ErrGeneration)
	}
	aead, err := newAEAD(key.Bytes())
	if err != nil {
		return err
	}
	return f(aead)
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

// UnwrapDEK opens a wrapped DEK of any generation in the ring. It returns
// [ErrGeneration] for one that is not, because it was destroyed or is not made
// yet, and [ErrOpen] when wrapped was not made for this pseudonym under this
// ring's KEK.
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

// Rebind opens a wrapped DEK of one pseudonym and wraps the same key for another, under
// the current generation: the subject's pseudonym was replaced. It fails as
// [Ring.UnwrapDEK] does.
func (r *Ring) Rebind(from, to, wrapped []byte) ([]byte, error) {
	key, _, err := r.unwrap(from, wrapped)
	if err != nil {
		return nil, fmt.Errorf("rebinding data key: %w", err)
	}
	defer clear(key)
	fresh, err := r.wrap(to, key)
	if err != nil {
		return nil, fmt.Errorf("rebinding data key: %w", err)
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
	err = r.open().use(r.current, func(kek cipher.AEAD) error {
		out = kek.Seal(out, nonce, key, aad)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *Ring) unwrap(pseudonym, wrapped []byte) ([]byte, uint32, error) {
	if len(wrapped) != WrappedSize {
		return nil, 0, ErrOpen
	}
	generation := binary.BigEndian.Uint32(wrapped)
	aad, err := dekAAD(pseudonym, generation)
	if err != nil {
		return nil, 0, err
	}
	nonce, ct := wrapped[generationSize:generationSize+nonceSize], wrapped[generationSize+nonceSize:]
	var key []byte
	err = r.open().use(generation, func(kek cipher.AEAD) error {
		if key, err = kek.Open(nil, nonce, ct, aad); err != nil {
			return ErrOpen
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
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
