package lawtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawtest"
)

func kgz(t testing.TB) *policy.Law {
	t.Helper()
	src, _ := policy.Builtin("KGZ")
	law, err := policy.Load("KGZ.cedar", src)
	if err != nil {
		t.Fatal(err)
	}
	return law
}

// TestFailures: what is decided otherwise is said with its line, its combination, and both sides.
func TestFailures(t *testing.T) {
	table, err := lawtest.Parse("x.yaml", []byte(`law: KGZ
cases:
  - name: right
    purpose: border_control
    basis: [legal_obligation, public_task]
    want: allowed
    policy: kgz-border-control
  - name: wrong
    purpose: [border_control, travel_check_in]
    basis: public_task
    direction: answer
    want: allowed
    policy: kgz-border-control
    article: Article 25
    tell: [verdict]
`))
	if err != nil {
		t.Fatal(err)
	}
	r := table.Run(kgz(t))
	if r.Cases != 6 || len(r.Failures) != 2 {
		t.Fatalf("got %+v", r)
	}
	for i, want := range []string{
		"x.yaml:8: wrong (answer border_control public_task): want outcome allowed, policy kgz-border-control, article Article 25, tell verdict, got outcome allowed, policy kgz-border-control, article Article 25, tell reasons+subject_unknown+verdict",
		"x.yaml:8: wrong (answer travel_check_in public_task): want outcome allowed, policy kgz-border-control, article Article 25, tell verdict, got outcome refused, policy kgz-no-travel-check-in, article Article 2, tell reasons+subject_unknown+verdict",
	} {
		if got := r.Failures[i].String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if !slices.Contains(r.Untested, "kgz-no-identify") || slices.Contains(r.Untested, "kgz-border-control") {
		t.Errorf("untested: %v", r.Untested)
	}
}

// TestOtherLaw: a table says whose law it is about, and passes no other.
func TestOtherLaw(t *testing.T) {
	src, _ := policy.BuiltinTests("KAZ")
	table, err := lawtest.Parse("KAZ.tests.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	if r := table.Run(kgz(t)); len(r.Failures) != 1 || r.Failures[0].Want != "KAZ" {
		t.Errorf("got %+v", r)
	}
}

// TestFaults: one fault each. A case that means nothing would pass for ever.
func TestFaults(t *testing.T) {
	const good = "law: KGZ\ncases:\n  - purpose: border_control\n    basis: public_task\n    want: allowed\n    policy: kgz-border-control\n"
	if _, err := lawtest.Parse("x", []byte(good)); err != nil {
		t.Fatalf("control: %v", err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown-key":     {"    want", "    wants", "field wants not found"},
		"unknown-top":     {"law: KGZ", "laws: KGZ", "field laws not found"},
		"no-cases":        {good[strings.Index(good, "\n  -"):], " []\n", "there are no cases"},
		"unknown-purpose": {"border_control", "tourism", `x:3: purpose "tourism" is none of`},
		"no-basis":        {"    basis: public_task\n", "", "x:3: case has no basis"},
		"unknown-want":    {"want: allowed", "want: maybe", `want "maybe" is none of allowed`},
		"unknown-consent": {"    want", "    consent: [oral]\n    want", `consent "oral"`},
		"no-policy":       {"    policy: kgz-border-control\n", "", "case names no policy"},
		"time":            {"    want", "    time: noon\n    want", "time is not of the form"},
		"unknown-count":   {"    want", "    counts: {misses: 3}\n    want", "field misses not found"},
		"two-documents":   {"law: KGZ", "law: KAZ\n---\nlaw: KGZ", "more than one document"},
		"not-yaml":        {"cases:", "cases: [", "reading tests"},
	} {
		table, err := lawtest.Parse("x", []byte(strings.Replace(good, c.old, c.new, 1)))
		if table != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	all := `[visa_issuance, border_control, travel_check_in, law_enforcement, electoral, health_care]`
	big := strings.Repeat(strings.Replace(good[strings.Index(good, "  -"):], "border_control", all, 1), 2000)
	if _, err := lawtest.Parse("x", []byte("law: KGZ\ncases:\n"+big)); err == nil {
		t.Error("a table without measure is read")
	}
}

// FuzzParse: a table comes from the operator, and is copied from elsewhere.
func FuzzParse(f *testing.F) {
	for _, country := range []string{"KAZ", "KGZ", "TJK", "UZB"} {
		src, _ := policy.BuiltinTests(country)
		f.Add(src)
	}
	law := kgz(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		table, err := lawtest.Parse("x", src)
		if (table == nil) == (err == nil) {
			t.Fatalf("table %v, error %v", table, err)
		}
		if err == nil {
			table.Run(law)
		}
	})
}

func ExampleTable_Run() {
	table, _ := lawtest.Parse("mine.yaml", []byte("law: KGZ\ncases:\n  - name: hotels\n    purpose: travel_check_in\n    basis: consent\n    want: allowed\n    policy: none\n"))
	src, _ := policy.Builtin("KGZ")
	law, _ := policy.Load("KGZ.cedar", src)
	for _, f := range table.Run(law).Failures[:1] {
		fmt.Println(f)
	}
	// Output:
	// mine.yaml:3: hotels (ask travel_check_in consent): want outcome allowed, policy none, got outcome refused, policy kgz-no-travel-check-in
}
