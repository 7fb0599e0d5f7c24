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

// TestSimulateObligations: an answer that both texts allow is otherwise when it is decided at another rate, or tells less.
func TestSimulateObligations(t *testing.T) {
	e := protocol.Envelope{Issuer: "https://a.example", Audience: entity, Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Officer: "o"}
	text := string(first())
	stricter := strings.ReplaceAll(text, `@fmr("10000")`, `@fmr("100000")`)
	silent := strings.ReplaceAll(text, "@fmr(", "@tell(\"verdict\") @fmr(")
	silent = strings.ReplaceAll(silent, "@tell(\"verdict\")\npermit", "permit")
	for name, c := range map[string]struct {
		law  string
		v    protocol.Verdict
		want string
	}{
		"same":       {text, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000}, ""},
		"rate":       {stricter, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000}, "decided at FMR 1/100000 and not 1/10000"},
		"no-rate":    {stricter, protocol.Verdict{Outcome: protocol.Inconclusive, Code: protocol.CodeSubjectUnknown}, ""},
		"unknown":    {silent, protocol.Verdict{Outcome: protocol.Inconclusive, Code: protocol.CodeSubjectUnknown}, "not telling who is enrolled"},
		"reason":     {silent, protocol.Verdict{Outcome: protocol.Inconclusive, Code: protocol.CodeUncalibrated}, "not telling the reason"},
		"told-again": {text, protocol.Verdict{Outcome: protocol.Inconclusive, Code: protocol.CodeWithheld}, "telling the reason"},
		"silent-yes": {silent, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000}, ""},
	} {
		c.v.Policy = protocol.PolicyRef{ID: "kgz-border-control", Version: "2026.3"}
		l := protocol.NewLeaf(protocol.LeafAnswer, e, protocol.Hash{1}, c.v, noon)
		l.Inputs = protocol.Inputs{RequesterCountry: "KAZ", ResponderCountry: "KGZ", Consent: vocabulary.ConsentNone, Modalities: "face finger"}
		entries := func(yield func(uint64, []byte) bool) { yield(0, must(l.Marshal())) }
		s := must(lawbook.Simulate(must(policy.Load("x", []byte(c.law))), entries, lawbook.Assumed{}))
		got := ""
		if len(s.Groups) == 1 {
			got = s.Groups[0].Differs
		}
		if got != c.want || s.Same == len(s.Groups) {
			t.Errorf("%s: %q, want %q: %+v", name, got, c.want, s)
		}
	}
}

// TestSimulateAssurance: what is decided again is what was said of the capture then, in both directions, and is told apart.
func TestSimulateAssurance(t *testing.T) {
	law := must(policy.Load("x", []byte(string(first())+"\n@id(\"kgz-unattended\") @law(\"Act\") @article(\"1\")\nforbid (principal, action, resource) when { context.assurance == \"low\" };\n")))
	for kind, c := range map[protocol.LeafKind]struct{ issuer, audience, from, to string }{
		protocol.LeafAnswer: {"https://a.example", entity, "KAZ", "KGZ"},
		protocol.LeafIntent: {entity, "https://a.example", "KGZ", "KAZ"},
	} {
		entries := func(yield func(uint64, []byte) bool) {
			for i, said := range []string{"", "low", "substantial", "low", "high"} {
				e := protocol.Envelope{Issuer: c.issuer, Audience: c.audience, Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Officer: "o", Assurance: said}
				v := protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000}
				if kind == protocol.LeafIntent {
					v = protocol.Verdict{}
				}
				v.Policy = protocol.PolicyRef{ID: "kgz-border-control", Version: "2026.3"}
				l := protocol.NewLeaf(kind, e, protocol.Hash{1}, v, noon)
				l.Inputs = protocol.Inputs{RequesterCountry: c.from, ResponderCountry: c.to, Consent: vocabulary.ConsentNone, Modalities: "face"}
				if !yield(uint64(i), must(l.Marshal())) {
					return
				}
			}
		}
		s := must(lawbook.Simulate(law, entries, lawbook.Assumed{}))
		if len(s.Groups) != 1 || s.Groups[0].Count != 2 || s.Groups[0].Assurance != "low" || s.Groups[0].New.PolicyID != "kgz-unattended" || s.Same != 3 {
			t.Errorf("%s: %+v", kind, s)
		}
	}
}
