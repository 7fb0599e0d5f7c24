package avxstate_test

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/cloudflare/circl/kem/xwing"

	"github.com/tamga-id/tamga/crypto/avxstate"
)

// TestClean shows that a result computed over the call is the same as without it.
func TestClean(t *testing.T) {
	sum := sha256.New()
	x := 1.5
	for i := range 100 {
		avxstate.Clean()
		sum.Write([]byte{byte(i)})
		x = x*1.25 - 0.25
	}
	want := sha256.New()
	y := 1.5
	for i := range 100 {
		want.Write([]byte{byte(i)})
		y = y*1.25 - 0.25
	}
	if string(sum.Sum(nil)) != string(want.Sum(nil)) || x != y {
		t.Error("a computation around the call came out differently")
	}
}

// BenchmarkHash is an encapsulation and eight SHA-256 after it, as circl leaves the processor and after Clean.
func BenchmarkHash(b *testing.B) {
	_, key, err := xwing.GenerateKeyPair(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	enc, secret, block := make([]byte, xwing.CiphertextSize), make([]byte, xwing.SharedKeySize), make([]byte, 55)
	for _, c := range []struct {
		name string
		do   func()
	}{{"left", func() {}}, {"clean", avxstate.Clean}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				key.EncapsulateTo(enc, secret, nil)
				c.do()
				for range 8 {
					sha256.Sum256(block)
				}
			}
		})
	}
}
