package jose_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/tamga-id/tamga/crypto/jose"
)

// decision is what was decided about an algorithm, from a closed set of words.
type decision string

const (
	public  decision = "public"  // Verifier, with the others of its kind
	secret  decision = "secret"  // Verifier, on its own
	allowed decision = "allowed" // Decrypter
	never   decision = "refused" // by everything in this package
)

// TestAlgorithmsDecided fails as soon as jwx knows an algorithm that nobody has
// decided about, and when something was decided that jwx has forgotten.
func TestAlgorithmsDecided(t *testing.T) {
	key := testKey(t, 1)
	if _, err := jose.Sign(key, "a+jwt", nil); err != nil { // registers "Ed25519" with jwx
		t.Fatal(err)
	}
	signatures := map[string]decision{
		"Ed25519": public, "EdDSA": public,
		"ES256": public, "ES384": public, "ES512": public,
		"RS256": public, "RS384": public, "RS512": public,
		"PS256": public, "PS384": public, "PS512": public,
		"HS256": secret, "HS384": secret, "HS512": secret,
		"none":   never, // RFC 8725 section 3.2
		"ES256K": never, // no peer uses it, jwx supports it under a build tag only
	}
	compareNames(t, names(jwa.SignatureAlgorithms()), signatures)
	for name, want := range signatures {
		if got := decideSignature(name); got != want {
			t.Errorf("JWS alg %s is %s, decided was %s", name, got, want)
		}
	}

	management := map[string]decision{
		"RSA1_5":             never, // Bleichenbacher, RFC 8725 section 3.2
		"PBES2-HS256+A128KW": never, // the sender chooses the recipient's work
		"PBES2-HS384+A192KW": never,
		"PBES2-HS512+A256KW": never,
	}
	for _, name := range keyAlgorithms() {
		management[name] = allowed
	}
	compareNames(t, names(jwa.KeyEncryptionAlgorithms()), management)
	for name, want := range management {
		if got := decideEncryption([]string{name}, contentAlgorithms()); got != want {
			t.Errorf("JWE alg %s is %s, decided was %s", name, got, want)
		}
	}

	content := make(map[string]decision)
	for _, name := range contentAlgorithms() {
		content[name] = allowed
		if got := decideEncryption(keyAlgorithms(), []string{name}); got != allowed {
			t.Errorf("JWE enc %s is %s, decided was %s", name, got, allowed)
		}
	}
	compareNames(t, names(jwa.ContentEncryptionAlgorithms()), content)

	// zip is refused whatever it names.
	compareNames(t, names(jwa.CompressionAlgorithms()), map[string]decision{"": never, "DEF": never})
}

func names[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, name := range list {
		out[i] = string(name)
	}
	return out
}

func compareNames(t *testing.T, known []string, decided map[string]decision) {
	t.Helper()
	for _, name := range known {
		if _, ok := decided[name]; !ok {
			t.Errorf("jwx knows %q, about which nothing was decided", name)
		}
	}
	for name := range maps.Keys(decided) {
		if !slices.Contains(known, name) {
			t.Errorf("decided about %q, which jwx does not know", name)
		}
	}
}

func decideSignature(name string) decision {
	with := func(other string) bool {
		_, err := jose.NewVerifier([]byte(`{}`), name, other)
		return !errors.Is(err, jose.ErrAlgorithm)
	}
	switch {
	case with("ES256"):
		return public
	case with("HS256"):
		return secret
	default:
		return never
	}
}

func decideEncryption(algs, encs []string) decision {
	if _, err := jose.NewDecrypter([]byte(`{}`), algs, encs); errors.Is(err, jose.ErrAlgorithm) {
		return never
	}
	return allowed
}
