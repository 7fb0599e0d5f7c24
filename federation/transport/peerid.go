package transport

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Protocol IDs of the federation, one per kind of exchange.
const (
	ProtocolQuery   = "/tamga/query/1"
	ProtocolTrust   = "/tamga/trust/1"
	ProtocolLedger  = "/tamga/ledger/1"
	ProtocolWitness = "/tamga/witness/1"
	ProtocolListing = "/tamga/listing/1"
	ProtocolConsent = "/tamga/consent/1"
)

// maxPeerIDText bounds a peer ID before it is decoded; an Ed25519 one is 52 characters in base58, 62 in base36 CID.
const maxPeerIDText = 128

// PeerID is a libp2p peer ID of an Ed25519 key in its one canonical form, base58 of the identity multihash
// ("12D3KooW…"). The zero value names nobody. Make one with [PeerIDFromSeed]; a string that is
// converted may fail to compare equal to the same peer's canonical form.
type PeerID string

// PeerIDFromSeed returns the peer ID of the Ed25519 key with that 32-byte seed (RFC 8032 section 5.1.5).
func PeerIDFromSeed(seed []byte) (PeerID, error) {
	key, err := privateKey(seed)
	if err != nil {
		return "", err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("deriving peer id: %v", err)
	}
	return PeerID(id.String()), nil
}

func decodePeerID(p PeerID) (peer.ID, error) {
	if len(p) == 0 || len(p) > maxPeerIDText {
		return "", fmt.Errorf("parsing peer id: length %d out of range", len(p))
	}
	id, err := peer.Decode(string(p))
	if err != nil {
		return "", fmt.Errorf("parsing peer id %q: not a peer id", string(p))
	}
	pub, err := id.ExtractPublicKey()
	if err != nil || pub.Type() != crypto.Ed25519 {
		return "", fmt.Errorf("parsing peer id %q: not an Ed25519 key", string(p))
	}
	canonical, err := peer.IDFromPublicKey(pub)
	if err != nil || canonical != id {
		return "", fmt.Errorf("parsing peer id %q: not in canonical encoding", string(p))
	}
	return id, nil
}

func privateKey(seed []byte) (crypto.PrivKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("reading identity seed: %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	key, _, err := crypto.GenerateEd25519Key(bytes.NewReader(seed))
	if err != nil {
		return nil, fmt.Errorf("reading identity seed: %v", err)
	}
	return key, nil
}
