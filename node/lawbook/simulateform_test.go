package lawbook_test

import (
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/lawbook"
)

// TestSimulateForm: that law did not accept the form of a consent was a refusal by law, and a law that accepts it is looser.
func TestSimulateForm(t *testing.T) {
	const accepts = `@consent("holder attested")`
	loose := strings.ReplaceAll(string(first()), accepts, `@consent("holder attested exemption")`)
	e := protocol.Envelope{Issuer: "https://a.example", Audience: entity, Purpose: "health_care", LegalBasis: "consent", Operation: "verify", Officer: "o"}
	l := protocol.NewLeaf(protocol.LeafAnswer, e, protocol.Hash{1},
		protocol.Verdict{Outcome: protocol.Refused, Code: protocol.CodeConsentForm, Policy: protocol.PolicyRef{ID: "kgz-health-care", Version: "2026.2"}}, noon)
	l.Inputs = protocol.Inputs{RequesterCountry: "KAZ", ResponderCountry: "KGZ", Consent: vocabulary.ConsentExemption, Modalities: "face"}
	entries := func(yield func(uint64, []byte) bool) { yield(0, must(l.Marshal())) }
	for text, changes := range map[string]int{string(first()): 0, loose: 1} {
		s := must(lawbook.Simulate(must(policy.Load("x", []byte(text))), entries, lawbook.Assumed{}))
		if s.Decisions != 1 || len(s.Groups) != changes || changes > 0 && (s.Groups[0].WasAllowed || !s.Groups[0].New.Allowed) {
			t.Errorf("%d changes expected: %+v", changes, s)
		}
	}
}
