package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// TestSealedAttributes: what is sealed yet is taken for the best, and decided when it is known.
func TestSealedAttributes(t *testing.T) {
	law := load(t, permit("aaa", "holder attested", "1000", "face finger"),
		forbid("children", `resource.subject_class == "minor" && !(context.consent == "attested")`),
		forbid("no-face", `resource.modality == "face" && principal.officer_role == "carrier_clerk"`))
	r := request("KAZ", policy.Answer, "border_control", "public_task")
	for _, c := range []struct {
		name                           string
		class, role, consent, modality string
		want                           string // policy id of a refusal, empty when allowed
		lacking                        bool
	}{
		{"sealed", "", "", "", "", "", false},
		{"holder", "", "", "holder", "face", "", false},
		{"none", "", "", "none", "face", "aaa", true},
		{"exemption", "", "", "exemption", "face", "aaa", true},
		{"child", "minor", "", "", "", "", false},
		{"child-itself", "minor", "", "holder", "face", "children", true},
		{"child-attested", "minor", "", "attested", "face", "", false},
		{"clerk", "", "carrier_clerk", "", "", "", false},
		{"clerk-face", "", "carrier_clerk", "holder", "face", "no-face", false},
		{"clerk-finger", "", "carrier_clerk", "holder", "finger", "", false},
		{"iris", "", "", "holder", "iris", "aaa", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.SubjectClass, r.OfficerRole, r.Consent, r.Modality = c.class, c.role, c.consent, c.modality
			d := law.Decide(r)
			if d.Allowed != (c.want == "") || !d.Allowed && d.PolicyID != c.want || d.ConsentLacking != c.lacking {
				t.Errorf("got %+v", d)
			}
			if d.Digest != law.Digest() {
				t.Error("the decision is not tied to the law's text")
			}
		})
	}
}

// TestUnknownWords: a role, class, assurance, modality or consent outside the vocabulary is refused.
func TestUnknownWords(t *testing.T) {
	law := load(t, permit("aaa", "none", "1000", "face"))
	for name, change := range map[string]func(*policy.Request){
		"officer role":  func(r *policy.Request) { r.OfficerRole = "king" },
		"subject class": func(r *policy.Request) { r.SubjectClass = "vip" },
		"assurance":     func(r *policy.Request) { r.Assurance = "total" },
		"modality":      func(r *policy.Request) { r.Modality = "voice" },
		"consent":       func(r *policy.Request) { r.Consent = "oral" },
	} {
		r := request("KAZ", policy.Answer, "border_control", "public_task")
		change(&r)
		if d := law.Decide(r); d.Allowed || !strings.Contains(d.Reason, "the request's "+name+" ") {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestTimeAndCounts: a law may end, and may count; one that asks for the time refuses where it is not known.
func TestTimeAndCounts(t *testing.T) {
	law := load(t, strings.Replace(permit("aaa", "none", "1000", "face"), "context.purpose",
		`context.time < datetime("2027-01-31") && context.time >= datetime("2026-01-31T08:00:00Z") && context.purpose`, 1),
		forbid("too-often", "100 < context.queries_by_officer || context.near_misses >= 3"))
	for _, c := range []struct {
		name   string
		at     time.Time
		counts policy.Counts
		want   string
	}{
		{"in-force", noon, policy.Counts{}, ""},
		{"not-yet", time.Date(2026, 1, 31, 7, 59, 59, 0, time.UTC), policy.Counts{}, policy.DefaultDeny},
		{"over", time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), policy.Counts{}, policy.DefaultDeny},
		{"no-clock", time.Time{}, policy.Counts{}, policy.DefaultDeny},
		{"hundred", noon, policy.Counts{ByOfficer: 100, NearMisses: 2}, ""},
		{"hundred-and-one", noon, policy.Counts{ByOfficer: 101}, "too-often"},
		{"near", noon, policy.Counts{NearMisses: 3}, "too-often"},
	} {
		r := request("KAZ", policy.Answer, "border_control", "public_task")
		r.Time, r.Counts = c.at, c.counts
		if d := law.Decide(r); d.Allowed != (c.want == "") || !d.Allowed && d.PolicyID != c.want {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	if got := law.Purposes(policy.Answer, noon); !slices.Equal(got, []string{"border_control"}) {
		t.Errorf("purposes %v", got)
	}
	if got := law.Purposes(policy.Answer, noon.AddDate(1, 0, 0)); got != nil {
		t.Errorf("purposes %v of a law that has ended", got)
	}
}

// TestPurposesOfWhatIsSaid: a law that serves whoever says something serves its purpose, also where it names what it does not take.
func TestPurposesOfWhatIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		conditions []string
		want       bool
	}{
		"an assurance":    {[]string{`context.assurance == "unspecified" || context.assurance == "low"`}, true},
		"excepted":        {[]string{`context.assurance != "high"`}, true},
		"some assurance":  {[]string{`context.assurance == "unspecified"`}, true},
		"no assurance":    {[]string{`context.assurance == "unspecified"`, `context.assurance != "unspecified"`}, false},
		"a role":          {[]string{`principal.officer_role == "unspecified" || principal.officer_role == "border_officer"`}, true},
		"a class":         {[]string{`resource.subject_class == "unspecified" || resource.subject_class == "minor"`}, true},
		"all of them":     {[]string{`context.assurance == "unspecified"`, `principal.officer_role == "unspecified"`, `resource.subject_class == "unspecified"`}, true},
		"every assurance": {[]string{`["unspecified", "low", "substantial", "high"].contains(context.assurance)`}, false},
	} {
		policies := []string{permit("aaa", "none", "1000", "face")}
		for i, condition := range c.conditions {
			policies = append(policies, forbid(fmt.Sprintf("not-%d", i), condition))
		}
		if got := len(load(t, policies...).Purposes(policy.Answer, noon)) > 0; got != c.want {
			t.Errorf("%s: served %v", name, got)
		}
	}
}

// TestLeft: a law sees what budgets leave, and more than any limit where there is none.
func TestLeft(t *testing.T) {
	law := load(t, permit("aaa", "none", "1000", "face"),
		forbid("reserve", "context.left_by_officer < 10 || context.left_by_requester < 10 || context.left_about_subject < 10 || context.left_for_purpose < 10"))
	answers := load(t, permit("aaa", "none", "1000", "face"), forbid("bbb", `context.direction == "answer" && context.near_misses > 2`))
	for name, c := range map[string]struct {
		law         *policy.Law
		ask, answer bool
	}{"both": {law, true, true}, "none": {load(t, permit("aaa", "none", "1000", "face")), false, false}, "answers": {answers, false, true}, "zero": {nil, false, false}} {
		if c.law.AsksCounts(policy.Ask) != c.ask || c.law.AsksCounts(policy.Answer) != c.answer {
			t.Errorf("%s: in which direction it asks for counts is not told", name)
		}
	}
	for name, c := range map[string]struct {
		counts policy.Counts
		want   bool
	}{
		"no-limit":  {policy.Counts{}, true},
		"enough":    {policy.Counts{LeftByOfficer: 10, LeftByRequester: 10, LeftAboutSubject: 10, LeftForPurpose: 10}, true},
		"officer":   {policy.Counts{LeftByOfficer: 9}, false},
		"requester": {policy.Counts{LeftByRequester: 1}, false},
		"subject":   {policy.Counts{LeftAboutSubject: 9}, false},
		"purpose":   {policy.Counts{LeftForPurpose: 9}, false},
	} {
		r := request("KAZ", policy.Answer, "border_control", "public_task")
		r.Counts = c.counts
		if d := law.Decide(r); d.Allowed != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestSealed: while the class is not known, a law that asks for it is taken at its best; a refusal that no class would
// change is one at once.
func TestSealed(t *testing.T) {
	adults := load(t, permit("aaa", "none", "1000", "face"), forbid("others", `resource.subject_class != "adult"`))
	never := load(t, permit("aaa", "none", "1000", "face"), forbid("all", `resource.subject_class != "adult" || context.purpose == "border_control"`))
	for name, c := range map[string]struct {
		law    *policy.Law
		sealed bool
		class  string
		want   string // the policy that refuses, or none
	}{
		"sealed":         {adults, true, "", ""},
		"open-not-said":  {adults, false, "", "others"},
		"open-minor":     {adults, false, "minor", "others"},
		"open-adult":     {adults, false, "adult", ""},
		"sealed-known":   {adults, true, "minor", "others"},
		"sealed-refused": {never, true, "", "all"},
	} {
		r := request("KAZ", policy.Answer, "border_control", "public_task")
		r.Sealed, r.SubjectClass = c.sealed, c.class
		if d := c.law.Decide(r); d.Allowed != (c.want == "") || !d.Allowed && d.PolicyID != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestGiven: what a law asks about is listed with its values, and what is not known is not.
func TestGiven(t *testing.T) {
	law := load(t, permit("aaa", "none", "1000", "face"), forbid("bbb", `context.near_misses > 2 || context.left_by_officer < 5`),
		forbid("ccc", `resource.subject_class == "minor" && context.consent == "none"`))
	r := request("KAZ", policy.Answer, "border_control", "public_task")
	r.Sealed, r.Counts.NearMisses = true, 1
	find := func(name string) string {
		for _, g := range law.Given(r) {
			if g.Name == name {
				return g.Value
			}
		}
		return "absent"
	}
	for name, want := range map[string]string{"context.near_misses": "1", "context.left_by_officer": "no limit", "context.purpose": "border_control",
		"resource.subject_class": "absent", "context.consent": "absent", "context.queries_by_officer": "absent"} {
		if got := find(name); got != want {
			t.Errorf("sealed: %s is %s, want %s", name, got, want)
		}
	}
	r.Sealed, r.SubjectClass, r.Consent = false, "minor", "none"
	if find("resource.subject_class") != "minor" || find("context.consent") != "none" {
		t.Errorf("open: %v", law.Given(r))
	}
}

// TestConsentsAddUp: of several permits only what all accept will do, and only what all let be told is told.
func TestConsentsAddUp(t *testing.T) {
	r := request("KAZ", policy.Answer, "border_control", "public_task")
	law := load(t, permit("aaa", "holder attested", "1000", "face"), "@tell(\"verdict reasons\") "+permit("bbb", "attested exemption", "1000", "face"),
		permit("ccc", "none", "1000", "face"))
	d := law.Decide(r)
	if !d.Allowed || !slices.Equal(d.Consents, []string{vocabulary.ConsentAttested}) || d.WithholdReasons || !d.WithholdUnknown {
		t.Errorf("got %+v", d)
	}
	if !d.AcceptsConsent("attested") || d.AcceptsConsent("holder") || d.AcceptsConsent("none") || (policy.Decision{}).AcceptsConsent("holder") {
		t.Errorf("accepts: %+v", d)
	}
	if d := load(t, permit("aaa", "holder", "1000", "face"), permit("bbb", "exemption", "1000", "face")).Decide(r); d.Allowed || d.PolicyID != policy.DefaultDeny {
		t.Errorf("no consent in common: %+v", d)
	}
}

// TestIndexAgrees: leaving out what cannot apply changes nothing; the law of one policy more has another index.
func TestIndexAgrees(t *testing.T) {
	law := load(t, permit("aaa", "none", "1000", "face"),
		forbid("one", `!(context.purpose == "border_control" || context.legal_basis == "consent")`),
		forbid("two", `["visa_issuance", "electoral"].contains(context.purpose) && context.direction != "ask"`),
		forbid("three", `context.purpose == context.purpose && context.legal_basis == "vital_interest" && resource.country == "MNG"`))
	for purpose, want := range map[[3]string]string{
		{"border_control", "public_task", policy.Ask}: "", {"border_control", "consent", policy.Ask}: policy.DefaultDeny,
		{"visa_issuance", "consent", policy.Ask}: policy.DefaultDeny, {"visa_issuance", "consent", policy.Answer}: "two",
		{"law_enforcement", "public_task", policy.Ask}: "one", {"border_control", "vital_interest", policy.Ask}: "three",
		{"border_control", "vital_interest", policy.Answer}: policy.DefaultDeny,
	} {
		d := law.Decide(request("KAZ", purpose[2], purpose[0], purpose[1]))
		if d.Allowed != (want == "") || !d.Allowed && d.PolicyID != want {
			t.Errorf("%v: got %s (allowed %v), want %q", purpose, d.PolicyID, d.Allowed, want)
		}
	}
}

// TestExplain: what it says of each policy agrees with the decision, and names the part that fails.
func TestExplain(t *testing.T) {
	law := builtin(t, "KGZ")
	r := request("KGZ", policy.Answer, "service_delivery", "legal_obligation")
	d, steps := law.Explain(r)
	if d.Allowed || len(steps) != len(law.Policies()) {
		t.Fatalf("got %+v, %d steps", d, len(steps))
	}
	for _, s := range steps {
		want := map[string]string{
			"kgz-services":           `when { principal.officer_role == "registrar" }`,
			"kgz-no-identify":        "principal, action or resource is another",
			"kgz-border-control":     `when { context.purpose == "border_control" }`,
			"kgz-electoral-confined": `when { context.purpose == "electoral" }`,
		}[s.ID]
		if s.Applies || want != "" && s.Because != want {
			t.Errorf("%s: applies %v, because %q", s.ID, s.Applies, s.Because)
		}
	}
	for _, purpose := range vocabulary.Purposes() {
		for _, basis := range bases {
			d, steps := law.Explain(request("KGZ", policy.Ask, purpose, basis))
			permits, forbids := 0, 0
			for _, s := range steps {
				if s.Applies && s.Permit {
					permits++
				} else if s.Applies {
					forbids++
				}
				if s.ID == d.PolicyID && !s.Applies {
					t.Errorf("%s on %s: decided by %s, which does not apply", purpose, basis, s.ID)
				}
			}
			if d.Allowed != (permits > 0 && forbids == 0) {
				t.Errorf("%s on %s: allowed %v, %d permits, %d forbids", purpose, basis, d.Allowed, permits, forbids)
			}
		}
	}
	if _, steps := law.Explain(policy.Request{}); steps != nil {
		t.Error("a request outside the vocabulary is explained")
	}
}
