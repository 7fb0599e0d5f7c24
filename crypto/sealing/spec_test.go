package sealing_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/sealing"
)

// sealBySpec seals as RFC 9180 sections 5.1 and 6.1 and
// draft-connolly-cfrg-xwing-kem section 5 say, with the X25519 share and
// shared secret given, so that it can do what no library does.
func sealBySpec(t *testing.T, pub, shareX, secretX, info, aad, plaintext []byte) []byte {
	t.Helper()
	ek, err := mlkem.NewEncapsulationKey768(pub[:1184])
	if err != nil {
		t.Fatal(err)
	}
	secretM, shareM := ek.Encapsulate()
	shared := sha3.Sum256(bytes.Join([][]byte{secretM, secretX, shareX, pub[1184:], []byte(`\.//^\`)}, nil))

	suite := "HPKE\x64\x7a\x00\x01\x00\x02"
	extract := func(salt []byte, label string, ikm []byte) []byte {
		out, err := hkdf.Extract(sha256.New, append([]byte("HPKE-v1"+suite+label), ikm...), salt)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	context := append([]byte{0}, append(extract(nil, "psk_id_hash", nil), extract(nil, "info_hash", info)...)...)
	secret := extract(shared[:], "secret", nil)
	expand := func(label string, n int) []byte {
		labeled := binary.BigEndian.AppendUint16(nil, uint16(n))
		labeled = append(append(labeled, "HPKE-v1"+suite+label...), context...)
		out, err := hkdf.Expand(sha256.New, secret, string(labeled), n)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	block, err := aes.NewCipher(expand("key", 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(append(shareM, shareX...), expand("base_nonce", 12), plaintext, aad)
}

// TestSpec opens a message built from the specifications, and refuses the one
// that differs in nothing but a low-order X25519 share, whose shared secret
// everyone knows.
func TestSpec(t *testing.T) {
	k := testKey(t, 9)
	pub := k.Public().Bytes()
	ephemeral, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ecdh.X25519().NewPublicKey(pub[1184:])
	if err != nil {
		t.Fatal(err)
	}
	secretX, err := ephemeral.ECDH(theirs)
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealBySpec(t, pub, ephemeral.PublicKey().Bytes(), secretX, info, aad, []byte("by the book"))
	if got, err := k.Open(info, aad, sealed); err != nil || string(got) != "by the book" {
		t.Errorf("opened %q, %v", got, err)
	}
	zero := make([]byte, 32)
	sealed = sealBySpec(t, pub, zero, zero, info, aad, []byte("half a hybrid"))
	if got, err := k.Open(info, aad, sealed); err != sealing.ErrOpen || got != nil {
		t.Errorf("with a low-order share opened %q, %v; want ErrOpen", got, err)
	}
}

func TestKeyConcurrency(t *testing.T) {
	k := testKey(t, 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				sealed, err := sealing.Seal(k.Public(), info, aad, []byte("shared"))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := k.Open(info, aad, sealed); err != nil || string(got) != "shared" {
					t.Errorf("opened %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
