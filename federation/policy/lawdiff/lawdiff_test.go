package lawdiff_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawdiff"
)

var noon = time.Date(2026, time.March, 21, 12, 0, 0, 0, time.UTC)

func kaz(t testing.TB, old, new string) *policy.Law {
	t.Helper()
	src, _ := policy.Builtin("KAZ")
	if !strings.Contains(string(src), old) {
		t.Fatalf("the law has no %q", old)
	}
	law, err := policy.Load("KAZ.cedar", []byte(strings.Replace(string(src), old, new, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return law
}

func TestBetween(t *testing.T) {
	old := kaz(t, "", "")
	for name, c := range map[string]struct {
		from, to      string
		policies      string
		opens, closes int
		changed       int
	}{
		"nothing":      {"", "", "", 0, 0, 0},
		"a comment":    {"// State bodies", "// All state bodies", "", 0, 0, 0},
		"a basis":      {`["legal_obligation", "court_order"].contains(context.legal_basis)`, `context.legal_basis == "court_order"`, "changed kaz-law-enforcement", 0, 8, 8},
		"what is told": {`@tell("verdict reasons")`, `@tell("verdict")`, "changed kaz-travel-check-in", 0, 0, 2},
		"another id":   {`@id("kaz-asylum")`, `@id("kaz-refugees")`, "removed kaz-asylum, added kaz-refugees", 0, 0, 0},
		"a permit":     {"// Where somebody's life", "@id(\"kaz-more\") @law(\"A\") @article(\"1\") @consent(\"none\") @fmr(\"10000\") @modalities(\"face\") permit (principal, action == Tamga::Action::\"verify\", resource) when { context.purpose == \"sandbox_test\" && context.legal_basis == \"public_task\" };\n// Where somebody's life", "added kaz-more", 8, 0, 8},
	} {
		d := lawdiff.Between(old, kaz(t, c.from, c.to), noon)
		var names []string
		for _, p := range d.Policies {
			names = append(names, p.Kind+" "+p.ID)
		}
		opens, closes := 0, 0
		for _, x := range d.Decisions {
			if x.Opens() {
				opens++
			}
			if x.Closes() {
				closes++
			}
		}
		if got := strings.Join(names, ", "); got != c.policies || opens != c.opens || closes != c.closes || len(d.Decisions) != c.changed || d.Compared != 14*6*2*4*3 {
			t.Errorf("%s: %q, %d open, %d close, %d of %d change", name, got, opens, closes, len(d.Decisions), d.Compared)
		}
	}
}

// TestAssurance: what a law comes to ask of a capture shows in the decisions, and of which captures.
func TestAssurance(t *testing.T) {
	const permit, when = `@id("kaz-sandbox") @law("A") @article("1") @consent("none") @fmr("10000") @modalities("face")
permit (principal, action == Tamga::Action::"verify", resource)
when { context.purpose == "sandbox_test" && context.legal_basis == "public_task"`, "// Where somebody's life"
	old := kaz(t, when, permit+" };\n"+when)
	for how, closed := range map[string]string{
		`context.assurance == "high"`:           "low substantial unspecified",
		`context["assurance"] == "high"`:        "low substantial unspecified",
		`context.assurance != "low"`:            "low",
		`!(context.assurance == "unspecified")`: "unspecified",
	} {
		d := lawdiff.Between(old, kaz(t, when, permit+" && "+how+" };\n"+when), noon)
		seen := map[string]bool{}
		for _, x := range d.Decisions {
			if !x.Closes() {
				t.Errorf("%s: %+v is not closed", how, x.Request)
			}
			seen[x.Request.Assurance] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(seen)), " "); got != closed {
			t.Errorf("%s closes %q, want %q", how, got, closed)
		}
	}
}

func ExampleBetween() {
	src, _ := policy.Builtin("KGZ")
	older, _ := policy.Load("old", src)
	newer, _ := policy.Load("new", []byte(strings.Replace(string(src), `["visa_issuance", "residence_permit"].contains(context.purpose)`, `context.purpose == "visa_issuance"`, 1)))
	d := lawdiff.Between(older, newer, noon)
	fmt.Println(d.Policies[0].Kind, d.Policies[0].ID, len(d.Decisions) > 0, d.Decisions[0].Request.Purpose, d.Decisions[0].Closes())
	// Output: changed kgz-visa-issuance true residence_permit false
}
