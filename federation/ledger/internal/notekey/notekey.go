// Package notekey holds the two kinds of key that sign a ledger's checkpoints, as
// golang.org/x/mod/sumdb/note wants to see them: Ed25519 (signature type 0x01 of
// c2sp.org/signed-note) and ML-DSA-44 (type 0x06 of c2sp.org/tlog-cosignature
// 1.1.0-rc.1), and their text form, the vkey. Make signers with [Ed25519] and
// [MLDSA44] and public keys with [Parse]. It does not read signed notes.
package notekey

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	fmtlog "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/tamga-id/tamga/crypto/avxstate"
)

// Signature types.
const (
	algEd25519 = 0x01
	algMLDSA44 = 0x06
)

// SeedSize is the length in bytes of a seed of either kind.
const SeedSize = 32

// MaxName is the length in bytes of the longest name: what one length byte in the ML-DSA
// message can express.
const MaxName = 255

// Sizes in bytes of a signature of either kind, without the key ID before it.
const (
	Ed25519Size = ed25519.SignatureSize
	MLDSA44Size = timestampSize + mldsa44.SignatureSize
)

// timestampSize is the length of the time in front of an ML-DSA signature.
const timestampSize = 8

// Ed25519 returns a signer and its vkey from a seed of SeedSize bytes.
func Ed25519(name string, seed []byte) (note.Signer, string) {
	key := ed25519.NewKeyFromSeed(seed)
	typed := append([]byte{algEd25519}, key.Public().(ed25519.PublicKey)...)
	sign := func(msg []byte) ([]byte, error) { return ed25519.Sign(key, msg), nil }
	return signer{name, keyID(name, typed), sign}, vkey(name, typed)
}

// MLDSA44 returns what makes a signer for a given time, and its vkey, from a seed
// of SeedSize bytes.
func MLDSA44(name string, seed []byte) (at func(time.Time) note.Signer, key string) {
	pub, priv := mldsa44.NewKeyFromSeed((*[mldsa44.SeedSize]byte)(seed))
	avxstate.Clean()
	typed := append([]byte{algMLDSA44}, pub.Bytes()...)
	id := keyID(name, typed)
	return func(now time.Time) note.Signer {
		return signer{name, id, func(msg []byte) ([]byte, error) {
			return signMLDSA(priv, name, uint64(max(now.Unix(), 0)), msg)
		}}
	}, vkey(name, typed)
}

// signMLDSA returns timestamp || signature over the tree that text describes.
func signMLDSA(key *mldsa44.PrivateKey, name string, now uint64, text []byte) ([]byte, error) {
	sig := make([]byte, timestampSize+mldsa44.SignatureSize)
	binary.BigEndian.PutUint64(sig, now)
	msg, ok := cosigned(name, now, text)
	if !ok {
		return nil, errors.New("signing checkpoint with ML-DSA-44: malformed text")
	}
	defer avxstate.Clean()
	// Hedged, as FIPS 204 section 3.4 recommends against fault attacks.
	if err := mldsa44.SignTo(key, msg, nil, true, sig[timestampSize:]); err != nil {
		return nil, fmt.Errorf("signing checkpoint with ML-DSA-44: %w", err)
	}
	return sig, nil
}

// cosigned is the message under an ML-DSA-44 signature for the tree that a
// checkpoint's text describes, in the structure of
// https://c2sp.org/tlog-cosignature, which the comment of package lognote quotes.
func cosigned(cosigner string, timestamp uint64, text []byte) ([]byte, bool) {
	var c fmtlog.Checkpoint
	if _, err := c.Unmarshal(text); err != nil || len(c.Hash) != sha256.Size || len(c.Origin) > MaxName {
		return nil, false
	}
	b := make([]byte, 0, 12+1+len(cosigner)+8+1+len(c.Origin)+8+8+sha256.Size)
	b = append(b, "subtree/v1\n\x00"...)
	b = append(append(b, byte(len(cosigner))), cosigner...)
	b = binary.BigEndian.AppendUint64(b, timestamp)
	b = append(append(b, byte(len(c.Origin))), c.Origin...)
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint64(b, c.Size)
	return append(b, c.Hash...), true
}

// keyID is SHA-256(name || "\n" || type || public key)[:4].
func keyID(name string, typedKey []byte) uint32 {
	h := sha256.New()
	io.WriteString(h, name)
	h.Write([]byte{'\n'})
	h.Write(typedKey)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// vkey is the text form name+hex(key ID)+base64(type || public key).
func vkey(name string, typedKey []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, typedKey), base64.StdEncoding.EncodeToString(typedKey))
}

// CheckName accepts what can name a log in a note and in an ML-DSA message: 1 to
// 255 bytes of UTF-8 without white space, control characters and "+".
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > MaxName:
		return fmt.Errorf("checking log name: length must be 1 to %d bytes", MaxName)
	case !utf8.ValidString(name),
		strings.ContainsRune(name, '+'),
		strings.IndexFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0:
		return errors.New("checking log name: white space, control characters and '+' are not allowed")
	}
	return nil
}

// signer is one key as x/mod/sumdb/note wants to see it.
type signer struct {
	name string
	id   uint32
	sign func(msg []byte) ([]byte, error)
}

var _ note.Signer = signer{}

func (s signer) Name() string                    { return s.name }
func (s signer) KeyHash() uint32                 { return s.id }
func (s signer) Sign(msg []byte) ([]byte, error) { return s.sign(msg) }

// Key is one public key as x/mod/sumdb/note wants to see it.
type Key struct {
	name   string
	id     uint32
	timed  bool
	verify func(msg, sig []byte) bool
}

var _ note.Verifier = Key{}

// Name is the name of the signer.
func (k Key) Name() string { return k.name }

// KeyHash is the key ID.
func (k Key) KeyHash() uint32 { return k.id }

// Verify checks a signature, without the key ID in front, over the note text.
func (k Key) Verify(msg, sig []byte) bool { return k.verify(msg, sig) }

// Timed reports whether signatures begin with the time they were made.
func (k Key) Timed() bool { return k.timed }

// Parse accepts exactly the text that a signer of that name publishes.
func Parse(name, s string) (Key, error) {
	rest, ok := strings.CutPrefix(s, name+"+")
	if !ok {
		return Key{}, errors.New("name differs from the log's")
	}
	hexID, b64, _ := strings.Cut(rest, "+")
	typed, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || len(typed) < 2 {
		return Key{}, errors.New("malformed public key")
	}
	id, err := strconv.ParseUint(hexID, 16, 32)
	if err != nil || uint32(id) != keyID(name, typed) || vkey(name, typed) != s {
		return Key{}, errors.New("key ID does not match the public key")
	}
	k := Key{name: name, id: uint32(id)}
	switch pub := typed[1:]; {
	case typed[0] == algEd25519 && len(pub) == ed25519.PublicKeySize:
		k.verify = func(msg, sig []byte) bool { return ed25519.Verify(pub, msg, sig) }
	case typed[0] == algMLDSA44 && len(pub) == mldsa44.PublicKeySize:
		var pk mldsa44.PublicKey
		pk.Unpack((*[mldsa44.PublicKeySize]byte)(pub))
		avxstate.Clean()
		k.timed, k.verify = true, func(msg, sig []byte) bool { return verifyMLDSA(&pk, name, msg, sig) }
	default:
		return Key{}, fmt.Errorf("key type %#02x with %d bytes is not supported", typed[0], len(pub))
	}
	return k, nil
}

// verifyMLDSA checks timestamp || signature over the tree that text describes.
func verifyMLDSA(pk *mldsa44.PublicKey, cosigner string, text, sig []byte) bool {
	if len(sig) != timestampSize+mldsa44.SignatureSize {
		return false
	}
	defer avxstate.Clean()
	msg, ok := cosigned(cosigner, binary.BigEndian.Uint64(sig), text)
	return ok && mldsa44.Verify(pk, msg, nil, sig[timestampSize:])
}

// Rename gives the vkey of the same public key under another name.
func Rename(name, s string) (string, error) {
	parts := strings.Split(s, "+")
	if len(parts) < 3 {
		return "", errors.New("malformed public key")
	}
	// The base64 of a key may hold a '+' itself.
	typed, err := base64.StdEncoding.Strict().DecodeString(strings.Join(parts[2:], "+"))
	if err != nil || len(typed) < 2 || vkey(parts[0], typed) != s {
		return "", errors.New("malformed public key")
	}
	return vkey(name, typed), nil
}
