package jose_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
)

func TestParseKeySet(t *testing.T) {
	x := `"x":"` + rfcX + `"`
	one := `{"kty":"OKP","crv":"Ed25519","kid":"a",` + x + `}`
	var many []string
	for range 65 {
		many = append(many, `{"kty":"AKP"}`)
	}
	for name, c := range map[string]struct {
		set  string
		keys int
		want error
	}{
		"one":            {`{"keys":[` + one + `]}`, 1, nil},
		"empty":          {`{"keys":[]}`, 0, nil},
		"other-members":  {`{"iss":"x","keys":[` + one + `],"n":[{}]}`, 1, nil},
		"akp":            {`{"keys":[{"kty":"AKP","kid":"m","alg":"ML-DSA-44","pub":"AA"},` + one + `]}`, 1, nil},
		"same-kid-other": {`{"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":"AA","y":"AA"},` + one + `]}`, 1, nil},
		"ed448":          {`{"keys":[{"kty":"OKP","crv":"Ed448","kid":"b","x":"AA"},` + one + `]}`, 1, nil},
		"x25519":         {`{"keys":[{"kty":"OKP","crv":"X25519","kid":"b",` + x + `},` + one + `]}`, 1, nil},
		"use-sig":        {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","use":"sig","alg":"EdDSA","key_ops":["verify"],` + x + `}]}`, 1, nil},
		"use-enc":        {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","use":"enc",` + x + `}]}`, 0, nil},
		"ops-sign":       {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","key_ops":["sign"],` + x + `}]}`, 0, nil},
		"ops-empty":      {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","key_ops":[],` + x + `}]}`, 0, nil},
		"alg-other":      {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","alg":"ES256",` + x + `}]}`, 0, nil},

		"not-json":        {`keys`, 0, jose.ErrMalformed},
		"no-keys":         {`{}`, 0, jose.ErrMalformed},
		"keys-case":       {`{"Keys":[]}`, 0, jose.ErrMalformed},
		"keys-object":     {`{"keys":{}}`, 0, jose.ErrMalformed},
		"keys-twice":      {`{"keys":[],"keys":[` + one + `]}`, 0, jose.ErrMalformed},
		"entry-string":    {`{"keys":["a"]}`, 0, jose.ErrMalformed},
		"no-kty":          {`{"keys":[{"kid":"a"}]}`, 0, jose.ErrMalformed},
		"kty-case":        {`{"keys":[{"KTY":"OKP"}]}`, 0, jose.ErrMalformed},
		"member-twice":    {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","kid":"b",` + x + `}]}`, 0, jose.ErrMalformed},
		"x-number":        {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":1}]}`, 0, jose.ErrMalformed},
		"duplicate-kid":   {`{"keys":[` + one + `,` + one + `]}`, 0, jose.ErrKey},
		"no-kid":          {`{"keys":[{"kty":"OKP","crv":"Ed25519",` + x + `}]}`, 0, jose.ErrKey},
		"long-kid":        {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"` + strings.Repeat("k", 257) + `",` + x + `}]}`, 0, jose.ErrKey},
		"no-x":            {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a"}]}`, 0, jose.ErrKey},
		"short-x":         {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"}]}`, 0, jose.ErrKey},
		"padded-x":        {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"` + rfcX + `="}]}`, 0, jose.ErrKey},
		"private":         {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","d":"` + rfcSeed + `",` + x + `}]}`, 0, jose.ErrKey},
		"private-skipped": {`{"keys":[{"kty":"AKP","kid":"m","priv":"AA"},` + one + `]}`, 0, jose.ErrKey},
		"secret":          {`{"keys":[{"kty":"oct","kid":"m","k":"AA"},` + one + `]}`, 0, jose.ErrKey},
		"too-many":        {`{"keys":[` + strings.Join(many, ",") + `]}`, 0, jose.ErrTooLarge},
		"too-large":       {`{"keys":[],"x":"` + strings.Repeat("x", 64<<10) + `"}`, 0, jose.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := jose.ParseKeySet([]byte(c.set))
			if !errors.Is(err, c.want) || set.Len() != c.keys {
				t.Errorf("%d keys, error %v; want %d, %v", set.Len(), err, c.keys, c.want)
			}
		})
	}
}

// A kid is the publisher's choice and must not be taken for a thumbprint.
func TestKeyIDIsComputed(t *testing.T) {
	victim := testKey(t, 1).Public().KeyID()
	jwk := `{"kty":"OKP","crv":"Ed25519","kid":"` + victim + `","x":"` + rfcX + `"}`
	var key jose.PublicKey
	if err := json.Unmarshal([]byte(jwk), &key); err != nil {
		t.Fatal(err)
	}
	if key.KeyID() != rfcThumbprint {
		t.Errorf("key ID %s, want %s", key.KeyID(), rfcThumbprint)
	}
	set, err := jose.ParseKeySet([]byte(`{"keys":[` + jwk + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := set.Key(victim); !ok || key.KeyID() != rfcThumbprint {
		t.Errorf("key under the declared kid: %v, key ID %s", ok, key.KeyID())
	}
	if _, ok := set.Key(rfcThumbprint); ok {
		t.Error("key found under a kid it was not published with")
	}
}

func TestKeySetJSON(t *testing.T) {
	set := jose.NewKeySet(testKey(t, 1).Public(), testKey(t, 2).Public(), testKey(t, 1).Public(), jose.PublicKey{})
	if set.Len() != 2 || len(set.Keys()) != 2 {
		t.Fatalf("%d keys, want 2", set.Len())
	}
	first, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	var again jose.KeySet
	if err := json.Unmarshal(first, &again); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("round trip\n%s\n%s, error %v", first, second, err)
	}
	if empty, err := json.Marshal(jose.KeySet{}); err != nil || string(empty) != `{"keys":[]}` {
		t.Errorf("empty set %s, error %v", empty, err)
	}
	if err := json.Unmarshal([]byte(`{"keys":[{}]}`), &again); err == nil || again.Len() != 0 {
		t.Errorf("after an error %d keys are left", again.Len())
	}
}

func TestPublicKeyJSON(t *testing.T) {
	for name, text := range map[string]string{
		"private":  `{"kty":"OKP","crv":"Ed25519","x":"` + rfcX + `","d":"` + rfcSeed + `"}`,
		"curve":    `{"kty":"OKP","crv":"X25519","x":"` + rfcX + `"}`,
		"use":      `{"kty":"OKP","crv":"Ed25519","use":"enc","x":"` + rfcX + `"}`,
		"identity": `{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
	} {
		t.Run(name, func(t *testing.T) {
			key := testKey(t, 1).Public()
			if err := json.Unmarshal([]byte(text), &key); !errors.Is(err, jose.ErrKey) || !key.IsZero() {
				t.Errorf("key %v, error %v", key.KeyID(), err)
			}
		})
	}
	if _, err := json.Marshal(jose.PublicKey{}); !errors.Is(err, jose.ErrKey) {
		t.Errorf("encoding the zero key: %v", err)
	}
	key := testKey(t, 1).Public()
	again, err := jose.NewPublicKey(key.Bytes())
	if err != nil || !again.Equal(key) || again.KeyID() != key.KeyID() {
		t.Errorf("bytes round trip: %v", err)
	}
}

// TestSmallOrder shows the attack on every small-order encoding: a signature made
// of constants that crypto/ed25519 takes for some message out of a few, which is
// what having small order means.
func TestSmallOrder(t *testing.T) {
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	} {
		encoded, err := hex.DecodeString(y)
		if err != nil {
			t.Fatal(err)
		}
		if forged(encoded) < 0 {
			t.Errorf("%s: not of small order", y)
		}
		for _, sign := range []byte{0, 0x80} {
			encoded[31] = encoded[31]&0x7f | sign
			if key, err := jose.NewPublicKey(encoded); !errors.Is(err, jose.ErrKey) || !key.IsZero() {
				t.Errorf("%x: %v", encoded, err)
			}
		}
	}
	notReduced := bytes.Repeat([]byte{0xff}, 32)
	for _, first := range []byte{0xed, 0xee, 0xff} {
		notReduced[0] = first
		for _, encoded := range [][]byte{notReduced, notReduced[:31], nil} {
			if key, err := jose.NewPublicKey(encoded); !errors.Is(err, jose.ErrKey) || !key.IsZero() {
				t.Errorf("%x: %v", encoded, err)
			}
		}
	}
}

// forged returns a message byte under which R = identity, S = 0 verifies, or -1.
func forged(key []byte) int {
	signature := make([]byte, 64)
	signature[0] = 1
	for message := range 256 {
		if ed25519.Verify(key, []byte{byte(message)}, signature) {
			return message
		}
	}
	return -1
}
