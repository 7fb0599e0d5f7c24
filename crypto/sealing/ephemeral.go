package sealing

import (
	"crypto"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/tamga-id/tamga/crypto/avxstate"
)

// GenerateEphemeral makes a new key from crypto/rand that has no seed and so cannot be kept: one for
// a single reply. It is otherwise like any other, and opens in half the time.
//
// The two keys that an X-Wing key consists of are drawn each by itself and not out of one seed, and put
// together by the standard library's HPKE, which takes ML-KEM-768 and X25519 from elsewhere
// (draft-ietf-hpke-pq; [hpke.NewHybridPrivateKey]): here from circl, whose are twice as fast. Between the two
// there is a place to put the vector registers in order, which circl's own HPKE does not have before it hashes.
func GenerateEphemeral() (PrivateKey, error) {
	lattice, secret, err := mlkem768.GenerateKeyPair(rand.Reader)
	avxstate.Clean()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generating sealing key: %w", err)
	}
	var raw [PublicKeySize]byte
	lattice.Pack(raw[:mlkem768.PublicKeySize])
	var scalar, point x25519.Key
	if _, err := rand.Read(scalar[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("generating sealing key: %w", err)
	}
	x25519.KeyGen(&point, &scalar)
	copy(raw[mlkem768.PublicKeySize:], point[:])
	public, err := ecdh.X25519().NewPublicKey(point[:])
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generating sealing key: %w", err)
	}
	own, err := hpke.NewHybridPrivateKey(latticeHalf{secret}, curveHalf{&scalar, public})
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generating sealing key: %w", err)
	}
	k := &privateKey{own: own, pub: newOwnPublicKey(raw)}
	return PrivateKey{func() *privateKey { return k }}, nil
}

// openOwn opens with the standard library's HPKE.
func openOwn(k hpke.PrivateKey, info, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead || lowOrder(sealed[encSize-x25519Size:encSize]) {
		return nil, ErrOpen
	}
	r, err := hpke.NewRecipient(sealed[:encSize], k, hpke.HKDFSHA256(), hpke.AES256GCM(), info)
	if err != nil {
		return nil, ErrOpen
	}
	plaintext, err := r.Open(aad, sealed[encSize:])
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// latticeHalf is circl's ML-KEM-768 key as crypto/hpke takes one.
type latticeHalf struct{ key *mlkem768.PrivateKey }

var _ crypto.Decapsulator = latticeHalf{}

// Encapsulator tells by its type alone, which crypto/hpke goes by, that the key is of ML-KEM-768. The
// public half is what [PrivateKey.Public] has.
func (latticeHalf) Encapsulator() crypto.Encapsulator { return new(mlkem.EncapsulationKey768) }

// Decapsulate is FIPS 203 section 7.3.
func (l latticeHalf) Decapsulate(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) != mlkem768.CiphertextSize {
		return nil, errors.New("length of an ML-KEM ciphertext")
	}
	defer avxstate.Clean()
	shared := make([]byte, mlkem768.SharedKeySize)
	l.key.DecapsulateTo(shared, ciphertext)
	return shared, nil
}

// curveHalf is circl's X25519 key as crypto/hpke takes one.
type curveHalf struct {
	scalar *x25519.Key
	public *ecdh.PublicKey
}

var _ ecdh.KeyExchanger = curveHalf{}

// PublicKey is the public half.
func (c curveHalf) PublicKey() *ecdh.PublicKey { return c.public }

// Curve is X25519.
func (curveHalf) Curve() ecdh.Curve { return ecdh.X25519() }

// ECDH is RFC 7748 section 6.1.
func (c curveHalf) ECDH(remote *ecdh.PublicKey) ([]byte, error) {
	theirs, shared := x25519.Key(remote.Bytes()), x25519.Key{}
	if !x25519.Shared(&shared, c.scalar, &theirs) {
		return nil, errors.New("X25519 point of low order")
	}
	return shared[:], nil
}
