package jose_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
)

// FuzzParse: an error comes with nothing; what is accepted has one spelling, and
// verifies under no empty key set.
func FuzzParse(f *testing.F) {
	key := testKey(f, 1)
	token, err := jose.Sign(key, testType, []byte(`{"iss":"a"}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		token, rfcToken, "", "..", "e30..AA", "e30.e30.AA", token + "=", strings.Replace(token, ".", "\n.", 1),
		forge(key, `{"alg":"EdDSA","typ":"a","alg":"EdDSA"}`, ""), forge(key, `{"crit":[]}`, ""), forge(key, `{"kid":"\ud800"}`, ""),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		u, err := jose.Parse(token)
		if err != nil {
			if !reflect.ValueOf(u).IsZero() {
				t.Fatal("a value together with an error")
			}
			return
		}
		part := strings.Split(token, ".")
		if len(part) != 3 || b64(string(u.Payload())) != part[1] {
			t.Fatal("the payload does not encode to what was parsed")
		}
		if payload, err := jose.Verify(token, u.Type(), jose.KeySet{}); err == nil || payload != nil {
			t.Fatal("verified without keys")
		}
		if payload, err := jose.Verify(token+"A", u.Type(), jose.NewKeySet(key.Public())); err == nil || payload != nil {
			t.Fatal("verified with a byte too many")
		}
	})
}

// FuzzParseKeySet: an error comes with nothing; what is accepted survives a round
// trip unchanged.
func FuzzParseKeySet(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[]}`, `{"keys":[` + ed25519A + `,` + ed25519B + `]}`, `{"keys":[{"kty":"AKP"},` + ed25519A + `]}`,
		`{"keys":[` + secretJWK + `]}`, `{"keys":[` + ed25519A + `,` + ed25519A + `]}`, `{`, ``, `{"keys":[{"kty":"OKP","kty":"OKP"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := jose.ParseKeySet(data)
		if err != nil {
			if set.Len() != 0 {
				t.Fatal("keys together with an error")
			}
			return
		}
		first, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		again, err := jose.ParseKeySet(first)
		if err != nil || again.Len() != set.Len() {
			t.Fatalf("%d keys became %d, error %v", set.Len(), again.Len(), err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s became %s, error %v", first, second, err)
		}
	})
}

// FuzzDecodeClaims: an error comes with nothing; what is accepted, encoding/json
// accepts with the same result, the open form accepts as well, and so does this
// package what encoding/json makes of it.
func FuzzDecodeClaims(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"iss":"a","aud":["b"],"exp":1}`, `{"ISS":"a"}`, `{"iss":"a","iss":"b"}`, `{"any":[[{"a":{}}]]}`, `{"iss":"\ud83d\ude00\ud800"}`,
		`{"homes":[{"city":"x"}],"by_name":{"a":{"city":"y"}}}`, `{"exp":1e400}`, `{"raw":  {"a" : 1}}`, ` {"jti":"x"} `, `{"born":"2026-01-02T03:04:05Z"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var closed, open, reference testClaims
		if err := jose.DecodeClaims(data, &closed); err != nil {
			if !reflect.ValueOf(closed).IsZero() {
				t.Fatal("claims together with an error")
			}
			return
		}
		if err := json.Unmarshal(data, &reference); err != nil || !reflect.DeepEqual(closed, reference) {
			t.Fatalf("encoding/json: %+v, error %v; here %+v", reference, err, closed)
		}
		if err := jose.DecodeOpenClaims(data, &open); err != nil || !reflect.DeepEqual(closed, open) {
			t.Fatalf("open: %+v, error %v; closed %+v", open, err, closed)
		}
		encoded, err := json.Marshal(closed)
		if err != nil || len(encoded) > jose.MaxTokenSize {
			return // a year past 9999, or text that grows when escaped
		}
		var again testClaims
		if err := jose.DecodeClaims(encoded, &again); err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
	})
}

// FuzzFlatClaims: a struct of strings and integers gets what it gets, and fails as it fails,
// when it has a field more that nothing is in and encoding/json fills all of it.
func FuzzFlatClaims(f *testing.F) {
	type flat struct {
		Issuer  string    `json:"iss"`
		Expires int64     `json:"exp"`
		Role    jose.Said `json:"role,omitempty"`
	}
	type more struct {
		Issuer  string    `json:"iss"`
		Expires int64     `json:"exp"`
		Role    jose.Said `json:"role,omitempty"`
		Any     []any     `json:"~"`
	}
	for _, seed := range []string{
		`{}`, `{"iss":"a","exp":1,"role":"b"}`, ` { "exp" : -0 } `, `{"iss":"a\u0062\n\ud83d\ude00"}`, `{"\u0069ss":"a"}`, `{"iss":null,"exp":null}`,
		`{"role":""}`, `{"role":null}`, `{"role":1}`, `{"role":"\u0062"}`, `{"iss":1}`, `{"exp":"1"}`, `{"exp":1.0}`, `{"exp":1e3}`, `{"exp":9223372036854775807}`, `{"exp":9223372036854775808}`, `{"exp":-9223372036854775808}`,
		`{"iss":"a","exp":true}`, `{"iss":"a","exp":[]}`, `{"iss":{"a":1}}`, `{"iss":"a","iss":"b"}`, `{"iss":"a","Exp":1}`, `{"iss":"a","other":1}`, `{"iss":"a"}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.ContainsAny(data, "~") || bytes.Contains(bytes.ToLower(data), []byte(`\u007e`)) {
			return // the field more
		}
		for name, decode := range map[string]func([]byte, any) error{"closed": jose.DecodeClaims, "open": jose.DecodeOpenClaims} {
			got, want := flat{Role: "before"}, more{}
			err, wantErr := decode(data, &got), decode(data, &want)
			filled := flat{want.Issuer, want.Expires, want.Role}
			if got != filled || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Fatalf("%s: %+v, error %v, want %+v, error %v", name, got, err, filled, wantErr)
			}
		}
	})
}

// FuzzDecrypt: no panic, and nothing opens that was not sealed.
func FuzzDecrypt(f *testing.F) {
	d, err := jose.NewDecrypter([]byte(secretJWK), keyAlgorithms(), contentAlgorithms())
	if err != nil {
		f.Fatal(err)
	}
	iv, tag := b64(strings.Repeat("x", 12)), b64(strings.Repeat("x", 16))
	f.Add(`{"alg":"dir","enc":"A256GCM"}`, "", iv, "AA", tag)
	f.Add(`{"alg":"A256KW","enc":"A128GCM"}`, b64(strings.Repeat("x", 24)), iv, "AA", tag)
	f.Add(`{"alg":"A256KW","enc":"A128CBC-HS256"}`, b64(strings.Repeat("x", 40)), tag, tag, tag)
	f.Add(`{"alg":"A256GCMKW","enc":"A128GCM","iv":"`+iv+`","tag":"`+tag+`"}`, tag, iv, "AA", tag)
	f.Add(`{"alg":"ECDH-ES","enc":"A128GCM","epk":`+ed25519A+`}`, "", iv, "AA", tag)
	f.Fuzz(func(t *testing.T, header, key, iv, cipher, tag string) {
		token := b64(header) + "." + key + "." + iv + "." + cipher + "." + tag
		if plaintext, err := d.Decrypt(token); err == nil || plaintext != nil {
			t.Fatalf("opened to %q", plaintext)
		}
	})
}
