package trust_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

func TestVerifyChain(t *testing.T) {
	all := tokens(t, drafts(t))
	for name, chain := range map[string][]string{"whole": all, "anchor-configuration-left-out": all[:3]} {
		t.Run(name, func(t *testing.T) {
			c, err := trust.VerifyChain(chain, []trust.Anchor{anchor(t)}, epoch)
			if err != nil {
				t.Fatal(err)
			}
			if c.Leaf != nodeID || c.Anchor != anchorID {
				t.Errorf("got leaf %q and anchor %q", c.Leaf, c.Anchor)
			}
			if want := epoch.Add(24 * time.Hour); !c.ExpiresAt.Equal(want) {
				t.Errorf("got expiry %v, want the earliest in the chain, %v", c.ExpiresAt, want)
			}
			if _, ok := c.JWKS.Key(keyOf(t, nodeID).Public().KeyID()); !ok || c.JWKS.Len() != 1 {
				t.Error("the chain does not carry the leaf's federation key")
			}
			if got := c.Statements(); !slices.Equal(got, chain) {
				t.Error("Statements are not what was verified")
			}
			n, err := c.Node()
			if err != nil {
				t.Fatal(err)
			}
			want := nodeMetadata(t, "KAZ")
			if n.EntityID != nodeID || n.Jurisdiction != "KAZ" || n.PeerID != want.PeerID ||
				!slices.Equal(n.Addresses, want.Addresses) || n.SigningKeys.Len() != 1 || len(n.SealingKeys) != 1 ||
				n.LedgerOrigin != want.Ledger.Origin || !n.ExpiresAt.Equal(c.ExpiresAt) {
				t.Errorf("got node %+v", n)
			}
		})
	}
}

// edit changes claims of one statement; nil removes a claim.
func edit(i int, changes map[string]any) func(testing.TB, []draft) []draft {
	return func(_ testing.TB, ds []draft) []draft {
		ds[i].claims = maps.Clone(ds[i].claims)
		for k, v := range changes {
			if v == nil {
				delete(ds[i].claims, k)
			} else {
				ds[i].claims[k] = v
			}
		}
		return ds
	}
}

var null = json.RawMessage("null")

// TestVerifyChainRefuses has one fault per row, and the rule that must name it.
func TestVerifyChainRefuses(t *testing.T) {
	h := func(n int) int64 { return epoch.Add(time.Duration(n) * time.Hour).Unix() }
	for _, tc := range []struct {
		name      string
		rule      trust.Rule
		statement int
		change    func(testing.TB, []draft) []draft
	}{
		{"empty", "chain-length", -1, func(_ testing.TB, _ []draft) []draft { return nil }},
		{"one-statement", "chain-length", -1, func(_ testing.TB, ds []draft) []draft { return ds[3:] }},
		{"nine-statements", "chain-length", -1, func(_ testing.TB, ds []draft) []draft { return slices.Repeat(ds[1:2], 9) }},
		{"over-size", "statement-size", 1, edit(1, map[string]any{"pad": strings.Repeat("x", 64<<10)})},
		{"other-type", "type", 0, func(_ testing.TB, ds []draft) []draft { ds[0].typ = "JWT"; return ds }},
		{"resolve-as-statement", "type", 1, func(_ testing.TB, ds []draft) []draft { ds[1].typ = "resolve-response+jwt"; return ds }},
		{"no-iss", "claims", 0, edit(0, map[string]any{"iss": nil})},
		{"no-sub", "claims", 1, edit(1, map[string]any{"sub": nil})},
		{"no-iat", "claims", 2, edit(2, map[string]any{"iat": nil})},
		{"no-exp", "claims", 2, edit(2, map[string]any{"exp": nil})},
		{"no-jwks", "claims", 1, edit(1, map[string]any{"jwks": nil})},
		{"empty-jwks", "claims", 1, edit(1, map[string]any{"jwks": map[string]any{"keys": []any{}}})},
		{"iat-text", "claims", 0, edit(0, map[string]any{"iat": "1"})},
		{"exp-before-iat", "claims", 0, edit(0, map[string]any{"exp": epoch.Unix() - 1})},
		{"exp-beyond-calendar", "claims", 0, edit(0, map[string]any{"exp": int64(1) << 40})},
		{"http-sub", "claims", 0, edit(0, map[string]any{"iss": "http://x.example", "sub": "http://x.example"})},
		{"empty-hints", "claims", 0, edit(0, map[string]any{"authority_hints": []string{}})},
		{"null-hints", "claims", 0, edit(0, map[string]any{"authority_hints": null})},
		{"null-metadata", "claims", 0, edit(0, map[string]any{"metadata": null})},
		{"null-entity-type", "claims", 1, edit(1, map[string]any{"metadata": map[string]any{"tamga_node": null}})},
		{"null-parameter", "claims", 1, edit(1, map[string]any{"metadata": map[string]any{"tamga_node": map[string]any{"peer_id": null}}})},
		{"bad-max-path", "claims", 2, edit(2, map[string]any{"constraints": map[string]any{"max_path_length": -1}})},
		{"null-max-path", "claims", 2, edit(2, map[string]any{"constraints": map[string]any{"max_path_length": null}})},
		{"critical", "critical-claim", 2, edit(2, map[string]any{"crit": []string{"jti"}, "jti": "1"})},
		{"critical-empty", "critical-claim", 2, edit(2, map[string]any{"crit": []string{}})},
		{"policy-null", "metadata-policy", 2, edit(2, map[string]any{"metadata_policy": null})},
		{"policy-critical", "metadata-policy", 1, edit(1, map[string]any{"metadata_policy_crit": []string{"regexp"}})},
		{"policy-in-configuration", "misplaced-claim", 3, edit(3, map[string]any{"metadata_policy": map[string]any{}})},
		{"constraint-in-configuration", "misplaced-claim", 0, edit(0, map[string]any{"constraints": map[string]any{}})},
		{"source-in-configuration", "misplaced-claim", 0, edit(0, map[string]any{"source_endpoint": "https://x.example"})},
		{"hints-in-subordinate", "misplaced-claim", 1, edit(1, map[string]any{"authority_hints": []string{anchorID}})},
		{"marks-in-subordinate", "misplaced-claim", 1, edit(1, map[string]any{"trust_marks": []any{}})},
		{"trust-anchor-claim", "misplaced-claim", 0, edit(0, map[string]any{"trust_anchor": anchorID})},
		{"no-leaf-configuration", "statement-order", 0, func(_ testing.TB, ds []draft) []draft { return ds[1:] }},
		{"only-configurations", "statement-order", 1, func(_ testing.TB, ds []draft) []draft {
			return []draft{ds[3], ds[3]}
		}},
		{"configuration-in-middle", "statement-order", 2, func(_ testing.TB, ds []draft) []draft {
			d := ds[2]
			d.claims = maps.Clone(d.claims)
			d.claims["iss"] = intermediateID
			delete(d.claims, "constraints")
			return slices.Insert(ds, 2, d)
		}},
		{"link-missing", "issuer-subject", 2, func(_ testing.TB, ds []draft) []draft { return slices.Delete(ds, 2, 3) }},
		{"other-subject", "issuer-subject", 1, edit(1, map[string]any{"sub": "https://tamga.kgz.example"})},
		{"loop", "loop", 3, func(t testing.TB, ds []draft) []draft {
			back := ds[1]
			back.claims = maps.Clone(back.claims)
			delete(back.claims, "metadata")
			back.claims["iss"], back.claims["sub"] = nodeID, intermediateID
			again := ds[1]
			return []draft{ds[0], ds[1], back, again, ds[2], ds[3]}
		}},
		{"loop-at-top", "loop", 2, func(t testing.TB, ds []draft) []draft {
			back := ds[1]
			back.claims = maps.Clone(back.claims)
			back.claims["iss"], back.claims["sub"] = nodeID, intermediateID
			return []draft{ds[0], ds[1], back}
		}},
		{"path-too-long", "max-path-length", 2, edit(2, map[string]any{"constraints": map[string]any{"max_path_length": 0}})},
		{"superior-not-hinted", "authority-hint", 1, edit(0, map[string]any{"authority_hints": []string{anchorID}})},
		{"no-hints", "authority-hint", 1, edit(0, map[string]any{"authority_hints": nil})},
		{"other-anchor", "unknown-anchor", 2, func(t testing.TB, ds []draft) []draft {
			return edit(2, map[string]any{"iss": "https://other.example"})(t, ds[:3])
		}},
		{"anchor-signed-by-another", "unknown-key", 3, func(_ testing.TB, ds []draft) []draft { ds[3].key = "thief"; return ds }},
		{"superior-signed-by-another", "unknown-key", 1, func(_ testing.TB, ds []draft) []draft { ds[1].key = "thief"; return ds }},
		{"leaf-signed-by-another", "unknown-key", 0, func(t testing.TB, ds []draft) []draft {
			ds[0].key = "thief"
			return edit(0, map[string]any{"jwks": asMap(t, keySet(t, "thief"))})(t, ds)
		}},
		{"leaf-key-not-own", "unknown-key", 0, func(t testing.TB, ds []draft) []draft {
			return edit(0, map[string]any{"jwks": asMap(t, keySet(t, "thief"))})(t, ds)
		}},
		{"protocol-key-signs", "unknown-key", 0, func(_ testing.TB, ds []draft) []draft { ds[0].key = "protocol KAZ"; return ds }},
		{"same-kid-other-key", "signature", 0, func(t testing.TB, ds []draft) []draft {
			jwks := asMap(t, keySet(t, "thief"))
			jwks["keys"].([]any)[0].(map[string]any)["kid"] = keyOf(t, nodeID).Public().KeyID()
			return edit(1, map[string]any{"jwks": jwks})(t, ds)
		}},
		{"from-future", "issued-in-future", 2, edit(2, map[string]any{"iat": epoch.Unix() + 61})},
		{"leaf-expired", "expired", 0, edit(0, map[string]any{"iat": h(-2), "exp": epoch.Unix()})},
		{"superior-expired", "expired", 2, edit(2, map[string]any{"iat": h(-2), "exp": h(-1)})},
		{"metadata-of-other-type", "metadata", 0, edit(1, map[string]any{"metadata": map[string]any{"tamga_node": map[string]any{"peer_id": 7}}})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := trust.VerifyChain(tokens(t, tc.change(t, drafts(t))), []trust.Anchor{anchor(t)}, epoch)
			wantRule(t, err, tc.rule, tc.statement)
			if c.Leaf != "" || c.Statements() != nil || c.JWKS.Len() != 0 {
				t.Error("a refused chain is not zero")
			}
			if _, err := c.Node(); err == nil {
				t.Error("a refused chain is a node")
			}
		})
	}
}

// TestVerifyChainRefusesTokens has faults below the claims.
func TestVerifyChainRefusesTokens(t *testing.T) {
	good := tokens(t, drafts(t))
	rehead := func(token, header string) string {
		_, rest, _ := strings.Cut(token, ".")
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
	}
	kid := keyOf(t, nodeID).Public().KeyID()
	for _, tc := range []struct {
		name  string
		rule  trust.Rule
		token string
	}{
		{"empty", "syntax", ""},
		{"not-a-token", "syntax", "a.b"},
		{"padded", "syntax", good[0] + "="},
		{"no-kid", "header", rehead(good[0], `{"alg":"Ed25519","typ":"entity-statement+jwt"}`)},
		{"trust-chain-header", "header", rehead(good[0], `{"alg":"Ed25519","kid":"`+kid+`","typ":"entity-statement+jwt","trust_chain":[]}`)},
		{"critical-header", "header", rehead(good[0], `{"alg":"Ed25519","crit":["b64"],"b64":true,"kid":"`+kid+`","typ":"entity-statement+jwt"}`)},
		{"algorithm-none", "algorithm", rehead(good[0], `{"alg":"none","kid":"`+kid+`","typ":"entity-statement+jwt"}`)},
		{"algorithm-hmac", "algorithm", rehead(good[0], `{"alg":"HS256","kid":"`+kid+`","typ":"entity-statement+jwt"}`)},
		{"no-typ", "type", rehead(good[0], `{"alg":"Ed25519","kid":"`+kid+`"}`)},
		{"other-signature", "signature", good[0][:strings.LastIndexByte(good[0], '.')] + good[1][strings.LastIndexByte(good[1], '.'):]},
		{"duplicate-claim", "claims", signed(t, nodeID, statementTyp, []byte(`{"iss":"https://a.example","iss":"https://a.example"}`))},
		{"duplicate-parameter", "claims", signed(t, nodeID, statementTyp, duplicated(t, good[0]))},
		{"array", "claims", signed(t, nodeID, statementTyp, []byte(`[]`))},
		{"trailing", "claims", signed(t, nodeID, statementTyp, []byte(`{} {}`))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			chain := slices.Clone(good)
			chain[0] = tc.token
			_, err := trust.VerifyChain(chain, []trust.Anchor{anchor(t)}, epoch)
			wantRule(t, err, tc.rule, 0)
		})
	}
}

// duplicated repeats a parameter deep inside the metadata, so that two readers
// could see two jurisdictions.
func duplicated(t testing.TB, token string) []byte {
	t.Helper()
	u, err := jose.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	p := strings.Replace(string(u.Payload()), `"jurisdiction":`, `"jurisdiction":"UZB","jurisdiction":`, 1)
	if p == string(u.Payload()) {
		t.Fatal("nothing to duplicate")
	}
	return []byte(p)
}

func TestVerifyChainAllowsSkew(t *testing.T) {
	chain := tokens(t, drafts(t))
	if _, err := trust.VerifyChain(chain, []trust.Anchor{anchor(t)}, epoch.Add(-60*time.Second)); err != nil {
		t.Errorf("a clock a minute behind: %v", err)
	}
	_, err := trust.VerifyChain(chain, []trust.Anchor{anchor(t)}, epoch.Add(-61*time.Second))
	wantRule(t, err, "issued-in-future", 0)
}

func TestVerifyChainIgnoresUnknown(t *testing.T) {
	ds := edit(1, map[string]any{"jti": "x", "https://extension.example": map[string]any{"a": 1}})(t, drafts(t))
	m := ds[0].claims["metadata"].(map[string]any)
	m["openid_relying_party"] = map[string]any{}
	m["tamga_node"].(map[string]any)["parameter_of_tomorrow"] = []int{1}
	c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Node(); err != nil {
		t.Error(err)
	}
}

// TestAnchorRotatesKeys: a chain may be signed by a key that the Anchor announces in
// a configuration that an out-of-band key signs.
func TestAnchorRotatesKeys(t *testing.T) {
	ds := edit(3, map[string]any{"jwks": asMap(t, keySet(t, anchorID, "anchor 2"))})(t, drafts(t))
	ds[2].key = "anchor 2"
	if _, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch); err != nil {
		t.Error(err)
	}
	_, err := trust.VerifyChain(tokens(t, ds[:3]), []trust.Anchor{anchor(t)}, epoch)
	wantRule(t, err, "unknown-key", 2)
}

// TestShorteningNeverGrants: no part of a good chain verifies to anything but the
// whole chain's subject under its Anchor.
func TestShorteningNeverGrants(t *testing.T) {
	good := tokens(t, drafts(t))
	for from := range good {
		for to := from; to <= len(good); to++ {
			c, err := trust.VerifyChain(good[from:to], []trust.Anchor{anchor(t)}, epoch)
			if whole := from == 0 && to >= 3; whole != (err == nil) {
				t.Errorf("statements %d to %d: got leaf %q, error %v", from, to, c.Leaf, err)
			}
		}
	}
}
