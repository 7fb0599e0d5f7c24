package trust_test

import (
	"encoding/json"
	"testing"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
)

// FuzzStatement: whatever claims somebody signs, parsing ends in a statement that says
// who it is about or in the zero one, and a chain with it is accepted only as it was
// signed by those who had to.
func FuzzStatement(f *testing.F) {
	for _, d := range drafts(f) {
		b, err := json.Marshal(d.claims)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"iss":"https://a.example","sub":"https://b.example","iat":1,"exp":2,"jwks":{"keys":[]},"constraints":{"naming_constraints":{"permitted":[".x"]}},"metadata_policy":{"tamga_node":{"a":{"add":["b"]}}},"crit":["x"]}`))
	f.Add([]byte(`{"iss":"https://a.example","sub":"https://a.example","iat":1,"exp":2,"trust_marks":[{"trust_mark_type":"t","trust_mark":"a.b.c"}],"trust_mark_issuers":{"t":[]},"trust_mark_owners":{"t":{"sub":"https://o.example","jwks":{"keys":[]}}}}`))
	good := tokens(f, drafts(f))
	anchors := []trust.Anchor{anchor(f)}
	f.Fuzz(func(t *testing.T, payload []byte) {
		token := signed(t, "thief", statementTyp, payload)
		s, err := trust.ParseStatement(token)
		if (err == nil) != (s.Subject() != "") {
			t.Errorf("got subject %q, error %v", s.Subject(), err)
		}
		for i := range good {
			chain := append([]string{}, good...)
			chain[i] = token
			if c, err := trust.VerifyChain(chain, anchors, epoch); err == nil || c.Leaf != "" {
				t.Errorf("a statement of a thief in place %d: got leaf %q, error %v", i, c.Leaf, err)
			}
		}
	})
}

// FuzzAuthorityFrame: every frame gets a reply, and no reply tells of another Entity.
func FuzzAuthorityFrame(f *testing.F) {
	w := fourLevels(f)
	for _, o := range []string{"get-entity-configuration", "fetch", "list", "resolve", "trust-mark-status", "trust-mark-list", "trust-mark", "historical-keys"} {
		f.Add(request(f, o, anchorID))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		reply := endpoint.ServeFrame(anchorID, w.answers[anchorID], frame)
		switch s, body := status(t, reply); s {
		case "ok":
			if body == "" {
				t.Error("ok and nothing in it")
			}
		case "not-found", "malformed", "refused", "unavailable":
			if body != "" {
				t.Errorf("%s with a body", s)
			}
		default:
			t.Errorf("got status %q", s)
		}
	})
}
