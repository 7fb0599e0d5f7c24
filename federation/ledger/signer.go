package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	fmtlog "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// Signature types of c2sp.org/signed-note and c2sp.org/tlog-cosignature.
const (
	algEd25519 = 0x01
	algMLDSA44 = 0x06
)

// maxOrigin is what one length byte in the ML-DSA message can express.
const maxOrigin = 255

// timestampSize is the length of the time in front of an ML-DSA signature.
const timestampSize = 8

// Signer signs a log's checkpoints. The zero value signs nothing. It prints as
// "signer(redacted)" and is safe for concurrent use.
type Signer struct {
	origin string
	vkeys  []string
	sign   func(size uint64, root []byte, now time.Time) ([]byte, error)
}

// NewSigner derives both keys of the log named origin from two 32-byte seeds.
// The seeds are not kept by reference. An origin is a non-empty UTF-8 name of at
// most 255 bytes without white space and without "+", for instance
// "id.example.kz/tamga/ledger".
func NewSigner(origin string, ed25519Seed, mldsaSeed []byte) (Signer, error) {
	if err := checkOrigin(origin); err != nil {
		return Signer{}, err
	}
	if len(ed25519Seed) != ed25519.SeedSize || len(mldsaSeed) != mldsa44.SeedSize {
		return Signer{}, errors.New("making ledger signer: both seeds must be 32 bytes")
	}
	ed := ed25519.NewKeyFromSeed(ed25519Seed)
	pub, pq := mldsa44.NewKeyFromSeed((*[mldsa44.SeedSize]byte)(mldsaSeed))
	edKey := append([]byte{algEd25519}, ed.Public().(ed25519.PublicKey)...)
	pqKey := append([]byte{algMLDSA44}, pub.Bytes()...)
	edSigner := noteSigner{origin, keyID(origin, edKey), func(msg []byte) ([]byte, error) {
		return ed25519.Sign(ed, msg), nil
	}}
	sign := func(size uint64, root []byte, now time.Time) ([]byte, error) {
		text := fmtlog.Checkpoint{Origin: origin, Size: size, Hash: root}.Marshal()
		pqSigner := noteSigner{origin, keyID(origin, pqKey), func([]byte) ([]byte, error) {
			return signMLDSA(pq, origin, uint64(max(now.Unix(), 0)), size, root)
		}}
		return note.Sign(&note.Note{Text: string(text)}, edSigner, pqSigner)
	}
	return Signer{origin, []string{vkey(origin, edKey), vkey(origin, pqKey)}, sign}, nil
}

// Origin returns the log's name, the first line of its checkpoints.
func (s Signer) Origin() string { return s.origin }

// VerifierKeys returns the public keys as C2SP vkey strings, Ed25519 first. The
// caller owns the slice.
func (s Signer) VerifierKeys() []string { return append([]string(nil), s.vkeys...) }

// LogValue redacts the keys.
func (Signer) LogValue() slog.Value { return slog.StringValue("signer(redacted)") }

// Format redacts the keys.
func (Signer) Format(w fmt.State, _ rune) { io.WriteString(w, "signer(redacted)") }

// signMLDSA returns timestamp || signature.
func signMLDSA(key *mldsa44.PrivateKey, name string, now, size uint64, root []byte) ([]byte, error) {
	sig := make([]byte, timestampSize+mldsa44.SignatureSize)
	binary.BigEndian.PutUint64(sig, now)
	// Hedged, as FIPS 204 section 3.4 recommends against fault attacks.
	if err := mldsa44.SignTo(key, cosigned(name, now, name, size, root), nil, true, sig[timestampSize:]); err != nil {
		return nil, fmt.Errorf("signing checkpoint with ML-DSA-44: %w", err)
	}
	return sig, nil
}

// cosigned is the message under an ML-DSA-44 signature, see the package comment
// and https://c2sp.org/tlog-cosignature.
func cosigned(cosigner string, timestamp uint64, origin string, end uint64, root []byte) []byte {
	b := make([]byte, 0, 12+1+len(cosigner)+8+1+len(origin)+8+8+sha256.Size)
	b = append(b, "subtree/v1\n\x00"...)
	b = append(append(b, byte(len(cosigner))), cosigner...)
	b = binary.BigEndian.AppendUint64(b, timestamp)
	b = append(append(b, byte(len(origin))), origin...)
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint64(b, end)
	return append(b, root...)
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

func checkOrigin(origin string) error {
	switch {
	case origin == "" || len(origin) > maxOrigin:
		return fmt.Errorf("checking ledger origin: length must be 1 to %d bytes", maxOrigin)
	case !utf8.ValidString(origin),
		strings.ContainsRune(origin, '+'),
		strings.IndexFunc(origin, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0:
		return errors.New("checking ledger origin: white space, control characters and '+' are not allowed")
	}
	return nil
}

// noteSigner is one key as x/mod/sumdb/note wants to see it.
type noteSigner struct {
	name string
	id   uint32
	sign func(msg []byte) ([]byte, error)
}

var _ note.Signer = noteSigner{}

func (s noteSigner) Name() string                    { return s.name }
func (s noteSigner) KeyHash() uint32                 { return s.id }
func (s noteSigner) Sign(msg []byte) ([]byte, error) { return s.sign(msg) }
