package sealing

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha3"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
)

// twin is the key of a seed as circl's HPKE has it, and as [GenerateEphemeral] puts one together: the halves of X-Wing
// (draft-connolly-cfrg-xwing-kem section 5.2).
func twin(t *testing.T, seed []byte) (PrivateKey, hpke.PrivateKey) {
	t.Helper()
	k, err := NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	var halves [mlkem768.KeySeedSize]byte
	var scalar, point x25519.Key
	expanded := sha3.NewSHAKE256()
	_, _ = expanded.Write(seed)
	_, _ = expanded.Read(halves[:])
	_, _ = expanded.Read(scalar[:])
	lattice, secret := mlkem768.NewKeyFromSeed(halves[:])
	x25519.KeyGen(&point, &scalar)
	var raw [PublicKeySize]byte
	lattice.Pack(raw[:mlkem768.PublicKeySize])
	copy(raw[mlkem768.PublicKeySize:], point[:])
	if !bytes.Equal(raw[:], k.Public().Bytes()) {
		t.Fatal("the public keys differ")
	}
	public, err := ecdh.X25519().NewPublicKey(point[:])
	if err != nil {
		t.Fatal(err)
	}
	own, err := hpke.NewHybridPrivateKey(latticeHalf{secret}, curveHalf{&scalar, public})
	if err != nil {
		t.Fatal(err)
	}
	return k, own
}

// TestTwins: both open the same, to the same, and refuse the same: bits changed in every part, points of low order, points
// that are not reduced or have bit 255 set, another ML-KEM ciphertext (which is decapsulated to something), and cut ones.
func TestTwins(t *testing.T) {
	k, own := twin(t, bytes.Repeat([]byte{7}, SeedSize))
	info, aad, message := []byte("info"), []byte("aad"), []byte("an answer")
	good, err := Seal(k.Public(), info, aad, message)
	if err != nil {
		t.Fatal(err)
	}
	const curveAt = encSize - x25519Size
	cases := map[string][]byte{"good": good, "nothing": nil, "no ciphertext": good[:encSize], "no tag": good[:Overhead-1], "empty": good[:Overhead], "longer": append(bytes.Clone(good), 0)}
	for at := 0; at < len(good); at += 97 {
		cases[fmt.Sprintf("bit of byte %d", at)] = changed(good, at, []byte{good[at] ^ 1})
	}
	cases["bit 255"] = changed(good, encSize-1, []byte{good[encSize-1] ^ 0x80})
	cases["another ciphertext"] = changed(good, 0, bytes.Repeat([]byte{0xa5}, mlkem768.CiphertextSize))
	for low := range 256 {
		edge, small := fieldEdge(byte(low)), [x25519Size]byte{byte(low)}
		cases[fmt.Sprintf("near p, %d", low)] = changed(good, curveAt, edge[:])
		cases[fmt.Sprintf("small, %d", low)] = changed(good, curveAt, small[:])
	}
	for name, sealed := range cases {
		a, seeded := k.Open(info, aad, sealed)
		b, ephemeral := openOwn(own, info, aad, sealed)
		if !bytes.Equal(a, b) || seeded != ephemeral || (seeded == nil) != (name == "good") {
			t.Errorf("%q: %d bytes, %v of the seeded key, %d bytes, %v of its twin", name, len(a), seeded, len(b), ephemeral)
		}
	}
}

// changed is b with other bytes from at on.
func changed(b []byte, at int, with []byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}
