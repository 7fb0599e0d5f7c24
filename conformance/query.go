package conformance

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
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/protocol"
)

var b64 = base64.RawURLEncoding

// draft is a Query before it is signed. It is built by the text of PROTOCOL.md and
// not with package protocol, so that every part can be made wrong and a misreading is
// not made twice. The zero faults give a Query that must be answered.
type draft struct {
	header  map[string]any
	claims  map[string]any // but for sealed
	content map[uint64]any // of the sealed part, CDDL sealed-query
	to      sealing.PublicKey
	info    string
	key     jose.PrivateKey
	reply   sealing.PrivateKey

	// Faults; each edits what the steps before it made.
	plain   func([]byte) []byte         // the encoded sealed part
	sealed  func([]byte) []byte         // enc || ciphertext
	late    func(claims map[string]any) // after sealing, before signing
	payload func([]byte) []byte         // the JSON
	sign    func(input []byte) []byte   // replaces Ed25519
	token   func(string) string         // the frame
}

// sent is a frame with what is needed to judge the reply to it.
type sent struct {
	frame  []byte
	hash   [32]byte
	claims map[string]any
	reply  sealing.PrivateKey
	at     time.Time
}

// Keys of the CDDL maps sealed-query, subject and probe.
const (
	keySubject, keyProbes, keyConsent = uint64(1), uint64(2), uint64(3)

	keyModality, keyFormat, keyRecord, keyPosition, keyQuality, keyCapture = uint64(1), uint64(2), uint64(3), uint64(4), uint64(5), uint64(6)
)

// draft is a Query about p with the probes, on ground g, that nothing is wrong with.
func (s *session) draft(p Subject, g Ground, probes ...protocol.Probe) (*draft, error) {
	reply, err := sealing.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("making reply key: %w", err)
	}
	var jti [16]byte
	_, _ = rand.Read(jti[:])
	now := s.Now().Unix()
	var encoded []any
	for _, p := range probes {
		encoded = append(encoded, probeMap(p))
	}
	return &draft{
		header: map[string]any{"alg": "Ed25519", "kid": s.Tester.Signing.Public().KeyID(), "typ": protocol.TypeQuery},
		claims: map[string]any{
			"rev": Revision, "iss": s.Tester.Entity, "aud": s.Target.Entity, "iat": now, "exp": now + 60,
			"jti": b64.EncodeToString(jti[:]), "purpose": g.Purpose, "legal_basis": g.LegalBasis, "operation": "verify",
			"officer": "conformance", "seal_kid": s.Target.SealingKey.KeyID(), "reply_key": b64.EncodeToString(reply.Public().Bytes()),
		},
		content: map[uint64]any{
			keySubject: map[uint64]any{1: p.Identifier.Jurisdiction, 2: p.Identifier.Type, 3: p.Identifier.Value},
			keyProbes:  encoded,
		},
		to: s.Target.SealingKey, info: "tamga/v1/query", key: s.Tester.Signing, reply: reply,
	}, nil
}

func probeMap(p protocol.Probe) map[uint64]any {
	m := map[uint64]any{keyModality: p.Modality, keyFormat: p.Format, keyRecord: []byte(p.Data)}
	if p.Position != 0 {
		m[keyPosition] = p.Position
	}
	if p.Quality != 0 {
		m[keyQuality] = p.Quality
	}
	if p.Capture != "" {
		m[keyCapture] = p.Capture
	}
	return m
}

// subject and probe give the parts of the content for a fault to edit.
func (d *draft) subject() map[uint64]any    { return d.content[keySubject].(map[uint64]any) }
func (d *draft) probe(i int) map[uint64]any { return d.content[keyProbes].([]any)[i].(map[uint64]any) }

// build seals and signs.
func (d *draft) build(now time.Time) (sent, error) {
	plain, err := deterministic(d.content)
	if err != nil {
		return sent{}, fmt.Errorf("encoding sealed part: %w", err)
	}
	if d.plain != nil {
		plain = d.plain(plain)
	}
	aad, err := queryAAD(d.claims)
	if err != nil {
		return sent{}, fmt.Errorf("binding claims: %w", err)
	}
	sealed, err := sealing.Seal(d.to, []byte(d.info), aad, plain)
	if err != nil {
		return sent{}, fmt.Errorf("sealing: %w", err)
	}
	if d.sealed != nil {
		sealed = d.sealed(sealed)
	}
	claims := maps.Clone(d.claims)
	claims["sealed"] = b64.EncodeToString(sealed)
	if d.late != nil {
		d.late(claims)
	}
	token, err := d.signed(claims)
	if err != nil {
		return sent{}, err
	}
	return sent{frame: []byte(token), hash: sha256.Sum256([]byte(token)), claims: claims, reply: d.reply, at: now}, nil
}

func (d *draft) signed(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	if d.payload != nil {
		payload = d.payload(payload)
	}
	header, err := json.Marshal(d.header)
	if err != nil {
		return "", fmt.Errorf("encoding header: %w", err)
	}
	input := b64.EncodeToString(header) + "." + b64.EncodeToString(payload)
	sign := d.sign
	if sign == nil {
		seed := d.key.Seed()
		defer clear(seed)
		key := ed25519.NewKeyFromSeed(seed)
		sign = func(b []byte) []byte { return ed25519.Sign(key, b) }
	}
	token := input + "." + b64.EncodeToString(sign([]byte(input)))
	if d.token != nil {
		token = d.token(token)
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
	b, err := deterministic(parts)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// deterministic is the core deterministic encoding of RFC 8949 section 4.2.1.
func deterministic(v any) ([]byte, error) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(v)
}
