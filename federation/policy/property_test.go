package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawtext"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

func drawRequest(t *rapid.T) policy.Request {
	country := rapid.SampledFrom([]string{"KAZ", "KGZ", "MNG"})
	return policy.Request{
		Direction: rapid.SampledFrom([]string{policy.Ask, policy.Answer}).Draw(t, "direction"),
		Requester: "https://a.example", RequesterCountry: country.Draw(t, "requester"),
		Responder: "https://b.example", ResponderCountry: country.Draw(t, "responder"),
		Purpose:    rapid.SampledFrom([]string{"border_control", "visa_issuance", "travel_check_in"}).Draw(t, "purpose"),
		LegalBasis: rapid.SampledFrom(bases).Draw(t, "basis"),
		Operation:  "verify",
	}
}

func drawCondition(t *rapid.T) string {
	operator := rapid.SampledFrom([]string{"==", "!="})
	return fmt.Sprintf("context.purpose %s %q && context.legal_basis %s %q && principal.country %s %q",
		operator.Draw(t, "op"), rapid.SampledFrom([]string{"border_control", "visa_issuance", "travel_check_in"}).Draw(t, "purpose"),
		operator.Draw(t, "op"), rapid.SampledFrom(bases).Draw(t, "basis"),
		operator.Draw(t, "op"), rapid.SampledFrom([]string{"KAZ", "KGZ"}).Draw(t, "country"))
}

func drawPermit(t *rapid.T, id string) string {
	return fmt.Sprintf("@id(%q) @law(\"Test Act\") @article(\"1\") @consent(%q) @fmr(%q) @modalities(%q)\n"+
		"permit (principal, action == Tamga::Action::\"verify\", resource) when { %s };\n", id,
		rapid.SampledFrom([]string{"none", "holder", "attested", "holder attested", "holder attested exemption"}).Draw(t, "consent"),
		rapid.SampledFrom([]string{"1000", "10000"}).Draw(t, "fmr"),
		rapid.SampledFrom([]string{"face", "finger", "face finger"}).Draw(t, "modalities"), drawCondition(t))
}

func drawLaw(t *rapid.T) []string {
	var out []string
	for i := range rapid.IntRange(1, 4).Draw(t, "policies") {
		id := fmt.Sprintf("rule-%d", i)
		if rapid.Bool().Draw(t, "permit") {
			out = append(out, drawPermit(t, id))
		} else {
			out = append(out, forbid(id, drawCondition(t)))
		}
	}
	return out
}

func reload(t *rapid.T, policies []string) *policy.Law {
	law, err := policy.Load("x", []byte(testHeader+strings.Join(policies, "")))
	if err != nil {
		t.Fatal(err)
	}
	return law
}

// TestFurtherPermitNeverLoosens: what was demanded of an allowed request is still demanded, and no less.
func TestFurtherPermitNeverLoosens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies, r := drawLaw(t), drawRequest(t)
		before := reload(t, policies).Decide(r)
		after := reload(t, append(policies, drawPermit(t, "further"))).Decide(r)
		if !before.Allowed || !after.Allowed {
			return
		}
		for _, m := range after.Modalities {
			if !before.AllowsModality(m) {
				t.Fatalf("modality %s appeared", m)
			}
		}
		if before.ConsentRequired && !after.ConsentRequired || after.FMROneIn < before.FMROneIn {
			t.Fatalf("loosened: %+v, then %+v", before, after)
		}
	})
}

// drawUnknown has r say, or leave open, what is known only once a Query is opened.
func drawUnknown(t *rapid.T, r policy.Request) policy.Request {
	r.Modality = rapid.SampledFrom([]string{"", "face", "finger"}).Draw(t, "modality")
	r.SubjectClass = rapid.SampledFrom([]string{"", "adult", "minor"}).Draw(t, "class")
	r.Consent = rapid.SampledFrom([]string{"", "none", "holder", "exemption"}).Draw(t, "consent")
	r.Sealed, r.Time = rapid.Bool().Draw(t, "sealed"), noon
	r.Counts.NearMisses = rapid.Int64Range(0, 3).Draw(t, "misses")
	return r
}

// drawForbid is a forbid that may ask for that.
func drawForbid(t *rapid.T, id string) string {
	return forbid(id, drawCondition(t)+rapid.SampledFrom([]string{"", ` && resource.subject_class == "minor"`, ` && resource.modality != "face"`,
		` && context.near_misses >= 2`, ` && context.consent == "none"`, ` && context.time < datetime("2027-01-31")`}).Draw(t, "asks"))
}

// TestFurtherForbidNeverAdmits, and the order of policies never changes a verdict or an obligation.
func TestFurtherForbidNeverAdmits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies, r := append(drawLaw(t), drawForbid(t, "asking")), drawUnknown(t, drawRequest(t))
		before := reload(t, policies).Decide(r)
		after := reload(t, append(slices.Clone(policies), drawForbid(t, "further"))).Decide(r)
		if after.Allowed && !before.Allowed {
			t.Fatalf("a forbid admitted: %+v", after)
		}
		slices.Reverse(policies)
		turned := reload(t, policies).Decide(r)
		if turned.Allowed != before.Allowed || turned.ConsentRequired != before.ConsentRequired ||
			turned.FMROneIn != before.FMROneIn || !slices.Equal(turned.Modalities, before.Modalities) {
			t.Fatalf("order matters: %+v, then %+v", before, turned)
		}
	})
}

// drawConsentTest is a condition of a forbid: wherever the profile lets a consent be tested.
func drawConsentTest(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		`context.consent == "none"`, `context.consent != "holder"`, `!(["holder", "attested"].contains(context.consent))`,
		`!(context.consent == "exemption" || context.purpose == "border_control")`,
	}).Draw(t, "consent test") + " && " + drawCondition(t)
}

// TestLessConsentNeverAdmits: what is refused with a consent is refused without one, under any law.
func TestLessConsentNeverAdmits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies, r := drawLaw(t), drawRequest(t)
		for i := range rapid.IntRange(0, 2).Draw(t, "forbids") {
			policies = append(policies, forbid(fmt.Sprintf("consent-%d", i), drawConsentTest(t)))
		}
		law := reload(t, policies)
		r.Consent = vocabulary.ConsentNone
		without := law.Decide(r)
		for _, r.Consent = range vocabulary.ConsentStates() {
			with := law.Decide(r)
			if without.Allowed && without.ConsentRequired {
				t.Fatalf("allowed without the consent that is demanded: %+v", without)
			}
			if without.Allowed && with.Allowed && (len(without.Modalities) > len(with.Modalities) || without.FMROneIn < with.FMROneIn) {
				t.Fatalf("more is allowed without consent: %+v, with %+v", without, with)
			}
			if without.Allowed && !with.Allowed {
				t.Fatalf("refused with consent %s, allowed without: %+v", r.Consent, with)
			}
		}
		r.Consent = ""
		if sealed := law.Decide(r); !sealed.Allowed && without.Allowed {
			t.Fatalf("refused before the consent is known, allowed without one: %+v", sealed)
		}
	})
}

// FuzzLoad: a law file is the operator's, but it is copied from elsewhere.
func FuzzLoad(f *testing.F) {
	for _, jurisdiction := range jurisdictions {
		src, _ := policy.Builtin(jurisdiction)
		f.Add(src)
	}
	f.Add([]byte(testHeader + permit("aaa", "none", "1000", "face")))
	f.Add([]byte(testHeader + forbid("aaa", "!!!(context.purpose == \"sandbox_test\")")))
	f.Add([]byte("@id(\"\\u{1F600}\") permit(principal,action,resource);;;"))
	f.Fuzz(func(t *testing.T, src []byte) {
		law, err := policy.Load("x", src)
		if err != nil {
			wrong, ok := err.(*lawtext.LawError)
			if law != nil || !ok || len(wrong.Faults) == 0 {
				t.Fatalf("law %v, error %T", law, err)
			}
			for _, fault := range wrong.Faults {
				if fault.Line < 1 || fault.Column < 1 || fault.Message == "" {
					t.Fatalf("fault without a place: %+v", fault)
				}
			}
			return
		}
		d := law.Decide(request(law.Jurisdiction(), policy.Ask, "border_control", "public_task"))
		if d.PolicyID == "" || d.Article == "" || d.Law == "" || d.Version == "" || d.Reason == "" {
			t.Fatalf("uncited decision %+v", d)
		}
		if d.Allowed && (d.FMROneIn == 0 || len(d.Modalities) == 0) {
			t.Fatalf("permission without obligations %+v", d)
		}
	})
}
