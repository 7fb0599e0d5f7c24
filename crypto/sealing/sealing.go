// Package sealing encrypts a message from one node to another with HPKE.
//
// It implements RFC 9180 single-shot encryption in base mode with one fixed
// suite: KEM X-Wing (X25519 + ML-KEM-768, draft-ietf-hpke-pq, code point
// 0x647a), KDF HKDF-SHA256 (0x0001), AEAD AES-256-GCM (0x0002). The Go
// standard library's crypto/hpke and every other implementation of that suite
// open what this package seals, and the other way round.
//
// A receiver calls [GenerateKey] once, keeps [PrivateKey.Seed] in custody and
// publishes [PrivateKey.Public]. A sender calls [Seal], the receiver
// [PrivateKey.Open]. Who asks for one reply calls [GenerateEphemeral] for it.
//
// The package does not authenticate the sender: base mode says who can read,
// never who wrote. The signature around the sealed bytes does that, and the
// aad argument binds the two. It does not pad: the length of the plaintext
// shows. It keeps no state and has no replay protection.
//
// Invariants:
//   - a sealed message opens only under the same key, info and aad;
//   - a message that does not open says nothing about why ([ErrOpen]);
//   - a public key that decodes encodes to the same bytes, and its key ID is a
//     function of those bytes alone.
//
// The wire form is fixed for the life of the suite; another suite would be
// another package or another kem name in the key's JSON.
package sealing

import (
	"errors"
	"fmt"

	"github.com/cloudflare/circl/hpke"

	"github.com/tamga-id/tamga/crypto/avxstate"
)

// Overhead is how many bytes [Seal] adds to a plaintext: the 1120-byte
// encapsulated key and the 16-byte AEAD tag.
const Overhead = encSize + tagSize

const (
	encSize = 1120 // X-Wing ciphertext, draft-connolly-cfrg-xwing-kem section 5.
	tagSize = 16
)

var (
	// ErrOpen reports a sealed message that does not open: wrong key, wrong
	// info or aad, altered or cut bytes. Which one it was is deliberately not
	// recorded, so nothing downstream can become a decryption oracle.
	ErrOpen = errors.New("opening sealed message: refused")
	// ErrKey reports bytes that are no usable key of this suite, or the zero
	// value of a key type.
	ErrKey = errors.New("invalid sealing key")
	// ErrSuite reports a well-formed key description that names another KEM,
	// KDF or AEAD. A reader of a key list may skip such a key.
	ErrSuite = errors.New("unsupported sealing suite")
)

// Seal encrypts plaintext to the holder of to. The result is
//
//	sealed = enc (1120 bytes) || ciphertext (len(plaintext) + 16 bytes)
//
// as in RFC 9180 section 6.1. Info is the context label, "tamga/v1/<purpose>";
// aad is what the message is bound to. Both may be public and must be
// presented again to open. The result is the caller's. It returns [ErrKey] for
// the zero key.
func Seal(to PublicKey, info, aad, plaintext []byte) ([]byte, error) {
	if to.IsZero() {
		return nil, fmt.Errorf("sealing: %w", ErrKey)
	}
	return seal(suite(), to.k, info, aad, plaintext)
}

func suite() hpke.Suite {
	return hpke.NewSuite(hpke.KEM_XWING, hpke.KDF_HKDF_SHA256, hpke.AEAD_AES256GCM)
}

func seal(s hpke.Suite, to *publicKey, info, aad, plaintext []byte) ([]byte, error) {
	defer avxstate.Clean()
	sender, err := s.NewSender(to.kem(), info)
	if err != nil {
		return nil, fmt.Errorf("sealing: %v", err)
	}
	enc, sealer, err := sender.Setup(nil) // nil: crypto/rand
	if err != nil {
		return nil, fmt.Errorf("sealing: %v", err)
	}
	ct, err := sealer.Seal(plaintext, aad)
	if err != nil {
		return nil, fmt.Errorf("sealing: %v", err)
	}
	return append(enc, ct...), nil
}

func open(s hpke.Suite, k *privateKey, info, aad, sealed []byte) ([]byte, error) {
	defer avxstate.Clean()
	if len(sealed) < Overhead {
		return nil, ErrOpen
	}
	enc, ct := sealed[:encSize:encSize], sealed[encSize:]
	if lowOrder(enc[encSize-x25519Size:]) {
		return nil, ErrOpen
	}
	receiver, err := s.NewReceiver(k.kem, info)
	if err != nil {
		return nil, ErrOpen
	}
	opener, err := receiver.Setup(enc)
	if err != nil {
		return nil, ErrOpen
	}
	plaintext, err := opener.Open(ct, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}
