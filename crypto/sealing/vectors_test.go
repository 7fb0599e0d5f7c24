package sealing_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem/xwing"

	"github.com/tamga-id/tamga/crypto/sealing"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vector struct {
	Mode         int         `json:"mode"`
	KEM          uint16      `json:"kem_id"`
	KDF          hpke.KDF    `json:"kdf_id"`
	AEAD         hpke.AEAD   `json:"aead_id"`
	Info         hexBytes    `json:"info"`
	SkR          hexBytes    `json:"skRm"`
	PkR          hexBytes    `json:"pkRm"`
	Enc          hexBytes    `json:"enc"`
	SharedSecret hexBytes    `json:"shared_secret"`
	Encryptions  []encrypted `json:"encryptions"`
}

type encrypted struct {
	AAD hexBytes `json:"aad"`
	CT  hexBytes `json:"ct"`
	PT  hexBytes `json:"pt"`
}

// sharedFile reads published vectors that are kept outside the repository.
func sharedFile(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("TAMGA_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if os.IsNotExist(err) && os.Getenv("CI") != "true" {
		t.Skipf("vectors not available (set TAMGA_SHARED): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestVectors runs the X-Wing vectors of draft-ietf-hpke-pq that ship with the
// Go standard library. They pair the KEM with other AEADs than ours, and one
// with a KDF that the HPKE library does not have: of that one, key derivation
// and decapsulation are checked.
func TestVectors(t *testing.T) {
	var vectors []vector
	if err := json.Unmarshal(sharedFile(t, "vectors/crypto-gostd-hpke/hpke-pq.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	keys, opened := 0, 0
	for _, v := range vectors {
		if v.KEM != uint16(hpke.KEM_XWING) {
			continue
		}
		k, err := sealing.NewPrivateKey(v.SkR)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Public().Bytes(); !bytes.Equal(got, v.PkR) {
			t.Errorf("public key of the vector's seed starts %x, want %x", got[:8], v.PkR[:8])
		}
		if got := xwing.Decapsulate(v.Enc, v.SkR); !bytes.Equal(got, v.SharedSecret) {
			t.Errorf("shared secret %x, want %x", got, v.SharedSecret)
		}
		keys++
		if !v.KDF.IsValid() {
			continue
		}
		e := v.Encryptions[0] // Single-shot is the context's first message.
		sealed := append(bytes.Clone(v.Enc), e.CT...)
		got, err := sealing.OpenWith(k, v.KDF, v.AEAD, v.Info, e.AAD, sealed)
		if err != nil || !bytes.Equal(got, e.PT) {
			t.Errorf("opened %q, %v; want %q", got, err, e.PT)
		}
		opened++
	}
	if keys == 0 || opened == 0 {
		t.Fatalf("%d X-Wing keys and %d messages found, want some of both", keys, opened)
	}
}
