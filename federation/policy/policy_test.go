package policy_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawtext"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

var jurisdictions = []string{"KAZ", "KGZ", "TJK", "UZB"}

var noon = time.Date(2026, time.March, 21, 12, 0, 0, 0, time.UTC)

func builtin(t testing.TB, jurisdiction string) *policy.Law {
	t.Helper()
	src, ok := policy.Builtin(jurisdiction)
	if !ok {
		t.Fatalf("no built-in law for %s", jurisdiction)
	}
	law, err := policy.Load(jurisdiction+".cedar", src)
	if err != nil {
		t.Fatal(err)
	}
	return law
}

// request is a verify request of or to the jurisdiction, with a country no law names on the other side.
func request(jurisdiction, direction, purpose, basis string) policy.Request {
	r := policy.Request{
		Direction: direction, Purpose: purpose, LegalBasis: basis, Operation: "verify",
		Requester: "https://requester.example", RequesterCountry: jurisdiction,
		Responder: "https://responder.example", ResponderCountry: "MNG",
	}
	if direction == policy.Answer {
		r.RequesterCountry, r.ResponderCountry = r.ResponderCountry, r.RequesterCountry
	}
	return r
}

const testHeader = `//! tamga_law: 1
//! jurisdiction: KAZ
//! version: 7
//! status: confirmed
//! law: Test Act
//! default_article: Article 99
`

// permit writes a permit for border control on public task.
func permit(id, consent, fmr, modalities string) string {
	return fmt.Sprintf(`@id(%q) @law("Test Act") @article("Article 1") @consent(%q) @fmr(%q) @modalities(%q)
permit (principal, action == Tamga::Action::"verify", resource)
when { context.purpose == "border_control" && context.legal_basis == "public_task" };
`, id, consent, fmr, modalities)
}

func forbid(id, condition string) string {
	return fmt.Sprintf("@id(%q) @law(\"Test Act\") @article(\"Article 2\")\nforbid (principal, action, resource) when { %s };\n", id, condition)
}

func load(t testing.TB, policies ...string) *policy.Law {
	t.Helper()
	law, err := policy.Load("test.cedar", []byte(testHeader+strings.Join(policies, "")))
	if err != nil {
		t.Fatal(err)
	}
	return law
}

func TestBuiltinMetadata(t *testing.T) {
	for _, jurisdiction := range jurisdictions {
		src, _ := policy.Builtin(jurisdiction)
		law := builtin(t, jurisdiction)
		if law.Jurisdiction() != jurisdiction || law.Version() == "" || law.Confirmed() {
			t.Errorf("%s: jurisdiction %q, version %q, confirmed %v", jurisdiction, law.Jurisdiction(), law.Version(), law.Confirmed())
		}
		if law.Digest() != policy.Digest(sha256.Sum256(src)) {
			t.Errorf("%s: digest is not the SHA-256 of the file", jurisdiction)
		}
	}
	for _, unknown := range []string{"", "kaz", "XXX", "../KAZ", "KAZ.cedar"} {
		if _, ok := policy.Builtin(unknown); ok {
			t.Errorf("Builtin(%q) exists", unknown)
		}
	}
}

func TestZeroRefuses(t *testing.T) {
	r := request("KAZ", policy.Ask, "border_control", "public_task")
	var none *policy.Law
	for name, law := range map[string]*policy.Law{"nil": none, "zero": {}} {
		if d := law.Decide(r); d.Allowed || d.PolicyID != policy.DefaultDeny || d.Reason == "" {
			t.Errorf("%s law: %+v", name, d)
		}
		if law.Version() != "" || law.Jurisdiction() != "" || law.Digest() != (policy.Digest{}) || law.Confirmed() || law.Purposes(policy.Ask, noon) != nil {
			t.Errorf("%s law is not empty", name)
		}
	}
	if d := (policy.Decision{Modalities: []string{"face"}}); d.Allowed || d.AllowsModality("face") {
		t.Error("the zero decision accepts")
	}
}

// TestOutsideVocabulary: a law may say !=, so a word no law can know is refused before any law is asked.
func TestOutsideVocabulary(t *testing.T) {
	law := load(t, `@id("wide") @law("Test Act") @article("Article 1") @consent("none") @fmr("1000") @modalities("face")
permit (principal, action == Tamga::Action::"verify", resource)
when { context.purpose != "law_enforcement" && context.legal_basis != "consent" };`)
	good := request("KAZ", policy.Ask, "border_control", "public_task")
	if d := law.Decide(good); !d.Allowed {
		t.Fatalf("control is refused: %s", d.Reason)
	}
	for name, change := range map[string]func(*policy.Request){
		"direction":         func(r *policy.Request) { r.Direction = "" },
		"purpose":           func(r *policy.Request) { r.Purpose = "Border_control" },
		"legal basis":       func(r *policy.Request) { r.LegalBasis = "whim" },
		"operation":         func(r *policy.Request) { r.Operation = "export" },
		"requester country": func(r *policy.Request) { r.RequesterCountry = "kaz" },
		"responder country": func(r *policy.Request) { r.ResponderCountry = "KG" },
		"requester":         func(r *policy.Request) { r.Requester = "http://a.example" },
		"responder":         func(r *policy.Request) { r.Responder = "https://" + strings.Repeat("a", 4096) },
	} {
		r := good
		change(&r)
		d := law.Decide(r)
		if d.Allowed || d.PolicyID != policy.DefaultDeny || !strings.Contains(d.Reason, "the request's "+name+" ") {
			t.Errorf("%s: %+v", name, d)
		}
		checkCited(t, d)
	}
}

func TestObligationsAddUp(t *testing.T) {
	r := request("KAZ", policy.Ask, "border_control", "public_task")
	for _, c := range []struct {
		name     string
		policies []string
		want     policy.Decision
	}{
		{"one", []string{permit("aaa", "none", "1000", "face finger")},
			policy.Decision{PolicyID: "aaa", FMROneIn: 1000, Modalities: []string{"face", "finger"}}},
		{"consent-wins", []string{permit("aaa", "none", "10000", "face finger"), permit("bbb", "holder", "1000", "face finger")},
			policy.Decision{PolicyID: "bbb", ConsentRequired: true, FMROneIn: 10000, Modalities: []string{"face", "finger"}}},
		{"lowest-fmr", []string{permit("aaa", "none", "1000", "finger"), permit("bbb", "none", "100000", "face finger")},
			policy.Decision{PolicyID: "bbb", FMROneIn: 100000, Modalities: []string{"finger"}}},
		{"first-of-equals", []string{permit("bbb", "none", "1000", "face"), permit("aaa", "none", "1000", "face")},
			policy.Decision{PolicyID: "bbb", FMROneIn: 1000, Modalities: []string{"face"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := load(t, c.policies...).Decide(r)
			if !d.Allowed || d.PolicyID != c.want.PolicyID || d.ConsentRequired != c.want.ConsentRequired ||
				d.FMROneIn != c.want.FMROneIn || !slices.Equal(d.Modalities, c.want.Modalities) {
				t.Errorf("got %+v, want %+v", d, c.want)
			}
		})
	}
	disjoint := load(t, permit("aaa", "none", "1000", "face"), permit("bbb", "none", "1000", "finger"))
	if d := disjoint.Decide(r); d.Allowed || d.PolicyID != policy.DefaultDeny {
		t.Errorf("permits without a common modality: %+v", d)
	}
}

func TestForbidOverrides(t *testing.T) {
	law := load(t, permit("aaa", "none", "1000", "face"),
		forbid("no-two", `principal.country == "KAZ"`), forbid("no-one", `resource.country == "MNG"`))
	r := request("KAZ", policy.Ask, "border_control", "public_task")
	d := law.Decide(r)
	if d.Allowed || d.PolicyID != "no-two" || d.Article != "Article 2" || d.Version != "7" {
		t.Errorf("got %+v, want refusal by the first forbid of the file", d)
	}
	if want := "refused by no-two under Test Act, Article 2"; d.Reason != want {
		t.Errorf("reason %q, want %q", d.Reason, want)
	}
	r.RequesterCountry = "UZB"
	if d := law.Decide(r); d.PolicyID != "no-one" {
		t.Errorf("got %+v, want refusal by no-one", d)
	}
	r.ResponderCountry = "TJK"
	if d := law.Decide(r); !d.Allowed || d.Reason != "permitted by aaa under Test Act, Article 1" {
		t.Errorf("got %+v, want permission by aaa", d)
	}
}

func TestNamedEntity(t *testing.T) {
	law := load(t, strings.Replace(permit("aaa", "none", "1000", "face"), "(principal,", `(principal == Tamga::Node::"https://one.example",`, 1),
		forbid("no-three", `resource == Tamga::Gallery::"https://three.example"`))
	r := request("KAZ", policy.Answer, "border_control", "public_task")
	if law.Decide(r).Allowed {
		t.Error("another node is admitted")
	}
	r.Requester = "https://one.example"
	if d := law.Decide(r); !d.Allowed {
		t.Errorf("the named node is refused: %s", d.Reason)
	}
	r.Responder = "https://three.example"
	if d := law.Decide(r); d.PolicyID != "no-three" {
		t.Errorf("got %+v, want refusal by no-three", d)
	}
	if got := law.Purposes(policy.Answer, noon); !slices.Equal(got, []string{"border_control"}) {
		t.Errorf("purposes %v: the permit for a named node is not found", got)
	}
}

func TestPurposes(t *testing.T) {
	for jurisdiction, want := range map[string]string{
		"KAZ": "border_control visa_issuance migration_registration residence_permit travel_check_in law_enforcement banking_kyc service_delivery health_care humanitarian_aid",
		"KGZ": "border_control visa_issuance migration_registration residence_permit service_delivery health_care humanitarian_aid electoral",
		"TJK": "border_control visa_issuance migration_registration residence_permit banking_kyc service_delivery health_care humanitarian_aid",
		"UZB": "border_control visa_issuance migration_registration residence_permit travel_check_in law_enforcement national_security banking_kyc service_delivery health_care",
	} {
		law := builtin(t, jurisdiction)
		for _, direction := range []string{policy.Ask, policy.Answer} {
			if got := strings.Join(law.Purposes(direction, noon), " "); got != want {
				t.Errorf("%s %s: got %s, want %s", jurisdiction, direction, got, want)
			}
		}
		if got := law.Purposes("sideways", noon); got != nil {
			t.Errorf("%s: unknown direction serves %v", jurisdiction, got)
		}
	}
	only := load(t, strings.Replace(permit("aaa", "none", "1000", "face"), "context.purpose", `context.responder_country == "KGZ" && context.direction == "ask" && context.purpose`, 1))
	if got := only.Purposes(policy.Ask, noon); !slices.Equal(got, []string{"border_control"}) {
		t.Errorf("purposes %v: the permit for a named country is not found", got)
	}
	if got := only.Purposes(policy.Answer, noon); got != nil {
		t.Errorf("purposes %v in the direction the permit excludes", got)
	}
}

func TestDecisionOwnsItsMemory(t *testing.T) {
	law, r := builtin(t, "UZB"), request("UZB", policy.Answer, "border_control", "public_task")
	law.Decide(r).Modalities[0] = "iris"
	if d := law.Decide(r); !d.AllowsModality("face") {
		t.Error("a caller changed the law")
	}
}

func TestConcurrentDecide(t *testing.T) {
	law, r := builtin(t, "KGZ"), request("KGZ", policy.Answer, "travel_check_in", "consent")
	want := law.Decide(r)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				if d := law.Decide(r); d.PolicyID != want.PolicyID || d.Reason != want.Reason {
					t.Errorf("got %+v, want %+v", d, want)
				}
			}
		})
	}
	group.Wait()
}

func TestLawErrorIsTyped(t *testing.T) {
	law, err := policy.Load("empty.cedar", nil)
	var wrong *lawtext.LawError
	if law != nil || !errors.As(err, &wrong) || len(wrong.Faults) == 0 {
		t.Fatalf("got %v, %v", law, err)
	}
}

func BenchmarkDecide(b *testing.B) {
	law := builtin(b, "KGZ")
	for name, purpose := range map[string]string{"permit": "border_control", "forbid": "travel_check_in"} {
		r := request("KGZ", policy.Answer, purpose, "public_task")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				law.Decide(r)
			}
		})
	}
}

// longLaw has n policies over all purposes and bases, some about roles, counts and consents.
func longLaw(t testing.TB, n int) *policy.Law {
	var all []string
	for i := range n {
		id := fmt.Sprintf("rule-%d", i)
		purpose, basis := vocabulary.Purposes()[i%14], vocabulary.LegalBases()[i%6]
		switch i % 4 {
		case 0:
			all = append(all, forbid(id, fmt.Sprintf(`context.purpose == %q && principal.officer_role == "carrier_clerk" && context.near_misses > %d`, purpose, i)))
		case 1:
			all = append(all, forbid(id, fmt.Sprintf(`context.consent == "none" && resource.subject_class == "minor" && context.requester_country == %q && context.purpose != %q`, "XX"+string(rune('A'+i%26)), purpose)))
		default:
			all = append(all, strings.NewReplacer("border_control", purpose, "public_task", basis).Replace(permit(id, "holder attested", "1000", "face finger")))
		}
	}
	all = append(all, permit("last", "none", "10000", "face"))
	return load(t, all...)
}

// BenchmarkDecideLong is one decision under 200 policies, of which two in four may concern the request.
func BenchmarkDecideLong(b *testing.B) {
	law := longLaw(b, 199)
	r := request("KAZ", policy.Answer, "border_control", "public_task")
	r.Consent, r.Modality, r.Time = vocabulary.ConsentHolder, "face", noon
	if d := law.Decide(r); !d.Allowed {
		b.Fatal(d.Reason)
	}
	b.ReportAllocs()
	for b.Loop() {
		law.Decide(r)
	}
}

func BenchmarkLoadLong(b *testing.B) {
	for b.Loop() {
		longLaw(b, 199)
	}
}
