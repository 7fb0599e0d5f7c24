package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/tamga-id/tamga/crypto/jose"
)

const (
	secretJWK = `{"kty":"oct","kid":"s","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}` // 00 01 … 1f
	ed25519A  = `{"kty":"OKP","kid":"a","crv":"Ed25519","x":"` + rfcX + `"}`
	ed25519B  = `{"kty":"OKP","kid":"b","crv":"Ed25519","x":"` + rfcX + `"}`
)

func sharedSecret() []byte {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i)
	}
	return secret
}

// ecJWK makes a key of jwx's and its JWK, private or not.
func ecJWK(t testing.TB, curve elliptic.Curve, private bool) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := (len(point) - 1) / 2
	text := fmt.Sprintf(`{"kty":"EC","crv":%q,"x":%q,"y":%q`, curve.Params().Name, b64(string(point[1:1+half])), b64(string(point[1+half:])))
	if private {
		d, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf(`,"d":%q`, b64(string(d)))
	}
	return key, text + "}"
}

func TestNewVerifierRefuses(t *testing.T) {
	_, private := ecJWK(t, elliptic.P256(), true)
	_, public := ecJWK(t, elliptic.P256(), false)
	for name, c := range map[string]struct {
		jwks    string
		allowed []string
		want    error
	}{
		"no-list":        {ed25519A, nil, jose.ErrAlgorithm},
		"none":           {ed25519A, []string{"none"}, jose.ErrAlgorithm},
		"unknown":        {ed25519A, []string{"EdDSA", "ML-DSA-44"}, jose.ErrAlgorithm},
		"mixed-list":     {secretJWK, []string{"HS256", "RS256"}, jose.ErrAlgorithm},
		"mixed-set":      {`{"keys":[` + secretJWK + `,` + ed25519A + `]}`, []string{"HS256"}, jose.ErrKey},
		"other-list":     {ed25519A, []string{"ES256"}, jose.ErrKey},
		"other-curve":    {public, []string{"ES384", "ES512"}, jose.ErrKey},
		"secret-as-key":  {secretJWK, []string{"ES256"}, jose.ErrKey},
		"key-as-secret":  {public, []string{"HS256"}, jose.ErrKey},
		"private":        {private, []string{"ES256"}, jose.ErrKey},
		"empty-set":      {`{"keys":[]}`, []string{"ES256"}, jose.ErrKey},
		"unknown-set":    {`{"keys":[{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}]}`, []string{"ES256"}, jose.ErrKey},
		"duplicate-kid":  {`{"keys":[` + ed25519A + `,` + ed25519A + `]}`, []string{"EdDSA"}, jose.ErrKey},
		"two-nameless":   {`{"keys":[` + public + `,` + public + `]}`, []string{"ES256"}, jose.ErrKey},
		"duplicate-name": {`{"kty":"OKP","kty":"OKP"}`, []string{"EdDSA"}, jose.ErrMalformed},
		"not-json":       {`-----BEGIN PUBLIC KEY-----`, []string{"EdDSA"}, jose.ErrMalformed},
		"large":          {ed25519A + strings.Repeat(" ", 64<<10), []string{"EdDSA"}, jose.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := jose.NewVerifier([]byte(c.jwks), c.allowed...)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if _, err := v.Verify(rfcToken, ""); err == nil {
				t.Error("the verifier that came with the error verifies")
			}
		})
	}
}

func TestVerifierSelectsKey(t *testing.T) {
	seed, err := base64.RawURLEncoding.DecodeString(rfcSeed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	nameless := strings.Replace(ed25519A, `"kid":"a",`, "", 1)
	for name, c := range map[string]struct {
		jwks, header, typ string
		want              error
	}{
		"no-kid":         {ed25519A, `{"alg":"EdDSA"}`, "", nil},
		"kid":            {ed25519A, `{"alg":"EdDSA","kid":"a"}`, "", nil},
		"new-name":       {ed25519A, `{"alg":"Ed25519","kid":"a"}`, "", nil},
		"typ":            {ed25519A, `{"alg":"EdDSA","typ":"dc+sd-jwt"}`, "dc+sd-jwt", nil},
		"nameless":       {nameless, `{"alg":"EdDSA","kid":"whatever"}`, "", nil},
		"set":            {`{"keys":[` + ed25519A + `,` + ed25519B + `]}`, `{"alg":"EdDSA","kid":"b"}`, "", nil},
		"own-key":        {ed25519A, `{"alg":"EdDSA","jwk":{"kty":"x"},"x5c":["AA"]}`, "", nil}, // ignored
		"old-name-bound": {strings.Replace(ed25519A, `{`, `{"alg":"Ed25519",`, 1), `{"alg":"EdDSA"}`, "", nil},

		"typ-absent":     {ed25519A, `{"alg":"EdDSA"}`, "dc+sd-jwt", jose.ErrType},
		"typ-unexpected": {ed25519A, `{"alg":"EdDSA","typ":"dc+sd-jwt"}`, "", jose.ErrType},
		"not-allowed":    {ed25519A, `{"alg":"ES256"}`, "", jose.ErrAlgorithm},
		"other-kid":      {ed25519A, `{"alg":"EdDSA","kid":"b"}`, "", jose.ErrKey},
		"ambiguous":      {`{"keys":[` + ed25519A + `,` + ed25519B + `]}`, `{"alg":"EdDSA"}`, "", jose.ErrKey},
		"crit":           {ed25519A, `{"alg":"EdDSA","crit":["x"],"x":1}`, "", jose.ErrCritical},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := jose.NewVerifier([]byte(c.jwks), "EdDSA", "Ed25519")
			if err != nil {
				t.Fatal(err)
			}
			payload, err := v.Verify(forge(key, c.header, "hi"), c.typ)
			if !errors.Is(err, c.want) || (string(payload) == "hi") != (c.want == nil) {
				t.Errorf("payload %q, error %v, want %v", payload, err, c.want)
			}
		})
	}
}

// TestVerifierBindsCurve: jwx signs and verifies ES256 with a P-521 key.
func TestVerifierBindsCurve(t *testing.T) {
	key, text := ecJWK(t, elliptic.P521(), false)
	token, err := jws.Sign([]byte("hi"), jws.WithKey(jwa.ES256, key))
	if err != nil {
		t.Skip("jwx refuses by itself now:", err)
	}
	v, err := jose.NewVerifier([]byte(text), "ES256", "ES512")
	if err != nil {
		t.Fatal(err)
	}
	if payload, err := v.Verify(string(token), ""); payload != nil || !errors.Is(err, jose.ErrAlgorithm) {
		t.Errorf("payload %q, error %v", payload, err)
	}
	good, err := jws.Sign([]byte("hi"), jws.WithKey(jwa.ES512, key))
	if err != nil {
		t.Fatal(err)
	}
	if payload, err := v.Verify(string(good), ""); err != nil || string(payload) != "hi" {
		t.Errorf("ES512: payload %q, error %v", payload, err)
	}
}

// TestROCA uses the vulnerable modulus of wycheproof, there spoilt by a leading
// zero octet that is refused first.
func TestROCA(t *testing.T) {
	var file wycheproofFile
	if err := json.Unmarshal(sharedFile(t, "vectors", "wycheproof", "json_web_crypto_test.json"), &file); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, group := range file.TestGroups {
		var key struct {
			KeyType string `json:"kty"`
			N       string `json:"n"`
		}
		if group.Public == nil || json.Unmarshal(group.Public, &key) != nil || key.KeyType != "RSA" {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(key.N)
		if err != nil {
			t.Fatal(err)
		}
		n := new(big.Int).SetBytes(raw).Bytes()
		_, err = jose.NewVerifier([]byte(`{"kty":"RSA","e":"AQAB","n":"`+b64(string(n))+`"}`), "RS256")
		vulnerable := group.Comment == "jws_rsa_roca_key"
		found = found || vulnerable
		if vulnerable != errors.Is(err, jose.ErrKey) || vulnerable != strings.Contains(fmt.Sprint(err), "ROCA") {
			t.Errorf("%s: %v", group.Comment, err)
		}
	}
	if !found {
		t.Error("no vulnerable key in the file")
	}
}

// TestDecrypter takes every allowed pair through jwx's encryption, so that the
// size checks do not refuse what is right.
func TestDecrypter(t *testing.T) {
	key, text := ecJWK(t, elliptic.P384(), true)
	for _, alg := range []string{"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW", "A256KW", "A256GCMKW", "dir"} {
		for _, enc := range contentAlgorithms() {
			var raw any = sharedSecret()
			jwk := secretJWK
			switch {
			case strings.HasPrefix(alg, "ECDH"):
				raw, jwk = &key.PublicKey, text
			case alg == "dir" && enc != "A256GCM" && enc != "A128CBC-HS256":
				continue // the secret has another size
			}
			token, err := jwe.Encrypt([]byte("hi"), jwe.WithKey(jwa.KeyEncryptionAlgorithm(alg), raw),
				jwe.WithContentEncryption(jwa.ContentEncryptionAlgorithm(enc)))
			if err != nil {
				t.Fatal(alg, enc, err)
			}
			d, err := jose.NewDecrypter([]byte(jwk), []string{alg}, []string{enc})
			if err != nil {
				t.Fatal(alg, enc, err)
			}
			if plaintext, err := d.Decrypt(string(token)); err != nil || string(plaintext) != "hi" {
				t.Errorf("%s %s: plaintext %q, error %v", alg, enc, plaintext, err)
			}
			other, err := jose.NewDecrypter([]byte(jwk), []string{alg}, []string{otherThan(enc)})
			if err == nil {
				_, err = other.Decrypt(string(token))
			}
			if !errors.Is(err, jose.ErrAlgorithm) {
				t.Errorf("%s with enc %s not allowed: %v", alg, enc, err)
			}
		}
	}
	if _, err := (jose.Decrypter{}).Decrypt("a.b.c.d.e"); err == nil {
		t.Error("the zero Decrypter opens something")
	}
}

func otherThan(enc string) string {
	if enc == "A128GCM" {
		return "A256GCM"
	}
	return "A128GCM"
}

func TestDecryptRefuses(t *testing.T) {
	token, err := jwe.Encrypt([]byte("hi"), jwe.WithKey(jwa.A256KW, sharedSecret()), jwe.WithContentEncryption(jwa.A128CBC_HS256))
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(string(token), ".")
	with := func(i int, text string) string {
		changed := append([]string(nil), part...)
		changed[i] = text
		return strings.Join(changed, ".")
	}
	bytes := func(n int) string { return b64(strings.Repeat("x", n)) }
	d, err := jose.NewDecrypter([]byte(secretJWK), keyAlgorithms(), contentAlgorithms())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"good":           {string(token), nil},
		"four-parts":     {strings.Join(part[:4], "."), jose.ErrMalformed},
		"six-parts":      {string(token) + ".", jose.ErrMalformed},
		"space":          {string(token) + " ", jose.ErrMalformed},
		"padding":        {with(2, part[2]+"=="), jose.ErrMalformed},
		"key-empty":      {with(1, ""), jose.ErrMalformed}, // makes jwx panic
		"key-short":      {with(1, bytes(8)), jose.ErrMalformed},
		"key-long":       {with(1, bytes(48)), jose.ErrMalformed},
		"iv-short":       {with(2, bytes(12)), jose.ErrMalformed},
		"cipher-empty":   {with(3, ""), jose.ErrMalformed},
		"cipher-ragged":  {with(3, bytes(17)), jose.ErrMalformed},
		"tag-short":      {with(4, bytes(8)), jose.ErrMalformed},
		"tag-wrong":      {with(4, bytes(16)), jose.ErrDecrypt},
		"key-wrong":      {with(1, bytes(40)), jose.ErrDecrypt},
		"cipher-wrong":   {with(3, bytes(16)), jose.ErrDecrypt},
		"iv-wrong":       {with(2, bytes(16)), jose.ErrDecrypt},
		"header-changed": {with(0, b64(`{"enc":"A128CBC-HS256","alg":"A256KW" }`)), jose.ErrDecrypt},
		"alg-missing":    {with(0, b64(`{"enc":"A128CBC-HS256"}`)), jose.ErrAlgorithm},
		"enc-missing":    {with(0, b64(`{"alg":"A256KW"}`)), jose.ErrAlgorithm},
		"alg-pbes2":      {with(0, b64(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"AA","p2c":2000000000}`)), jose.ErrAlgorithm},
		"alg-ecdh":       {with(0, b64(`{"alg":"ECDH-ES","enc":"A128CBC-HS256"}`)), jose.ErrAlgorithm},
		"alg-size":       {with(0, b64(`{"alg":"A128KW","enc":"A128CBC-HS256"}`)), jose.ErrKey},
		"zip":            {with(0, b64(`{"alg":"A256KW","enc":"A128CBC-HS256","zip":"DEF"}`)), jose.ErrCritical},
		"crit":           {with(0, b64(`{"alg":"A256KW","enc":"A128CBC-HS256","crit":["x"]}`)), jose.ErrCritical},
		"kid":            {with(0, b64(`{"alg":"A256KW","enc":"A128CBC-HS256","kid":"x"}`)), jose.ErrKey},
		"gcmkw-no-iv":    {strings.Join([]string{b64(`{"alg":"A256GCMKW","enc":"A128GCM"}`), bytes(16), bytes(12), bytes(2), bytes(16)}, "."), jose.ErrMalformed},
		"dir-with-key":   {strings.Join([]string{b64(`{"alg":"dir","enc":"A256GCM"}`), bytes(16), bytes(12), bytes(2), bytes(16)}, "."), jose.ErrMalformed},
		"dir-size":       {strings.Join([]string{b64(`{"alg":"dir","enc":"A128GCM"}`), "", bytes(12), bytes(2), bytes(16)}, "."), jose.ErrKey},
		"too-large":      {string(token) + strings.Repeat("x", jose.MaxTokenSize), jose.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			plaintext, err := d.Decrypt(c.token)
			if !errors.Is(err, c.want) || (err == nil) != (string(plaintext) == "hi") {
				t.Errorf("plaintext %q, error %v, want %v", plaintext, err, c.want)
			}
		})
	}
}

// TestEphemeralKey: a point off the curve, or on another, would draw the private
// key out bit by bit (Sanso 2017, "Critical vulnerability in JSON Web Encryption").
func TestEphemeralKey(t *testing.T) {
	_, text := ecJWK(t, elliptic.P256(), true)
	_, foreign := ecJWK(t, elliptic.P384(), false)
	_, leaked := ecJWK(t, elliptic.P256(), true)
	d, err := jose.NewDecrypter([]byte(text), []string{"ECDH-ES"}, []string{"A128GCM"})
	if err != nil {
		t.Fatal(err)
	}
	coordinate := b64(strings.Repeat("\x01", 32))
	for name, c := range map[string]struct {
		epk  string
		want error
	}{
		"none":        {``, jose.ErrMalformed},
		"string":      {`,"epk":"x"`, jose.ErrMalformed},
		"off-curve":   {`,"epk":{"kty":"EC","crv":"P-256","x":"` + coordinate + `","y":"` + coordinate + `"}`, jose.ErrKey},
		"infinity":    {`,"epk":{"kty":"EC","crv":"P-256","x":"","y":""}`, jose.ErrKey},
		"other-curve": {`,"epk":` + foreign, jose.ErrKey},
		"private":     {`,"epk":` + leaked, jose.ErrKey},
		"edwards":     {`,"epk":` + ed25519A, jose.ErrKey},
		"apu":         {`,"apu":"A=","epk":` + foreign, jose.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			token := b64(`{"alg":"ECDH-ES","enc":"A128GCM"`+c.epk+`}`) + ".." + b64(strings.Repeat("x", 12)) + ".AA." + b64(strings.Repeat("x", 16))
			if plaintext, err := d.Decrypt(token); plaintext != nil || !errors.Is(err, c.want) {
				t.Errorf("plaintext %q, error %v, want %v", plaintext, err, c.want)
			}
		})
	}
}

func TestNewDecrypterRefuses(t *testing.T) {
	_, public := ecJWK(t, elliptic.P256(), false)
	_, private := ecJWK(t, elliptic.P256(), true)
	_, other := ecJWK(t, elliptic.P256(), true)
	swapped := private[:strings.Index(private, `,"d"`)] + other[strings.Index(other, `,"d"`):]
	gcm := []string{"A256GCM"}
	for name, c := range map[string]struct {
		jwks       string
		algs, encs []string
		want       error
	}{
		"no-alg":     {secretJWK, nil, gcm, jose.ErrAlgorithm},
		"no-enc":     {secretJWK, []string{"A256KW"}, nil, jose.ErrAlgorithm},
		"rsa1_5":     {secretJWK, []string{"RSA1_5"}, gcm, jose.ErrAlgorithm},
		"enc":        {secretJWK, []string{"A256KW"}, []string{"A512GCM"}, jose.ErrAlgorithm},
		"public":     {public, []string{"ECDH-ES"}, gcm, jose.ErrKey},
		"swapped":    {swapped, []string{"ECDH-ES"}, gcm, jose.ErrKey},
		"other-type": {secretJWK, []string{"ECDH-ES"}, gcm, jose.ErrKey},
		"use-sig":    {strings.Replace(secretJWK, `{`, `{"use":"sig",`, 1), []string{"A256KW"}, gcm, jose.ErrKey},
		"ops":        {strings.Replace(secretJWK, `{`, `{"key_ops":["encrypt","wrapKey"],`, 1), []string{"A256KW"}, gcm, jose.ErrKey},
		"alg-bound":  {strings.Replace(secretJWK, `{`, `{"alg":"A256GCMKW",`, 1), []string{"A256KW"}, gcm, jose.ErrKey},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := jose.NewDecrypter([]byte(c.jwks), c.algs, c.encs); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}
