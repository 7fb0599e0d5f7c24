package policy_test

import (
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy"
)

// The four built-in laws, whole. A cell is what is demanded of operation verify:
//
//	C  permitted without consent (the holder is not asked)
//	H  permitted with the holder's consent
//	f  refused by a forbid policy
//	.  refused by default
//
// Columns are the legal bases consent, legal_obligation, public_task, vital_interest, first when asking abroad, then
// when answering.
const matrix = `
KAZ border_control          .CC. .CC.
KAZ visa_issuance           HHH. HHH.
KAZ migration_registration  HHH. HHH.
KAZ travel_check_in         Hfff Hfff
KAZ law_enforcement         .C.. .C..
KAZ sandbox_test            .... ....

KGZ border_control          .CC. .CC.
KGZ visa_issuance           HHH. HHH.
KGZ migration_registration  .H.. .H..
KGZ travel_check_in         ffff ffff
KGZ law_enforcement         ffff ffff
KGZ sandbox_test            .... ....

TJK border_control          .CC. .CC.
TJK visa_issuance           H... H...
TJK migration_registration  H... H...
TJK travel_check_in         ffff ffff
TJK law_enforcement         ffff ffff
TJK sandbox_test            .... ....

UZB border_control          .CC. .CC.
UZB visa_issuance           HHH. HHH.
UZB migration_registration  HHH. HHH.
UZB travel_check_in         H... H...
UZB law_enforcement         fCff fCff
UZB sandbox_test            .... ....
`

var bases = []string{"consent", "legal_obligation", "public_task", "vital_interest"}

func TestMatrix(t *testing.T) {
	rows := 0
	for line := range strings.Lines(matrix) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		rows++
		law := builtin(t, fields[0])
		for i, direction := range []string{policy.Ask, policy.Answer} {
			for j, basis := range bases {
				d := law.Decide(request(fields[0], direction, fields[1], basis))
				if got, want := cell(d), fields[2+i][j:j+1]; got != want {
					t.Errorf("%s %s %s on %s: got %s, want %s (%s)", fields[0], direction, fields[1], basis, got, want, d.Reason)
				}
				checkCited(t, d)
			}
		}
	}
	if rows != 4*6 {
		t.Fatalf("matrix has %d rows, want 24", rows)
	}
}

func cell(d policy.Decision) string {
	switch {
	case d.Allowed && d.ConsentRequired:
		return "H"
	case d.Allowed:
		return "C"
	case d.PolicyID == policy.DefaultDeny:
		return "."
	default:
		return "f"
	}
}

// checkCited: whatever the verdict, it names a policy, an act, an article and a version.
func checkCited(t *testing.T, d policy.Decision) {
	t.Helper()
	if d.PolicyID == "" || d.Law == "" || d.Article == "" || d.Version == "" {
		t.Errorf("decision cites nothing: %+v", d)
	}
	for _, part := range []string{d.PolicyID, d.Law, d.Article} {
		if !strings.Contains(d.Reason, part) {
			t.Errorf("reason %q does not name %q", d.Reason, part)
		}
	}
	if d.Allowed && (d.FMROneIn != 10000 || !d.AllowsModality("face") || !d.AllowsModality("finger") || d.AllowsModality("iris")) {
		t.Errorf("obligations of %s: %+v", d.PolicyID, d)
	}
	if !d.Allowed && (d.FMROneIn != 0 || d.Modalities != nil || d.AllowsModality("face")) {
		t.Errorf("refusal with obligations: %+v", d)
	}
}

// TestOtherOperations: no built-in permits anything but verify, and identify is refused by a policy of its own.
func TestOtherOperations(t *testing.T) {
	for _, jurisdiction := range jurisdictions {
		law := builtin(t, jurisdiction)
		for _, operation := range []string{"identify", "document", "attributes"} {
			r := request(jurisdiction, policy.Answer, "border_control", "public_task")
			r.Operation = operation
			d := law.Decide(r)
			want := policy.DefaultDeny
			if operation == "identify" {
				want = strings.ToLower(jurisdiction) + "-no-identify"
			}
			if d.Allowed || d.PolicyID != want {
				t.Errorf("%s %s: got %s (allowed %v), want refusal by %s", jurisdiction, operation, d.PolicyID, d.Allowed, want)
			}
			checkCited(t, d)
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
