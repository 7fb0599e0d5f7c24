package policy_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawtest"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

var bases = vocabulary.LegalBases()

var update = flag.Bool("update", false, "write laws/CASES.md anew")

// casesHead opens laws/CASES.md, which TestCases writes.
const casesHead = `# What the example laws decide

Written by go test ./federation/policy -run TestCases -update. Examples, not legal advice: see the head of each law.

Operation verify, asked by an officer of the role that the purpose belongs to; another country on the other side. What is
not listed is refused by default, under the article of the law's head. Columns are the states of consent: **yes** permitted,
*consent* refused until a consent of another kind is given, no: refused whatever is given. Both directions are decided alike
where one line stands for both. A search among all (operations identify and resolve, which are decided alike) is refused but
where a line of a law's second table permits it.

`

// rolesOf are roles that laws ask for, by purpose.
var rolesOf = map[string]string{"electoral": "election_officer", "service_delivery": "registrar"}

// TestCases writes what the four laws decide of every purpose, basis and state of consent, and compares it with the file.
func TestCases(t *testing.T) {
	var out strings.Builder
	out.WriteString(casesHead)
	rows := 0
	for _, jurisdiction := range jurisdictions {
		law := builtin(t, jurisdiction)
		fmt.Fprintf(&out, "## %s, version %s\n\n| purpose | basis | none | holder | attested | exemption | policy | article |\n|---|---|---|---|---|---|---|---|\n", jurisdiction, law.Version())
		for _, purpose := range vocabulary.Purposes() {
			for _, basis := range bases {
				answer, asked := row(t, law, "verify", policy.Answer, purpose, basis), row(t, law, "verify", policy.Ask, purpose, basis)
				switch {
				case answer == "" && asked == "":
				case answer == asked:
					rows++
					out.WriteString(answer)
				default:
					t.Errorf("%s: %s on %s: answering and asking differ", jurisdiction, purpose, basis)
				}
			}
		}
		out.WriteString("\nSearches:\n\n| purpose | basis | none | holder | attested | exemption | policy | article |\n|---|---|---|---|---|---|---|---|\n")
		for _, purpose := range vocabulary.Purposes() {
			for _, basis := range bases {
				answer := row(t, law, "identify", policy.Answer, purpose, basis)
				for _, same := range []string{row(t, law, "identify", policy.Ask, purpose, basis), row(t, law, "resolve", policy.Answer, purpose, basis), row(t, law, "resolve", policy.Ask, purpose, basis)} {
					if same != answer {
						t.Errorf("%s: %s on %s: identify and resolve, or answering and asking, differ", jurisdiction, purpose, basis)
					}
				}
				if strings.Contains(answer, "yes") {
					rows++
					out.WriteString(answer)
				}
			}
		}
		out.WriteString("\n")
	}
	if rows < 60 {
		t.Errorf("only %d rows", rows)
	}
	t.Logf("%d rows of 4 cases each\n%s", rows, out.String())
	file := filepath.Join("laws", "CASES.md")
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("laws/CASES.md is not what the laws decide; see it with -update (-file +laws):\n%s", diff)
	}
}

// row is a line of the table, or empty where the law says nothing of its own.
func row(t *testing.T, law *policy.Law, operation, direction, purpose, basis string) string {
	r := request(law.Jurisdiction(), direction, purpose, basis)
	r.Operation = operation
	r.OfficerRole = rolesOf[purpose]
	sealed := law.Decide(r)
	checkCited(t, sealed)
	if sealed.PolicyID == policy.DefaultDeny {
		return ""
	}
	line := "| " + purpose + " | " + basis
	for _, r.Consent = range vocabulary.ConsentStates() {
		d := law.Decide(r)
		checkCited(t, d)
		switch {
		case d.Allowed:
			line += " | **yes**"
		case d.ConsentLacking:
			line += " | *consent*"
		default:
			line += " | no"
		}
		if d.PolicyID != sealed.PolicyID {
			t.Errorf("%s on %s with consent %s: decided by %s, and by %s before it is known", purpose, basis, r.Consent, d.PolicyID, sealed.PolicyID)
		}
	}
	return line + " | " + sealed.PolicyID + " | " + sealed.Article + " |\n"
}

// TestTables: the tables beside the laws hold, and leave no policy untried.
func TestTables(t *testing.T) {
	for _, jurisdiction := range jurisdictions {
		src, ok := policy.BuiltinTests(jurisdiction)
		if !ok {
			t.Errorf("%s has no table of tests", jurisdiction)
			continue
		}
		table, err := lawtest.Parse(jurisdiction+".tests.yaml", src)
		if err != nil {
			t.Error(err)
			continue
		}
		report := table.Run(builtin(t, jurisdiction))
		for _, f := range report.Failures {
			t.Error(f)
		}
		if report.Cases < 20 || len(report.Untested) > 0 {
			t.Errorf("%s: %d cases; untested: %v", jurisdiction, report.Cases, report.Untested)
		}
	}
}

// checkCited: whatever the verdict, it names a policy, an act, an article and a version.
func checkCited(t *testing.T, d policy.Decision) {
	t.Helper()
	if d.PolicyID == "" || d.Law == "" || d.Article == "" || d.Version == "" {
		t.Errorf("decision cites nothing: %+v", d)
	}
	if d.ConsentRequired != (len(d.Consents) > 0) || slices.Contains(d.Consents, vocabulary.ConsentNone) {
		t.Errorf("consents of %s: %+v", d.PolicyID, d)
	}
	for _, part := range []string{d.PolicyID, d.Law, d.Article} {
		if !strings.Contains(d.Reason, part) {
			t.Errorf("reason %q does not name %q", d.Reason, part)
		}
	}
	if d.Allowed && (d.FMROneIn != 10000 || !d.AllowsModality("finger") || d.AllowsModality("iris")) {
		t.Errorf("obligations of %s: %+v", d.PolicyID, d)
	}
	if !d.Allowed && (d.FMROneIn != 0 || d.Modalities != nil || d.AllowsModality("face")) {
		t.Errorf("refusal with obligations: %+v", d)
	}
}

// TestOtherOperations: at a border no built-in permits anything but verify, and searches are refused by a policy of their own.
func TestOtherOperations(t *testing.T) {
	for _, jurisdiction := range jurisdictions {
		law := builtin(t, jurisdiction)
		for _, operation := range []string{"identify", "resolve", "document", "attributes"} {
			r := request(jurisdiction, policy.Answer, "border_control", "public_task")
			r.Operation = operation
			d := law.Decide(r)
			want := policy.DefaultDeny
			if operation == "identify" || operation == "resolve" {
				want = strings.ToLower(jurisdiction) + "-no-identify"
			}
			if d.Allowed || d.PolicyID != want {
				t.Errorf("%s %s: got %s (allowed %v), want refusal by %s", jurisdiction, operation, d.PolicyID, d.Allowed, want)
			}
			checkCited(t, d)
		}
	}
}

// TestSearchesNeedGround: no built-in lets anybody be searched for, or a candidate be named, on another ground than a
// court's order or a vital interest, or on anything but two officers' exemption.
func TestSearchesNeedGround(t *testing.T) {
	for _, jurisdiction := range jurisdictions {
		law, allowed := builtin(t, jurisdiction), 0
		for _, purpose := range vocabulary.Purposes() {
			for _, basis := range vocabulary.LegalBases() {
				for _, operation := range []string{"identify", "resolve"} {
					for _, state := range vocabulary.ConsentStates() {
						r := request(jurisdiction, policy.Answer, purpose, basis)
						r.Operation, r.Consent, r.Modality = operation, state, "face"
						d := law.Decide(r)
						if !d.Allowed {
							continue
						}
						allowed++
						if basis != "court_order" && basis != "vital_interest" || state != "exemption" || len(d.Consents) != 1 {
							t.Errorf("%s: %s for %s on %s with %s is allowed by %s", jurisdiction, operation, purpose, basis, state, d.PolicyID)
						}
					}
				}
			}
		}
		if allowed == 0 {
			t.Errorf("%s lets nobody be searched for at all: the test shows nothing", jurisdiction)
		}
	}
}

// TestLawfulHereUnlawfulThere: what one country's officers may ask, another need not answer.
func TestLawfulHereUnlawfulThere(t *testing.T) {
	r := policy.Request{
		Direction: policy.Ask, Purpose: "travel_check_in", LegalBasis: "consent", Operation: "verify",
		Requester: "https://node.kaz.example", RequesterCountry: "KAZ",
		Responder: "https://node.kgz.example", ResponderCountry: "KGZ",
	}
	if d := builtin(t, "KAZ").Decide(r); !d.Allowed || !d.ConsentRequired {
		t.Errorf("KAZ asking: %+v, want allowed with the holder's consent", d)
	}
	r.Direction = policy.Answer
	d := builtin(t, "KGZ").Decide(r)
	if d.Allowed || d.PolicyID != "kgz-no-travel-check-in" || d.Article != "Article 2" {
		t.Errorf("KGZ answering: %+v, want refusal by kgz-no-travel-check-in, Article 2", d)
	}
}

// TestOtherJurisdiction: a law decides for its own country alone.
func TestOtherJurisdiction(t *testing.T) {
	for _, jurisdiction := range jurisdictions {
		law := builtin(t, jurisdiction)
		for _, direction := range []string{policy.Ask, policy.Answer} {
			r := request(jurisdiction, direction, "border_control", "public_task")
			r.RequesterCountry, r.ResponderCountry = r.ResponderCountry, r.RequesterCountry
			d := law.Decide(r)
			if want := strings.ToLower(jurisdiction) + "-other-jurisdiction"; d.Allowed || d.PolicyID != want {
				t.Errorf("%s %s for another country: got %s (allowed %v), want %s", jurisdiction, direction, d.PolicyID, d.Allowed, want)
			}
		}
	}
}
