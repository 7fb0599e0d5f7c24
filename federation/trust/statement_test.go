package trust_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

func TestParseEntityID(t *testing.T) {
	long := "https://a.example/" + strings.Repeat("a", 2048)
	for _, good := range []string{
		"https://a.example", "https://a.example/", "https://a.example/x/y", "https://a.example:8443", "https://a.example/%20",
		"https://[::1]:8443/x", long[:2048],
	} {
		if id, err := trust.ParseEntityID(good); err != nil || string(id) != good {
			t.Errorf("%q: got %q, error %v", good[:min(len(good), 40)], id, err)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "scheme": "http://a.example", "upper-scheme": "HTTPS://a.example", "no-host": "https://", "only-port": "https://:1",
		"path-only": "https:///x", "query": "https://a.example?x", "empty-query": "https://a.example?", "fragment": "https://a.example#x",
		"user": "https://u@a.example", "upper-host": "https://A.example", "default-port": "https://a.example:443", "empty-port": "https://a.example:",
		"dots": "https://a.example/../x", "dot": "https://a.example/./x", "space": "https://a.example/ x", "control": "https://a.example/\n",
		"unicode": "https://қаз.example", "backslash": "https://a.example\\x", "escape": "https://a.example/%2", "too-long": long[:2049],
		"underscore": "https://a_b.example", "zone": "https://[fe80::1%25eth0]",
	} {
		t.Run(name, func(t *testing.T) {
			if id, err := trust.ParseEntityID(bad); err == nil || id != "" {
				t.Errorf("%q was accepted", bad[:min(len(bad), 40)])
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	key := keyOf(t, nodeID)
	good := trust.EntityConfiguration{Entity: nodeID, IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}
	for name, change := range map[string]func(*trust.EntityConfiguration){
		"other-keys":   func(c *trust.EntityConfiguration) { c.Keys = keySet(t, "other") },
		"expired":      func(c *trust.EntityConfiguration) { c.ExpiresAt = c.IssuedAt },
		"bad-entity":   func(c *trust.EntityConfiguration) { c.Entity = "http://x.example" },
		"bad-superior": func(c *trust.EntityConfiguration) { c.AuthorityHints = []trust.EntityID{"x"} },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			if token, err := trust.SignEntityConfiguration(key, c); err == nil || token != "" {
				t.Error("it was signed")
			}
		})
	}
	if _, err := trust.SignEntityConfiguration(jose.PrivateKey{}, good); err == nil {
		t.Error("the zero key signed")
	}
	if _, err := trust.SignSubordinateStatement(key, trust.SubordinateStatement{
		Issuer: nodeID, Subject: nodeID, IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour), Keys: keySet(t, nodeID),
	}); err == nil {
		t.Error("a subordinate statement about its issuer was signed")
	}
}

// FuzzParseStatement varies header and claims; crypto/jose fuzzes what is around them.
func FuzzParseStatement(f *testing.F) {
	seeds := append(tokens(f, drafts(f)), configuration(f, nodeID, &trust.NodeMetadata{Jurisdiction: "KAZ"}, epoch),
		signed(f, nodeID, statementTyp, []byte(`{"iss":"https://a.example","sub":"https://a.example","crit":[]}`)))
	for _, token := range seeds {
		parts := strings.Split(token, ".")
		header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
		claims, err2 := base64.RawURLEncoding.DecodeString(parts[1])
		if err1 != nil || err2 != nil {
			f.Fatal(err1, err2)
		}
		f.Add(header, claims)
	}
	f.Fuzz(func(t *testing.T, header, claims []byte) {
		token := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims) + ".AAAA"
		s, err := trust.ParseStatement(token)
		if err != nil {
			if s.Issuer() != "" || s.Subject() != "" || s.AuthorityHints() != nil || s.IsConfiguration() {
				t.Fatal("a refused statement is not zero")
			}
			return
		}
		for _, id := range append(s.AuthorityHints(), s.Issuer(), s.Subject()) {
			if again, err := trust.ParseEntityID(string(id)); err != nil || again != id {
				t.Fatalf("accepted the identifier %q", id)
			}
		}
		if !s.IssuedAt().Before(s.ExpiresAt()) || (!s.IsConfiguration() && s.AuthorityHints() != nil) {
			t.Fatal("accepted what the rules exclude")
		}
		// A statement that parses never verifies as a whole chain of its own.
		if _, err := trust.VerifyChain([]string{token, token}, []trust.Anchor{{EntityID: s.Issuer()}}, s.IssuedAt()); err == nil {
			t.Fatal("a statement vouched for itself")
		}
	})
}
