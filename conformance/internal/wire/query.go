package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/protocol"
)

var b64 = base64.RawURLEncoding

// Draft is a Query before it is signed. It is built by the text of PROTOCOL.md and
// not with package protocol, so that every part can be made wrong and a misreading is
// not made twice. The zero faults give a Query that must be answered.
type Draft struct {
	Header  map[string]any
	Claims  map[string]any // but for sealed
	Content map[uint64]any // of the sealed part, CDDL sealed-query
	To      sealing.PublicKey
	Info    string
	Key     jose.PrivateKey
	Reply   sealing.PrivateKey

	// Faults; each edits what the steps before it made.
	Plain   func([]byte) []byte         // the encoded sealed part
	Sealed  func([]byte) []byte         // enc || ciphertext
	Late    func(claims map[string]any) // after sealing, before signing
	Payload func([]byte) []byte         // the JSON
	Sign    func(input []byte) []byte   // replaces Ed25519
	Token   func(string) string         // the frame
}

// Sent is a frame with what is needed to judge the reply to it.
type Sent struct {
	Frame  []byte
	Hash   [32]byte
	Claims map[string]any
	Reply  sealing.PrivateKey
	At     time.Time
}

// Keys of the CDDL maps sealed-query, subject and probe.
const (
	KeySubject, KeyProbes, KeyConsent = uint64(1), uint64(2), uint64(3)

	KeyModality, KeyFormat, KeyRecord, KeyPosition, KeyQuality, KeyCapture = uint64(1), uint64(2), uint64(3), uint64(4), uint64(5), uint64(6)
)

// Parties are who asks whom, under which keys.
type Parties struct {
	Issuer, Audience string
	Signing          jose.PrivateKey
	To               sealing.PublicKey
}

// New is a Query about a subject, for a purpose and legal basis, that nothing is wrong
// with. It lives for 60 s from now.
func New(p Parties, purpose, basis string, subject pseudonym.Identifier, probes []protocol.Probe, now time.Time) (*Draft, error) {
	reply, err := sealing.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("making reply key: %w", err)
	}
	var jti [16]byte
	_, _ = rand.Read(jti[:])
	var encoded []any
	for _, p := range probes {
		encoded = append(encoded, probeMap(p))
	}
	return &Draft{
		Header: map[string]any{"alg": "Ed25519", "kid": p.Signing.Public().KeyID(), "typ": protocol.TypeQuery},
		Claims: map[string]any{
			"rev": "1", "iss": p.Issuer, "aud": p.Audience, "iat": now.Unix(), "exp": now.Unix() + 60,
			"jti": b64.EncodeToString(jti[:]), "purpose": purpose, "legal_basis": basis, "operation": "verify",
			"officer": "conformance", "seal_kid": p.To.KeyID(), "reply_key": b64.EncodeToString(reply.Public().Bytes()),
		},
		Content: map[uint64]any{
			KeySubject: map[uint64]any{1: subject.Jurisdiction, 2: subject.Type, 3: subject.Value},
			KeyProbes:  encoded,
		},
		To: p.To, Info: "tamga/v1/query", Key: p.Signing, Reply: reply,
	}, nil
}

func probeMap(p protocol.Probe) map[uint64]any {
	m := map[uint64]any{KeyModality: p.Modality, KeyFormat: p.Format, KeyRecord: []byte(p.Data)}
	if p.Position != 0 {
		m[KeyPosition] = p.Position
	}
	if p.Quality != 0 {
		m[KeyQuality] = p.Quality
	}
	if p.Capture != "" {
		m[KeyCapture] = p.Capture
	}
	return m
}

// Subject and Probe give parts of the content for a fault to edit.
func (d *Draft) Subject() map[uint64]any    { return d.Content[KeySubject].(map[uint64]any) }
func (d *Draft) Probe(i int) map[uint64]any { return d.Content[KeyProbes].([]any)[i].(map[uint64]any) }

// Build seals and signs.
func (d *Draft) Build(now time.Time) (Sent, error) {
	plain, err := Deterministic(d.Content)
	if err != nil {
		return Sent{}, fmt.Errorf("encoding sealed part: %w", err)
	}
	if d.Plain != nil {
		plain = d.Plain(plain)
	}
	aad, err := queryAAD(d.Claims)
	if err != nil {
		return Sent{}, fmt.Errorf("binding claims: %w", err)
	}
	sealed, err := sealing.Seal(d.To, []byte(d.Info), aad, plain)
	if err != nil {
		return Sent{}, fmt.Errorf("sealing: %w", err)
	}
	if d.Sealed != nil {
		sealed = d.Sealed(sealed)
	}
	claims := maps.Clone(d.Claims)
	claims["sealed"] = b64.EncodeToString(sealed)
	if d.Late != nil {
		d.Late(claims)
	}
	token, err := d.signed(claims)
	if err != nil {
		return Sent{}, err
	}
	return Sent{Frame: []byte(token), Hash: sha256.Sum256([]byte(token)), Claims: claims, Reply: d.Reply, At: now}, nil
}

func (d *Draft) signed(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	if d.Payload != nil {
		payload = d.Payload(payload)
	}
	header, err := json.Marshal(d.Header)
	if err != nil {
		return "", fmt.Errorf("encoding header: %w", err)
	}
	input := b64.EncodeToString(header) + "." + b64.EncodeToString(payload)
	sign := d.Sign
	if sign == nil {
		seed := d.Key.Seed()
		defer clear(seed)
		key := ed25519.NewKeyFromSeed(seed)
		sign = func(b []byte) []byte { return ed25519.Sign(key, b) }
	}
	token := input + "." + b64.EncodeToString(sign([]byte(input)))
	if d.Token != nil {
		token = d.Token(token)
	}
	return token, nil
}

// queryAAD is SHA-256 of the CBOR array of TMG-Q-010:
//
//	["tamga/v1/query-aad", rev, iss, aud, iat, exp, jti, purpose, legal_basis,
//	 operation, officer, seal_kid, reply_key]
func queryAAD(c map[string]any) ([]byte, error) {
	return hashed("tamga/v1/query-aad", c["rev"], c["iss"], c["aud"], c["iat"], c["exp"], c["jti"], c["purpose"],
		c["legal_basis"], c["operation"], c["officer"], c["seal_kid"], c["reply_key"])
}

// hashed is SHA-256 of the deterministic CBOR array of its arguments.
func hashed(parts ...any) ([]byte, error) {
	b, err := Deterministic(parts)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// Deterministic is the core deterministic encoding of RFC 8949 section 4.2.1.
func Deterministic(v any) ([]byte, error) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(v)
}
