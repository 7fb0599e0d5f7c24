package jose_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
)

// unsupported lists the wycheproof cases marked valid that this package refuses
// on purpose, by file and tcId. An entry that is accepted after all, or that no
// file has, fails the test.
var unsupported = map[string]map[int]string{
	"json_web_signature_test.json": {
		346: "the key's alg is PS256, the token's PS384: a key keeps to its alg",
		347: `the key's alg is "ES521", which is not a registered name`,
		350: "the key's alg is PS256, the token's PS384: a key keeps to its alg",
		351: `the key's alg is "ES521", which is not a registered name`,
		372: "a question mark inside base64url: RFC 7515 section 2 allows no such character",
		373: "a question mark inside base64url: RFC 7515 section 2 allows no such character",
	},
	"json_web_key_test.json": {},
	"json_web_encryption_test.json": {
		100: "RSA1_5", 101: "RSA1_5", 102: "RSA1_5", 103: "RSA1_5", 104: "RSA1_5", 105: "RSA1_5",
		112: "RSA1_5", 128: "RSA1_5",
		135: "compressed plaintext: zip is refused",
	},
	"json_web_crypto_test.json": {},
}

// mislabelled lists cases marked invalid whose token is the one of a case marked
// valid, byte for byte: the padding that their comments announce was lost before
// publication. The padding cases of TestVerify cover what they meant to.
var mislabelled = map[string]map[int]int{
	"json_web_signature_test.json": {367: 357, 370: 357},
}

// wycheproofCounts pins the cases accepted, refused and deliberately unsupported
// in each file, so that a change of any is noticed.
var wycheproofCounts = map[string][3]int{
	"json_web_signature_test.json":  {40, 353, 6},
	"json_web_key_test.json":        {5, 21, 0},
	"json_web_encryption_test.json": {56, 74, 9},
	"json_web_crypto_test.json":     {6, 77, 0},
}

type wycheproofFile struct {
	NumberOfTests int `json:"numberOfTests"`
	TestGroups    []struct {
		Comment string          `json:"comment"`
		Private json.RawMessage `json:"private"`
		Public  json.RawMessage `json:"public"`
		Tests   []wycheproofCase
	} `json:"testGroups"`
}

type wycheproofCase struct {
	ID        int             `json:"tcId"`
	Comment   string          `json:"comment"`
	JWS       json.RawMessage `json:"jws"`
	JWE       json.RawMessage `json:"jwe"`
	Plaintext *string         `json:"pt"`
	Result    string          `json:"result"`
}

func TestWycheproof(t *testing.T) {
	for name := range unsupported {
		t.Run(strings.TrimSuffix(name, "_test.json"), func(t *testing.T) { runWycheproof(t, name) })
	}
}

func runWycheproof(t *testing.T, name string) {
	var file wycheproofFile
	if err := json.Unmarshal(sharedFile(t, "vectors", "wycheproof", name), &file); err != nil {
		t.Fatal(err)
	}
	var counts [3]int
	tokens := make(map[int]string)
	for _, group := range file.TestGroups {
		for _, c := range group.Tests {
			tokens[c.ID] = rawToken(c.JWS)
			if twin, spoilt := mislabelled[name][c.ID]; spoilt && tokens[c.ID] == tokens[twin] {
				continue
			}
			payload, err := openWycheproof(group.Private, group.Public, c)
			bucket, fault := judge(c, unsupported[name][c.ID], payload, err)
			if fault != "" {
				t.Errorf("%d %s %s: %s", c.ID, group.Comment, c.Comment, fault)
			}
			counts[bucket]++
		}
	}
	for id := range unsupported[name] {
		if _, known := tokens[id]; !known {
			t.Errorf("case %d is listed as unsupported and not in the file", id)
		}
	}
	for id, twin := range mislabelled[name] {
		if tokens[id] == "" || tokens[id] != tokens[twin] {
			t.Errorf("case %d is listed as the token of case %d and is not", id, twin)
		}
	}
	if len(tokens) == 0 || len(tokens) != file.NumberOfTests {
		t.Fatalf("%d cases, the file says %d", len(tokens), file.NumberOfTests)
	}
	if counts != wycheproofCounts[name] {
		t.Errorf("accepted, refused, unsupported = %v, want %v", counts, wycheproofCounts[name])
	}
}

const (
	accepted = iota
	refused
	exempted
)

// judge sorts one result and says what is wrong with it, if anything is.
func judge(c wycheproofCase, exemption string, payload []byte, err error) (bucket int, fault string) {
	switch {
	case err != nil && payload != nil:
		return refused, "a payload together with an error"
	case c.Result == "invalid" && err == nil:
		return accepted, "accepted, must be refused"
	case c.Result == "invalid" && exemption != "":
		return refused, "listed as a valid case that is not supported, and is invalid"
	case c.Result == "invalid":
		return refused, ""
	case c.Result != "valid":
		return refused, "result " + c.Result + " is not one this test knows"
	case exemption != "" && err == nil:
		return accepted, "accepted, but listed as unsupported: " + exemption
	case exemption != "":
		return exempted, ""
	case err != nil:
		return refused, err.Error()
	case c.Plaintext != nil && *c.Plaintext != hex.EncodeToString(payload):
		return accepted, fmt.Sprintf("plaintext %x, want %s", payload, *c.Plaintext)
	}
	return accepted, ""
}

// openWycheproof allows every algorithm of the key's family, so that refusals
// come from the token and the key, not from a narrow list.
func openWycheproof(private, public json.RawMessage, c wycheproofCase) ([]byte, error) {
	if c.JWE != nil {
		d, err := jose.NewDecrypter(private, keyAlgorithms(), contentAlgorithms())
		if err != nil {
			return nil, err
		}
		return d.Decrypt(rawToken(c.JWE))
	}
	key, allowed := public, publicAlgorithms()
	if key == nil {
		key = private
	}
	if bytes.Contains(key, []byte(`"oct"`)) {
		allowed = []string{"HS256", "HS384", "HS512"}
	}
	v, err := jose.NewVerifier(key, allowed...)
	if err != nil {
		return nil, err
	}
	return v.Verify(rawToken(c.JWS), "")
}

// rawToken returns the string, or the text of a JSON serialisation given as an object.
func rawToken(raw json.RawMessage) string {
	var token string
	if json.Unmarshal(raw, &token) != nil {
		return string(raw)
	}
	return token
}

func publicAlgorithms() []string {
	return []string{"Ed25519", "EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
}

func keyAlgorithms() []string {
	return []string{
		"dir", "A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW",
		"RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512",
		"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW",
	}
}

func contentAlgorithms() []string {
	return []string{"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}
}

// sharedFile reads a file of the shared folder: $TAMGA_SHARED, by default
// ../shared beside the module root.
func sharedFile(t testing.TB, path ...string) []byte {
	t.Helper()
	dir := os.Getenv("TAMGA_SHARED")
	if dir == "" {
		root, err := moduleRoot()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.Join(path...)))
	switch {
	case err == nil:
		return data
	case errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true":
		t.Skipf("the shared test vectors are not here: set TAMGA_SHARED (%v)", err)
	default:
		t.Fatal(err)
	}
	return nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above %s", dir)
		}
		dir = parent
	}
}
