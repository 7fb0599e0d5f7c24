package metadatapolicy_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/tamga-id/tamga/federation/trust/metadatapolicy"
)

// TestSpecificationExample is the example of section 6.1.5.
func TestSpecificationExample(t *testing.T) {
	superior := parse(t, `{"openid_relying_party":{
		"grant_types":{"default":["authorization_code"],"subset_of":["authorization_code","refresh_token"],"superset_of":["authorization_code"]},
		"token_endpoint_auth_method":{"one_of":["private_key_jwt","self_signed_tls_client_auth"],"essential":true},
		"token_endpoint_auth_signing_alg":{"one_of":["PS256","ES256"]},
		"subject_type":{"value":"pairwise"},
		"contacts":{"add":["helpdesk@federation.example.org"]}}}`)
	subordinate := parse(t, `{"openid_relying_party":{
		"grant_types":{"subset_of":["authorization_code"]},
		"token_endpoint_auth_method":{"one_of":["self_signed_tls_client_auth"]},
		"contacts":{"add":["helpdesk@org.example.org"]}}}`)
	p, err := superior.Merge(subordinate)
	if err != nil {
		t.Fatal(err)
	}
	got := apply(t, p, `{"openid_relying_party":{"redirect_uris":["https://rp.example.org/callback"],"response_types":["code"],
		"token_endpoint_auth_method":"self_signed_tls_client_auth","contacts":["rp_admins@rp.example.org"],
		"sector_identifier_uri":"https://org.example.org/sector-ids.json","policy_uri":"https://org.example.org/policy.html"}}`)
	want := `{"openid_relying_party":{"redirect_uris":["https://rp.example.org/callback"],"grant_types":["authorization_code"],
		"response_types":["code"],"token_endpoint_auth_method":"self_signed_tls_client_auth","subject_type":"pairwise",
		"sector_identifier_uri":"https://org.example.org/sector-ids.json","policy_uri":"https://org.example.org/policy.html",
		"contacts":["rp_admins@rp.example.org","helpdesk@federation.example.org","helpdesk@org.example.org"]}}`
	if !equal(t, []byte(got), []byte(want)) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func parse(t testing.TB, claim string) metadatapolicy.Policy {
	t.Helper()
	p, err := metadatapolicy.Parse([]byte(claim))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t testing.TB, p metadatapolicy.Policy, metadata string) string {
	t.Helper()
	var m metadatapolicy.Metadata
	if err := json.Unmarshal([]byte(metadata), &m); err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply(m)
	if err != nil {
		return err.Error()
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestApply(t *testing.T) {
	for _, tc := range []struct{ name, policy, metadata, want string }{
		// Table 1 of section 6.1.3.1.8.
		{"essential-subset", `{"t":{"p":{"essential":true,"subset_of":["a","b","c"]}}}`, `{"t":{"p":["a","e"]}}`, `{"t":{"p":["a"]}}`},
		{"subset", `{"t":{"p":{"essential":false,"subset_of":["a","b","c"]}}}`, `{"t":{"p":["a","e"]}}`, `{"t":{"p":["a"]}}`},
		{"subset-to-empty", `{"t":{"p":{"essential":true,"subset_of":["a","b","c"]}}}`, `{"t":{"p":["d","e"]}}`, `{"t":{"p":[]}}`},
		{"essential-absent", `{"t":{"p":{"essential":true,"subset_of":["a"]}}}`, `{"t":{}}`, `applying metadata policy for "t" parameter "p": essential meets a parameter that is absent`},
		{"voluntary-absent", `{"t":{"p":{"essential":false,"subset_of":["a"]}}}`, `{"t":{}}`, `{"t":{}}`},
		{"value-null-removes", `{"t":{"p":{"value":null}}}`, `{"t":{"p":1}}`, `{"t":{}}`},
		{"scope-is-array", `{"t":{"scope":{"subset_of":["openid","email"],"superset_of":["openid"]}}}`, `{"t":{"scope":"openid profile email"}}`, `{"t":{"scope":"openid email"}}`},
		{"scope-default", `{"t":{"scope":{"default":["openid","email"]}}}`, `{"t":{}}`, `{"t":{"scope":"openid email"}}`},
		{"scope-policy-text", `{"t":{"scope":{"add":"openid email"}}}`, `{"t":{"scope":"openid"}}`, `{"t":{"scope":"openid email"}}`},
		{"other-type-untouched", `{"t":{"p":{"value":1}}}`, `{"u":{"p":2}}`, `{"u":{"p":2}}`},
		{"numbers-equal", `{"t":{"p":{"one_of":[1,2]}}}`, `{"t":{"p":1.0}}`, `{"t":{"p":1.0}}`},
		{"big-numbers-differ", `{"t":{"p":{"one_of":[9007199254740993]}}}`, `{"t":{"p":9007199254740992}}`, `applying metadata policy for "t" parameter "p": one_of does not list the parameter's value`},
		{"objects", `{"t":{"p":{"one_of":[{"a":1,"b":[2]}]}}}`, `{"t":{"p":{"b":[2],"a":1}}}`, `{"t":{"p":{"b":[2],"a":1}}}`},
		{"unknown-operator", `{"t":{"p":{"regexp":"x","value":1}}}`, `{"t":{}}`, `{"t":{"p":1}}`},
		{"null-parameter", `{"t":{"p":{"essential":true}}}`, `{"t":{"p":null}}`, `applying metadata policy for "t" parameter "p":  is null or no JSON value`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := parse(t, tc.policy)
			for range 2 { // twice: applying leaves the policy as it is
				if got := apply(t, p, tc.metadata); got != tc.want {
					t.Errorf("got %s, want %s", got, tc.want)
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, claim := range map[string]string{
		"empty": `{}`, "null": `null`, "array": `[]`, "no-parameter": `{"t":{}}`, "no-operator": `{"t":{"p":{}}}`,
		"null-type": `{"t":null}`, "duplicate-operator": `{"t":{"p":{"value":1,"value":2}}}`, "duplicate-parameter": `{"t":{"p":{"value":1},"p":{"value":1}}}`,
		"essential-text": `{"t":{"p":{"essential":"true"}}}`, "essential-null": `{"t":{"p":{"essential":null}}}`,
		"one-of-text": `{"t":{"p":{"one_of":"a"}}}`, "add-null": `{"t":{"p":{"add":null}}}`, "default-null": `{"t":{"p":{"default":null}}}`,
		"null-and-essential": `{"t":{"p":{"value":null,"essential":true}}}`, "null-and-default": `{"t":{"p":{"value":null,"default":1}}}`,
		"value-not-in-one-of": `{"t":{"p":{"value":"a","one_of":["b"]}}}`, "add-and-one-of": `{"t":{"p":{"add":["a"],"one_of":["a"]}}}`,
		"trailing": `{"t":{"p":{"value":1}}} x`,
	} {
		if p, err := metadatapolicy.Parse([]byte(claim)); outcome(err) != "invalid_policy" || !p.IsZero() {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	if metadatapolicy.CheckCritical(nil) != nil || metadatapolicy.CheckCritical([]byte(`["regexp"]`)) == nil || metadatapolicy.CheckCritical([]byte(`[]`)) == nil {
		t.Error("metadata_policy_crit is not refused when it is there, or only then")
	}
}

// FuzzPolicy: merging a policy with itself changes nothing; applying twice is applying
// once; a superior's check holds whatever is merged under it.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"t":{"p":{"value":["a"],"essential":true}}}`), []byte(`{"t":{"p":{"subset_of":["a","b"]}}}`), []byte(`{"t":{"p":["a","c"]}}`))
	f.Add([]byte(`{"t":{"scope":{"add":["a"],"default":["b"]}}}`), []byte(`{"t":{"scope":{"superset_of":["a"]}}}`), []byte(`{"t":{"scope":"a c"}}`))
	f.Add([]byte(`{"t":{"p":{"one_of":[1,2.0,{"x":[]}]}}}`), []byte(`{"t":{"p":{"one_of":[2]}}}`), []byte(`{"t":{"p":2}}`))
	f.Fuzz(func(t *testing.T, a, b, metadata []byte) {
		superior, err := metadatapolicy.Parse(a)
		if err != nil {
			if _, ok := errors.AsType[*metadatapolicy.Error](err); !ok || !superior.IsZero() {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := superior.Merge(superior)
		if err != nil {
			t.Fatalf("merging a policy with itself: %v", err)
		}
		one, _ := json.Marshal(superior)
		two, _ := json.Marshal(again)
		if !equal(t, one, two) {
			t.Fatalf("merging with itself: %s became %s", one, two)
		}
		policy := superior
		if subordinate, err := metadatapolicy.Parse(b); err == nil {
			if policy, err = superior.Merge(subordinate); err != nil {
				return
			}
		}
		var m metadatapolicy.Metadata
		if json.Unmarshal(metadata, &m) != nil {
			return
		}
		first, err := policy.Apply(m)
		if err != nil {
			return
		}
		second, err := policy.Apply(first)
		x, _ := json.Marshal(first)
		y, _ := json.Marshal(second)
		if err != nil || !equal(t, x, y) {
			t.Fatalf("applying twice: %s became %s, error %v", x, y, err)
		}
		// What the merged policy lets through, the superior's checks let through.
		if _, err := superior.Apply(first); err != nil {
			t.Fatalf("the superior's policy refuses what the merged one resolved: %v", err)
		}
	})
}
