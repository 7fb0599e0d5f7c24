package protocol_test

import (
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
)

// TestOptionalClaims: what the officer is and how was captured arrive and go into ledgers, and
// none can be dropped, added or put in the other's place under the same seal (TMG-Q-010).
func TestOptionalClaims(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	claims := map[string]string{"neither": "", "role": `,"role":"high"`, "assurance": `,"assurance":"high"`, "both": `,"role":"high","assurance":"high"`}
	for sent, claim := range claims {
		e := envelope()
		if sent == "role" || sent == "both" {
			e.Role = "high"
		}
		if sent == "assurance" || sent == "both" {
			e.Assurance = "high"
		}
		p, err := protocol.Ask(e, question(), h.seal.Public(), a.sign, now)
		if err != nil {
			t.Fatal(err)
		}
		q := verified(t, a, p)
		if q.Role != e.Role || q.Assurance != e.Assurance {
			t.Errorf("%s: arrived as %q, %q", sent, q.Role, q.Assurance)
		}
		b, err := protocol.NewLeaf(protocol.LeafIntent, q.Envelope, q.Hash, protocol.Verdict{}, now).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := protocol.ParseLeaf(b)
		if err != nil || leaf.Role != e.Role || leaf.Assurance != e.Assurance {
			t.Errorf("%s: in the ledger as %q, %q, %v", sent, leaf.Role, leaf.Assurance, err)
		}
		token, err := jose.Parse(string(p.Frame))
		if err != nil {
			t.Fatal(err)
		}
		for changed, to := range claims {
			payload := string(token.Payload())
			for _, c := range []string{`,"role":"high"`, `,"assurance":"high"`} {
				payload = strings.Replace(payload, c, "", 1)
			}
			payload = strings.Replace(payload, `,"seal_kid"`, to+`,"seal_kid"`, 1)
			if claim == to && payload != string(token.Payload()) {
				t.Fatalf("%s: the payload was not built as it was sent", sent)
			}
			signed, err := jose.Sign(a.sign, protocol.TypeQuery, []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			u, err := protocol.ParseQuery([]byte(signed))
			if err != nil {
				t.Fatal(err)
			}
			q, err := u.Verify(jose.NewKeySet(a.sign.Public()), holder, now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := q.Open(h.seal); (err == nil) != (changed == sent) {
				t.Errorf("sealed with %s, signed with %s: %v", sent, changed, err)
			}
		}
	}
}

// TestOptionalSaysSomething: an optional claim that says nothing is malformed (TMG-Q-004), so that nobody takes it for there
// when he binds the claims and another for not there.
func TestOptionalSaysSomething(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	p, err := protocol.Ask(envelope(), question(), h.seal.Public(), a.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Parse(string(p.Frame))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"role", "assurance"} {
		for value, malformed := range map[string]bool{`""`: true, `null`: true, `1`: true, `["high"]`: true, `"High"`: true, `"high"`: false} {
			payload := strings.Replace(string(token.Payload()), `,"seal_kid"`, `,"`+name+`":`+value+`,"seal_kid"`, 1)
			signed, err := jose.Sign(a.sign, protocol.TypeQuery, []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := protocol.ParseQuery([]byte(signed)); (protocol.CodeOf(err) == protocol.CodeMalformed) != malformed || (err == nil) == malformed {
				t.Errorf("%s of %s: %v", name, value, err)
			}
		}
	}
}
