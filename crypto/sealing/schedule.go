package sealing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/cloudflare/circl/hpke"
)

// aead is the third part of a suite, and what its key becomes.
type aead struct {
	id      uint16
	keySize int
	make    func(key []byte) (cipher.AEAD, error)
}

// aes256GCM is this package's own.
func aes256GCM() aead {
	return aead{uint16(hpke.AEAD_AES256GCM), 32, func(key []byte) (cipher.AEAD, error) {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	}}
}

// schedule makes of a shared secret the AEAD and the nonce of a context's first message, as RFC 9180 section 5.1 says
// for base mode with KEM X-Wing and KDF HKDF-SHA256:
//
//	context = 0x00 || LabeledExtract("", "psk_id_hash", "") || LabeledExtract("", "info_hash", info)
//	secret  = LabeledExtract(shared, "secret", "")
//	key     = LabeledExpand(secret, "key", context, Nk)
//	nonce   = LabeledExpand(secret, "base_nonce", context, Nn)
//
// It is not left to circl/hpke because that runs it in one call with the KEM, whose assembly leaves the processor in a
// state in which these ten hashes take longer than all of the KEM (package avxstate).
func schedule(a aead, shared, info []byte) (cipher.AEAD, []byte, error) {
	id := suiteID(a)
	context := make([]byte, 1, 1+2*sha256.Size) // 0x00: base mode
	for _, part := range []struct {
		label string
		value []byte
	}{{"psk_id_hash", nil}, {"info_hash", info}} {
		hash, err := extract(id, nil, part.label, part.value)
		if err != nil {
			return nil, nil, err
		}
		context = append(context, hash...)
	}
	secret, err := extract(id, shared, "secret", nil)
	if err != nil {
		return nil, nil, err
	}
	key, err := expand(id, secret, "key", context, a.keySize)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	c, err := a.make(key)
	if err != nil {
		return nil, nil, fmt.Errorf("making cipher: %w", err)
	}
	nonce, err := expand(id, secret, "base_nonce", context, c.NonceSize())
	return c, nonce, err
}

// suiteID is "HPKE" || I2OSP(kem_id, 2) || I2OSP(kdf_id, 2) || I2OSP(aead_id, 2).
func suiteID(a aead) []byte {
	id := binary.BigEndian.AppendUint16([]byte("HPKE"), uint16(hpke.KEM_XWING))
	id = binary.BigEndian.AppendUint16(id, uint16(hpke.KDF_HKDF_SHA256))
	return binary.BigEndian.AppendUint16(id, a.id)
}

const versionLabel = "HPKE-v1"

// extract is LabeledExtract of RFC 9180 section 4.
func extract(suite, salt []byte, label string, ikm []byte) ([]byte, error) {
	labeled := make([]byte, 0, len(versionLabel)+len(suite)+len(label)+len(ikm))
	labeled = append(append(append(append(labeled, versionLabel...), suite...), label...), ikm...)
	return hkdf.Extract(sha256.New, labeled, salt)
}

// expand is LabeledExpand of RFC 9180 section 4.
func expand(suite, prk []byte, label string, info []byte, n int) ([]byte, error) {
	labeled := make([]byte, 0, 2+len(versionLabel)+len(suite)+len(label)+len(info))
	labeled = binary.BigEndian.AppendUint16(labeled, uint16(n))
	labeled = append(append(append(append(labeled, versionLabel...), suite...), label...), info...)
	return hkdf.Expand(sha256.New, prk, string(labeled), n)
}
