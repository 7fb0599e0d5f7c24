package sealing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"

	"github.com/tamga-id/tamga/crypto/avxstate"
)

// PublicKeySize is the length of an encoded public key: ML-KEM-768
// encapsulation key (1184 bytes), then X25519 u-coordinate (32 bytes).
const PublicKeySize = 1216

const (
	nameKEM  = "X-Wing"
	nameKDF  = "HKDF-SHA256"
	nameAEAD = "AES-256-GCM"

	labelKeyID = "tamga/v1/sealing-key"
	keyIDSize  = 16
	// maxKeyJSON bounds one key description: 1622 characters of key, some
	// 120 of names, and room for whitespace.
	maxKeyJSON = 4096
)

// PublicKey is a key to seal to. It is immutable, safe for concurrent use and
// may be copied. The zero value is no key: [Seal] refuses it.
type PublicKey struct{ k *publicKey }

type publicKey struct {
	kem func() kem.PublicKey
	raw [PublicKeySize]byte
	id  string
}

// ParsePublicKey decodes the 1216 bytes of a public key. It returns [ErrKey]
// for a wrong length, an ML-KEM key with an unreduced coefficient (FIPS 203
// section 7.2) or an X25519 point of low order. It keeps no reference to b.
func ParsePublicKey(b []byte) (PublicKey, error) {
	if len(b) != PublicKeySize {
		return PublicKey{}, fmt.Errorf("parsing sealing key: %d bytes instead of %d: %w", len(b), PublicKeySize, ErrKey)
	}
	if lowOrder(b[PublicKeySize-x25519Size:]) {
		return PublicKey{}, fmt.Errorf("parsing sealing key: X25519 point of low order: %w", ErrKey)
	}
	pub, err := hpke.KEM_XWING.Scheme().UnmarshalBinaryPublicKey(b)
	avxstate.Clean()
	if err != nil {
		return PublicKey{}, fmt.Errorf("parsing sealing key: %v: %w", err, ErrKey)
	}
	return newPublicKey(pub, b), nil
}

func newPublicKey(pub kem.PublicKey, raw []byte) PublicKey {
	return PublicKey{&publicKey{kem: func() kem.PublicKey { return pub }, raw: [PublicKeySize]byte(raw), id: keyID(raw)}}
}

// newOwnPublicKey is that of an ephemeral key, which others seal to: it is expanded when somebody does here.
func newOwnPublicKey(raw [PublicKeySize]byte) PublicKey {
	return PublicKey{&publicKey{raw: raw, id: keyID(raw[:]), kem: sync.OnceValue(func() kem.PublicKey {
		pub, err := hpke.KEM_XWING.Scheme().UnmarshalBinaryPublicKey(raw[:])
		avxstate.Clean()
		if err != nil {
			panic("sealing: a key that was made here does not parse")
		}
		return pub
	})}}
}

func keyID(pub []byte) string {
	h := sha256.New()
	h.Write([]byte(labelKeyID))
	h.Write(pub)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:keyIDSize])
}

// Bytes returns a copy of the encoded key, nil for the zero value.
func (p PublicKey) Bytes() []byte {
	if p.IsZero() {
		return nil
	}
	return bytes.Clone(p.k.raw[:])
}

// KeyID returns base64url(SHA-256("tamga/v1/sealing-key" || key)[:16]), the
// name of the key in metadata, headers and logs; empty for the zero value.
func (p PublicKey) KeyID() string {
	if p.IsZero() {
		return ""
	}
	return p.k.id
}

// String returns the key ID with a tag that says what it identifies.
func (p PublicKey) String() string { return "sealing-key:" + p.KeyID() }

// IsZero reports whether p is the zero value.
func (p PublicKey) IsZero() bool { return p.k == nil }

// Equal reports whether both are the same key, or both zero.
func (p PublicKey) Equal(o PublicKey) bool {
	if p.IsZero() || o.IsZero() {
		return p.IsZero() && o.IsZero()
	}
	return p.k.raw == o.k.raw
}

type keyJSON struct {
	KeyID string `json:"kid"`
	KEM   string `json:"kem"`
	KDF   string `json:"kdf"`
	AEAD  string `json:"aead"`
	Pub   string `json:"pub"`
}

// MarshalJSON encodes the key as it appears in entity metadata:
//
//	{"kid":…,"kem":"X-Wing","kdf":"HKDF-SHA256","aead":"AES-256-GCM","pub":base64url}
//
// It returns [ErrKey] for the zero value.
func (p PublicKey) MarshalJSON() ([]byte, error) {
	if p.IsZero() {
		return nil, fmt.Errorf("encoding sealing key: %w", ErrKey)
	}
	pub := base64.RawURLEncoding.EncodeToString(p.k.raw[:])
	return json.Marshal(keyJSON{p.k.id, nameKEM, nameKDF, nameAEAD, pub})
}

// UnmarshalJSON decodes what [PublicKey.MarshalJSON] writes, in any member
// order. Every member must be there once, in exact case, with no other; kid
// must be the key's own. It returns [ErrSuite] for another suite's key and
// [ErrKey] for everything else that is wrong, and leaves p unchanged then.
func (p *PublicKey) UnmarshalJSON(data []byte) error {
	m, err := decodeKeyJSON(data)
	if err != nil {
		return fmt.Errorf("decoding sealing key: %v: %w", err, ErrKey)
	}
	if m["kem"] != nameKEM || m["kdf"] != nameKDF || m["aead"] != nameAEAD {
		return fmt.Errorf("decoding sealing key: %w", ErrSuite)
	}
	raw, err := base64.RawURLEncoding.DecodeString(m["pub"])
	// encoding/base64 skips line breaks and, unless strict, spare bits.
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != m["pub"] {
		return fmt.Errorf("decoding sealing key: pub is not canonical base64url: %w", ErrKey)
	}
	k, err := ParsePublicKey(raw)
	if err != nil {
		return err
	}
	if m["kid"] != k.KeyID() {
		return fmt.Errorf("decoding sealing key: kid does not belong to pub: %w", ErrKey)
	}
	*p = k
	return nil
}

// decodeKeyJSON reads one flat object of string members. encoding/json alone
// would fold the case of names and let the last duplicate win.
func decodeKeyJSON(data []byte) (map[string]string, error) {
	if len(data) > maxKeyJSON {
		return nil, fmt.Errorf("longer than %d bytes", maxKeyJSON)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("not an object")
	}
	m := make(map[string]string, 5)
	for d.More() {
		name, err := memberName(d)
		if err != nil {
			return nil, err
		}
		if _, dup := m[name]; dup {
			return nil, fmt.Errorf("member %s twice", name)
		}
		value, err := d.Token()
		s, ok := value.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("member %s is not a string", name)
		}
		m[name] = s
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("unterminated object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("trailing content")
	}
	if len(m) != 5 {
		return nil, fmt.Errorf("member missing")
	}
	return m, nil
}

func memberName(d *json.Decoder) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", fmt.Errorf("malformed JSON")
	}
	switch name, _ := t.(string); name {
	case "kid", "kem", "kdf", "aead", "pub":
		return name, nil
	}
	return "", fmt.Errorf("unknown member")
}
