package jose_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
)

// BenchmarkVerify is to be read beside BenchmarkEd25519Verify: the difference is
// what this package costs.
func BenchmarkVerify(b *testing.B) {
	key, payload := benchKey(b), benchPayload()
	token, err := jose.Sign(key, "tamga-query+jwt", payload)
	if err != nil {
		b.Fatal(err)
	}
	keys := jose.NewKeySet(key.Public())
	b.SetBytes(int64(len(token)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.Verify(token, "tamga-query+jwt", keys); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEd25519Verify(b *testing.B) {
	key := ed25519.NewKeyFromSeed(benchKey(b).Seed())
	message := make([]byte, 4096) // a 3 KB payload in base64url, and the header
	signature := ed25519.Sign(key, message)
	public := key.Public().(ed25519.PublicKey)
	for b.Loop() {
		if !ed25519.Verify(public, message, signature) {
			b.Fatal("does not verify")
		}
	}
}

func BenchmarkSign(b *testing.B) {
	key, payload := benchKey(b), benchPayload()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.Sign(key, "tamga-query+jwt", payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeClaims(b *testing.B) {
	payload := benchPayload()
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		var claims benchClaims
		if err := jose.DecodeClaims(payload, &claims); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFlatClaims decodes what has strings and integers alone, as Queries and Answers have.
func BenchmarkFlatClaims(b *testing.B) {
	payload := []byte(`{"iss":"https://kz.example","aud":"https://kg.example","iat":1790000000,"sealed":"` + strings.Repeat("QUJD", 1750) + `"}`)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		var claims struct {
			Issuer   string `json:"iss"`
			Audience string `json:"aud"`
			IssuedAt int64  `json:"iat"`
			Sealed   string `json:"sealed"`
		}
		if err := jose.DecodeClaims(payload, &claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseKeySet(b *testing.B) {
	data, err := jose.NewKeySet(benchKey(b).Public()).MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.ParseKeySet(data); err != nil {
			b.Fatal(err)
		}
	}
}

type benchClaims struct {
	Issuer   string   `json:"iss"`
	Audience []string `json:"aud"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	ID       string   `json:"jti"`
	Purpose  string   `json:"purpose"`
	Sealed   []byte   `json:"sealed"`
}

func benchPayload() []byte {
	sealed := make([]byte, 0, 2800)
	for len(sealed) < cap(sealed) {
		sealed = append(sealed, "QUJD"...)
	}
	return []byte(`{"iss":"https://kz.example","aud":["https://kg.example"],"iat":1790000000,"exp":1790000060,` +
		`"jti":"0123456789abcdef","purpose":"border_control","sealed":"` + string(sealed) + `"}`)
}

func benchKey(b *testing.B) jose.PrivateKey {
	b.Helper()
	key, err := jose.NewPrivateKey(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	return key
}
