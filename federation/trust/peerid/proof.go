package peerid

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/jose"
)

// domain begins every signed message. What libp2p signs with the same key begins otherwise: "noise-libp2p-static-key:" and
// "libp2p-tls-handshake:" at handshakes, and in signed envelopes the length of a domain of its own, 18 for peer records.
const domain = "tamga/v1/peer-id"

// maxPart bounds the parts of a message: the longest Entity Identifier.
const maxPart = 2048

var (
	// ErrNone means that there is no proof for the peer ID.
	ErrNone = errors.New("no proof of possession")
	// ErrProof means that the key of the peer ID has not signed for this Entity and this federation key.
	ErrProof = errors.New("the proof of possession is not by this peer ID's key for this Entity and federation key")
)

// Proof is an Ed25519 signature by the key of a peer ID. Its zero value proves nothing. As text it is base64url
// without padding, 86 characters.
type Proof [ed25519.SignatureSize]byte

// MarshalText never fails.
func (p Proof) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, p[:]), nil
}

// UnmarshalText is strict: one proof has one text.
func (p *Proof) UnmarshalText(text []byte) error {
	var b [ed25519.SignatureSize]byte
	if len(text) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return fmt.Errorf("reading proof: %d characters", len(text))
	}
	for i, c := range text { // the decoder skips these
		if c == '\r' || c == '\n' {
			return fmt.Errorf("reading proof: character %d: not base64url", i)
		}
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(b[:], text); err != nil || n != len(b) {
		return errors.New("reading proof: not base64url")
	}
	*p = b
	return nil
}

// Proofs are those of one Entity Configuration, by peer ID: the value of peer_id_proofs. Nil is none.
type Proofs map[string]Proof

// Prove signs with each libp2p key, given by its 32-byte seed, that the Entity has it who signs with the federation key.
// Signing the Entity Configuration with another federation key takes new proofs.
func Prove(entity string, federation jose.PublicKey, seeds ...[]byte) (Proofs, error) {
	m, err := message(entity, federation.KeyID())
	if err != nil {
		return nil, fmt.Errorf("proving peer ID: %w", err)
	}
	proofs := make(Proofs, len(seeds))
	for _, seed := range seeds {
		key, err := jose.NewPrivateKey(seed)
		if err != nil {
			return nil, fmt.Errorf("proving peer ID: %w", err)
		}
		proofs[Of(key.Public())] = Proof(ed25519.Sign(ed25519.NewKeyFromSeed(seed), m))
	}
	return proofs, nil
}

// Verify reports whether the peer ID's key has signed for the Entity and the federation key whose thumbprint kid is.
// The error matches [ErrNone] or [ErrProof] when the peer ID is one.
func (p Proofs) Verify(id, entity, kid string) error {
	key, err := Parse(id)
	if err != nil {
		return err
	}
	proof, ok := p[id]
	if !ok {
		return ErrNone
	}
	m, err := message(entity, kid)
	if err != nil || !ed25519.Verify(key.Bytes(), m, proof[:]) {
		return ErrProof
	}
	return nil
}

// message is what is signed (PROTOCOL.md, TMG-E-014):
//
//	"tamga/v1/peer-id" || uint16(len(entity)) || entity || uint16(len(kid)) || kid
//
// with lengths in octets, big endian.
func message(entity, kid string) ([]byte, error) {
	m := []byte(domain)
	for _, part := range []string{entity, kid} {
		if part == "" || len(part) > maxPart {
			return nil, errors.New("entity identifier or federation key missing or too long")
		}
		m = append(binary.BigEndian.AppendUint16(m, uint16(len(part))), part...) //nolint:gosec // at most maxPart
	}
	return m, nil
}
