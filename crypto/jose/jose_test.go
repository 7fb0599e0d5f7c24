package jose_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
)

const testType = "tamga-query+jwt"

func testKey(t testing.TB, n byte) jose.PrivateKey {
	t.Helper()
	key, err := jose.NewPrivateKey(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs any header and payload text, as someone who holds the key could.
func forge(key jose.PrivateKey, header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	return signed + "." + b64(string(ed25519.Sign(ed25519.NewKeyFromSeed(key.Seed()), []byte(signed))))
}

// TestSignBytes recomputes the token from RFC 7515 and RFC 8032, member by member.
func TestSignBytes(t *testing.T) {
	key := testKey(t, 1)
	got, err := jose.Sign(key, testType, []byte(`{"iss":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := forge(key, `{"alg":"Ed25519","kid":"`+key.Public().KeyID()+`","typ":"tamga-query+jwt"}`, `{"iss":"a"}`)
	if got != want {
		t.Errorf("token\n got %s\nwant %s", got, want)
	}
}

// RFC 8037 appendix A.
const (
	rfcSeed       = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
	rfcX          = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	rfcThumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	rfcToken      = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

func TestRFC8037(t *testing.T) {
	seed, err := base64.RawURLEncoding.DecodeString(rfcSeed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	if got := key.Public().KeyID(); got != rfcThumbprint {
		t.Errorf("thumbprint %s, want %s", got, rfcThumbprint)
	}
	got, err := json.Marshal(key.Public())
	want := `{"kty":"OKP","crv":"Ed25519","x":"` + rfcX + `","kid":"` + rfcThumbprint + `","use":"sig","alg":"Ed25519"}`
	if err != nil || string(got) != want {
		t.Errorf("JWK %s (%v), want %s", got, err, want)
	}
	v, err := jose.NewVerifier([]byte(`{"kty":"OKP","crv":"Ed25519","x":"`+rfcX+`"}`), "EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := v.Verify(rfcToken, "")
	if err != nil || string(payload) != "Example of Ed25519 signing" {
		t.Errorf("payload %q, error %v", payload, err)
	}
}

func TestVerify(t *testing.T) {
	key, other := testKey(t, 1), testKey(t, 2)
	kid := key.Public().KeyID()
	keys := jose.NewKeySet(key.Public(), other.Public())
	header := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	good := forge(key, header(`{"alg":"Ed25519","kid":%q,"typ":%q}`, kid, testType), `{}`)
	part := strings.Split(good, ".")

	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"good":          {good, nil},
		"eddsa":         {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q}`, kid, testType), `{}`), nil},
		"white-space":   {forge(key, header(" {\n\"alg\":\"EdDSA\" ,\t\"kid\":%q,\"typ\":%q} ", kid, testType), `{}`), nil},
		"escapes":       {forge(key, header(`{"\u0061lg":"Ed\u0044SA","kid":%q,"typ":%q}`, kid, testType), `{}`), nil},
		"unknown":       {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"cty":"x","n":{"a":[1]}}`, kid, testType), `{}`), nil},
		"empty-payload": {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q}`, kid, testType), ""), nil},

		"empty":           {"", jose.ErrMalformed},
		"two-parts":       {part[0] + "." + part[1], jose.ErrMalformed},
		"four-parts":      {good + ".", jose.ErrMalformed},
		"no-signature":    {part[0] + "." + part[1] + ".", jose.ErrMalformed},
		"space-before":    {" " + good, jose.ErrMalformed},
		"space-after":     {good + " ", jose.ErrMalformed},
		"line-break":      {part[0] + "." + part[1] + "\n." + part[2], jose.ErrMalformed},
		"padding":         {part[0] + "." + part[1] + "==." + part[2], jose.ErrMalformed},
		"sig-padding":     {good + "==", jose.ErrMalformed},
		"standard-base64": {part[0] + "." + part[1] + "." + strings.Repeat("+", 86), jose.ErrMalformed},
		"json":            {`{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`, jose.ErrMalformed},
		"header-array":    {forge(key, `[]`, `{}`), jose.ErrMalformed},
		"header-trailing": {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q}{}`, kid, testType), `{}`), jose.ErrMalformed},
		"duplicate-alg":   {forge(key, header(`{"alg":"none","alg":"EdDSA","kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrMalformed},
		"duplicate-esc":   {forge(key, header(`{"alg":"EdDSA","\u0061lg":"EdDSA","kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrMalformed},
		"duplicate-deep":  {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"x":{"a":1,"a":1}}`, kid, testType), `{}`), jose.ErrMalformed},
		"alg-number":      {forge(key, header(`{"alg":1,"kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrMalformed},
		"alg-null":        {forge(key, header(`{"alg":null,"kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrMalformed},
		"kid-empty":       {forge(key, header(`{"alg":"EdDSA","kid":"","typ":%q}`, testType), `{}`), jose.ErrMalformed},
		"kid-long":        {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q}`, strings.Repeat("k", 257), testType), `{}`), jose.ErrMalformed},
		"large":           {forge(key, `{}`, strings.Repeat("x", jose.MaxTokenSize*3/4)), jose.ErrTooLarge},
		"large-header":    {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"x":%q}`, kid, testType, strings.Repeat("x", 128<<10)), `{}`), jose.ErrTooLarge},

		"chain-text":   {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"trust_chain":"x"}`, kid, testType), `{}`), jose.ErrMalformed},
		"chain-number": {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"trust_chain":[1]}`, kid, testType), `{}`), jose.ErrMalformed},
		"crit":         {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"crit":["exp"],"exp":1}`, kid, testType), `{}`), jose.ErrCritical},
		"crit-empty":   {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"crit":[]}`, kid, testType), `{}`), jose.ErrCritical},
		"crit-null":    {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"crit":null}`, kid, testType), `{}`), jose.ErrCritical},
		"b64-false":    {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"b64":false}`, kid, testType), `{}`), jose.ErrCritical},
		"b64-critical": {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"b64":false,"crit":["b64"]}`, kid, testType), `{}`), jose.ErrCritical},

		"typ-none":   {forge(key, header(`{"alg":"EdDSA","kid":%q}`, kid), `{}`), jose.ErrType},
		"typ-other":  {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":"tamga-answer+jwt"}`, kid), `{}`), jose.ErrType},
		"typ-case":   {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":"Tamga-Query+JWT"}`, kid), `{}`), jose.ErrType},
		"typ-prefix": {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":"application/tamga-query+jwt"}`, kid), `{}`), jose.ErrType},

		"alg-none":    {b64(header(`{"alg":"none","kid":%q,"typ":%q}`, kid, testType)) + ".e30.AA", jose.ErrAlgorithm},
		"alg-missing": {forge(key, header(`{"kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrAlgorithm},
		"alg-case":    {forge(key, header(`{"alg":"eddsa","kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrAlgorithm},
		"name-case":   {forge(key, header(`{"Alg":"EdDSA","kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrAlgorithm},
		"alg-hmac":    {forge(key, header(`{"alg":"HS256","kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrAlgorithm},
		"alg-es256":   {forge(key, header(`{"alg":"ES256","kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrAlgorithm},

		"kid-missing": {forge(key, header(`{"alg":"EdDSA","typ":%q}`, testType), `{}`), jose.ErrKey},
		"kid-unknown": {forge(key, header(`{"alg":"EdDSA","kid":"x","typ":%q}`, testType), `{}`), jose.ErrKey},
		"jwk":         {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"jwk":{}}`, kid, testType), `{}`), jose.ErrKey},
		"jku":         {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"jku":"https://x"}`, kid, testType), `{}`), jose.ErrKey},
		"x5u":         {forge(key, header(`{"alg":"EdDSA","kid":%q,"typ":%q,"x5u":"https://x"}`, kid, testType), `{}`), jose.ErrKey},

		"other-key":      {forge(other, header(`{"alg":"EdDSA","kid":%q,"typ":%q}`, kid, testType), `{}`), jose.ErrSignature},
		"payload":        {part[0] + "." + b64(`{"a":1}`) + "." + part[2], jose.ErrSignature},
		"sig-short":      {good[:len(good)-4], jose.ErrSignature},
		"sig-long":       {part[0] + "." + part[1] + "." + b64(string(make([]byte, 65))), jose.ErrSignature},
		"sig-zero":       {part[0] + "." + part[1] + "." + b64(string(make([]byte, 64))), jose.ErrSignature},
		"sig-not-unique": {part[0] + "." + part[1] + "." + addOrder(t, part[2]), jose.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := jose.Verify(c.token, testType, keys)
			if !errors.Is(err, c.want) || (err == nil) != (payload != nil) {
				t.Errorf("payload %q, error %v, want %v", payload, err, c.want)
			}
		})
	}
}

// addOrder adds the group order L to S: the other signature for the same message
// that a verifier without the check of RFC 8032 section 5.1.7 would take.
func addOrder(t *testing.T, encoded string) string {
	t.Helper()
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	signature, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	carry := 0
	for i, b := range order {
		sum := int(signature[32+i]) + int(b) + carry
		signature[32+i], carry = byte(sum), sum>>8
	}
	return b64(string(signature))
}

// TestUnusedBits changes the bits of the last character that no byte uses.
func TestUnusedBits(t *testing.T) {
	key := testKey(t, 1)
	token, err := jose.Sign(key, testType, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	for unused := 1; unused < 16; unused++ { // 64 bytes leave 4 bits
		changed := token[:len(token)-1] + string(alphabet[last^unused])
		if _, err := jose.Verify(changed, testType, jose.NewKeySet(key.Public())); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("unused bits %04b: %v", unused, err)
		}
	}
}

// TestEveryBit flips each bit of a token once.
func TestEveryBit(t *testing.T) {
	key := testKey(t, 1)
	token, err := jose.Sign(key, testType, []byte(`{"iss":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	keys := jose.NewKeySet(key.Public())
	for i := range len(token) * 8 {
		changed := []byte(token)
		changed[i/8] ^= 1 << (i % 8)
		if payload, err := jose.Verify(string(changed), testType, keys); err == nil || payload != nil {
			t.Fatalf("bit %d: payload %q, error %v", i, payload, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	key := testKey(t, 1)
	for name, c := range map[string]struct {
		key     jose.PrivateKey
		typ     string
		payload []byte
		want    error
	}{
		"zero-key":  {jose.PrivateKey{}, testType, nil, jose.ErrKey},
		"no-typ":    {key, "", nil, jose.ErrType},
		"injection": {key, `a","alg":"none`, nil, jose.ErrType},
		"long-typ":  {key, strings.Repeat("a", 128), nil, jose.ErrType},
		"large":     {key, testType, make([]byte, jose.MaxTokenSize+1), jose.ErrTooLarge},
		"just-over": {key, testType, make([]byte, jose.MaxTokenSize*3/4), jose.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if token, err := jose.Sign(c.key, c.typ, c.payload); token != "" || !errors.Is(err, c.want) {
				t.Errorf("%d bytes, error %v, want %v", len(token), err, c.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	key := testKey(t, 1)
	token, err := jose.Sign(key, testType, []byte(`{"iss":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	u, err := jose.Parse(token[:len(token)-2] + "AA") // not its signature
	if err != nil {
		t.Fatal(err)
	}
	if u.Type() != testType || u.Algorithm() != "Ed25519" || u.KeyID() != key.Public().KeyID() || string(u.Payload()) != `{"iss":"a"}` {
		t.Errorf("type %q, algorithm %q, kid %q, payload %q", u.Type(), u.Algorithm(), u.KeyID(), u.Payload())
	}
	if u, err := jose.Parse(forge(key, `{"alg":"EdDSA","crit":["x"]}`, `{}`)); !errors.Is(err, jose.ErrCritical) || u.Payload() != nil {
		t.Errorf("payload %q, error %v", u.Payload(), err)
	}
}

// TestRedaction prints a key in every way a log or an error might.
func TestRedaction(t *testing.T) {
	key := testKey(t, 0xA5)
	secret := key.Seed()
	decrypter, err := jose.NewDecrypter([]byte(`{"kty":"oct","k":"`+b64(string(secret))+`"}`), []string{"A256KW"}, []string{"A256GCM"})
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		hidden    jose.PrivateKey
		Shown     jose.PrivateKey
		Pointer   *jose.PrivateKey
		List      []any
		decrypter jose.Decrypter
	}
	h := holder{key, key, &key, []any{key, &key, decrypter}, decrypter}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, h, &h, key, decrypter)
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("m", slog.Any("holder", h), slog.Any("key", key), slog.Any("list", h.List))
	}
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	forms := []string{string(secret), "a5a5a5a5", "A5A5A5A5", "165 165", "165,165", b64(string(secret))[:16], "0xa5"}
	for _, form := range forms {
		if strings.Contains(out.String(), form) {
			t.Errorf("output contains the secret as %q", form)
		}
	}
}

func TestPrivateKey(t *testing.T) {
	a, b := testKey(t, 1), testKey(t, 2)
	var zero jose.PrivateKey
	if !a.Equal(testKey(t, 1)) || a.Equal(b) || a.Equal(zero) || !zero.Equal(jose.PrivateKey{}) {
		t.Error("Equal is wrong")
	}
	if !zero.IsZero() || a.IsZero() || zero.Seed() != nil || !zero.Public().IsZero() {
		t.Error("the zero key is not one")
	}
	seed := a.Seed()
	seed[0]++
	if !a.Equal(testKey(t, 1)) {
		t.Error("Seed shares memory with the key")
	}
	if k, err := jose.NewPrivateKey(make([]byte, 31)); !errors.Is(err, jose.ErrKey) || !k.IsZero() {
		t.Errorf("31-byte seed: %v", err)
	}
	first, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	second, err := jose.GenerateKey()
	if err != nil || first.Equal(second) {
		t.Errorf("two generated keys are equal, error %v", err)
	}
}

// TestConcurrent is for the race detector: first use registers a name with jwx.
func TestConcurrent(t *testing.T) {
	key := testKey(t, 1)
	keys := jose.NewKeySet(key.Public())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				token, err := jose.Sign(key, testType, []byte(`{}`))
				if err != nil {
					t.Error(err)
				}
				if _, err := jose.Verify(token, testType, keys); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestSignWithChain(t *testing.T) {
	key, err := jose.NewPrivateKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	chain := []string{"a.b.c", "d.e.f"}
	token, err := jose.SignWithChain(key, testType, []byte(`{}`), chain)
	if err != nil {
		t.Fatal(err)
	}
	u, err := jose.Parse(token)
	if err != nil || !slices.Equal(u.TrustChain(), chain) {
		t.Errorf("got chain %v, error %v", u.TrustChain(), err)
	}
	if _, err := jose.Verify(token, testType, jose.NewKeySet(key.Public())); err != nil {
		t.Error(err)
	}
	if _, err := jose.SignWithChain(key, testType, []byte(`{}`), []string{strings.Repeat("x", 100<<10)}); !errors.Is(err, jose.ErrTooLarge) {
		t.Errorf("a chain of 100 KiB: got %v", err)
	}
}
