package envelope

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// AAD says what a sealed record is. It is not stored in the record: whoever
// opens it must know every field, and a record moved to another node, person,
// modality, format, version or generation does not open.
type AAD struct {
	Node          string // Entity identifier of the gallery's node, 1 to 2048 bytes.
	Pseudonym     []byte // Whom the record is about, 1 to 64 bytes.
	Modality      string // 1 to 64 bytes.
	Format        string // Template format, 1 to 128 bytes.
	Version       uint32 // Version of the record, raised on every rewrite, so an old one cannot be put back.
	KeyGeneration uint32 // KEK generation when the record was sealed; the caller keeps it beside the record.
}

// Encode returns the unambiguous encoding of a:
//
//	aad   = field("tamga/v1/record") field(node) field(pseudonym)
//	        field(modality) field(format) u32(version) u32(generation)
//	field = u32(length) bytes       ; all integers big endian
//
// It returns [ErrField], naming the field, when one is empty or too long.
func (a AAD) Encode() ([]byte, error) {
	bounds := []struct {
		name   string
		length int
		max    int
	}{
		{"node", len(a.Node), 2048},
		{"pseudonym", len(a.Pseudonym), maxPseudonym},
		{"modality", len(a.Modality), 64},
		{"format", len(a.Format), 128},
	}
	for _, f := range bounds {
		if f.length == 0 || f.length > f.max {
			return nil, fmt.Errorf("%s: %w", f.name, ErrField)
		}
	}
	b := make([]byte, 0, 256)
	b = appendField(b, labelRecord)
	b = appendField(b, a.Node)
	b = appendField(b, a.Pseudonym)
	b = appendField(b, a.Modality)
	b = appendField(b, a.Format)
	b = binary.BigEndian.AppendUint32(b, a.Version)
	return binary.BigEndian.AppendUint32(b, a.KeyGeneration), nil
}

// DEK seals and opens the records of one subject. Copies share one key:
// [DEK.Wipe] on one wipes all. It is safe for concurrent use, not comparable
// with ==, and prints as a redaction mark. The zero value holds no key.
type DEK struct {
	open func() *dekSecret
}

type dekSecret struct {
	generation uint32 // Immutable.

	mu    sync.RWMutex
	key   [keySize]byte // Guarded by mu.
	wiped bool          // Guarded by mu.
}

func newDEK(key []byte, generation uint32) DEK {
	s := &dekSecret{generation: generation}
	copy(s.key[:], key)
	return DEK{func() *dekSecret { return s }}
}

// Generation returns the KEK generation this DEK was wrapped under, 0 for the
// zero value.
func (d DEK) Generation() uint32 {
	if d.open == nil {
		return 0
	}
	return d.open().generation
}

// Seal encrypts one record as nonce (12) || ciphertext || tag (16). It returns
// [ErrNoKey] on a zero or wiped DEK and [ErrField] for a bad AAD. The result
// is the caller's.
func (d DEK) Seal(a AAD, plaintext []byte) ([]byte, error) {
	aad, err := a.Encode()
	if err != nil {
		return nil, fmt.Errorf("sealing record: %w", err)
	}
	out := make([]byte, nonceSize, Overhead+len(plaintext))
	if _, err := rand.Read(out); err != nil {
		return nil, fmt.Errorf("sealing record: %w", err)
	}
	var sealed []byte
	err = d.use(func(key []byte) error {
		aead, err := newAEAD(key)
		if err == nil {
			sealed = aead.Seal(out, out[:nonceSize], plaintext, aad)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sealing record: %w", err)
	}
	return sealed, nil
}

// Open decrypts what [DEK.Seal] made with an equal AAD. It returns [ErrOpen]
// when the bytes do not open, [ErrNoKey] on a zero or wiped DEK and [ErrField]
// for a bad AAD. The result is the caller's to wipe.
func (d DEK) Open(a AAD, sealed []byte) ([]byte, error) {
	aad, err := a.Encode()
	if err != nil {
		return nil, fmt.Errorf("opening record: %w", err)
	}
	if len(sealed) < Overhead {
		return nil, fmt.Errorf("opening record: %w", ErrOpen)
	}
	var plaintext []byte
	err = d.use(func(key []byte) error {
		aead, err := newAEAD(key)
		if err != nil {
			return err
		}
		if plaintext, err = aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], aad); err != nil {
			return ErrOpen
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening record: %w", err)
	}
	return plaintext, nil
}

// use runs f with the key. The cipher is built per call, some 200 ns, because
// an expanded key kept in the DEK could not be wiped.
func (d DEK) use(f func(key []byte) error) error {
	if d.open == nil {
		return ErrNoKey
	}
	s := d.open()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.wiped {
		return ErrNoKey
	}
	return f(s.key[:])
}

// Wipe overwrites the key of d and of every copy of it. Calling it again, or
// on the zero value, does nothing.
func (d DEK) Wipe() {
	if d.open == nil {
		return
	}
	s := d.open()
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.key[:])
	s.wiped = true
}

const redactedDEK = "dek(redacted)"

// LogValue implements [slog.LogValuer] without the key.
func (DEK) LogValue() slog.Value { return slog.StringValue(redactedDEK) }

// Format implements [fmt.Formatter] without the key, whatever the verb.
func (DEK) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedDEK) }
