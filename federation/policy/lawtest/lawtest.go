// Package lawtest runs table tests of a law: what is to come of which request, in YAML beside the law file, so that who
// changes a law sees what it changes, and counsel can read what was promised.
//
// A file says whose law it tests and lists cases:
//
//	law: KGZ
//	cases:
//	  - name: a border officer needs no consent
//	    purpose: border_control
//	    basis: [legal_obligation, public_task]
//	    consent: none
//	    want: allowed
//	    policy: kgz-border-control
//	    article: Article 25
//
// Purpose, basis, direction (both, unless named), operation (verify), consent, modality, role, class and assurance take
// one word or a list; a case with lists is tried for every combination. Without consent or modality these are not known
// yet, as before a Query is opened. Country is the other side's, own the
// one on this side where it is not the law's; marks, time and counts (queries_by_officer: 12 and the like under counts) are as in package policy. Want is
// allowed, refused, or lacking: refused, and another consent would do. Policy and article must be the decision's; consents, modalities
// and tell, where they stand, its obligations.
//
// [Parse], then [Table.Run]. The package does no I/O. Compatibility: a key once read keeps its meaning.
package lawtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
)

// Entities of every case; a law that names others is tested with requester and responder.
const (
	someRequester = "https://requester.invalid"
	someResponder = "https://responder.invalid"
	someCountry   = "XXZ"
)

// Table is a parsed file. It is immutable.
type Table struct {
	file    string
	country string // whose law it tests, ISO 3166-1 alpha-3
	cases   []testCase
}

// Failure is a case that the law decides otherwise.
type Failure struct {
	File string
	Line int
	Case string // its name, and which combination
	Want string
	Got  string
}

// String formats f the way compilers do.
func (f Failure) String() string {
	return fmt.Sprintf("%s:%d: %s: want %s, got %s", f.File, f.Line, f.Case, f.Want, f.Got)
}

// Report is what came of a table.
type Report struct {
	Cases    int // combinations that were tried
	Failures []Failure
	// Untested are policies of the law that decided no case, in file order.
	Untested []string
}

// Run tries every case on the law. A table of another country's law fails as a whole.
func (t *Table) Run(law *policy.Law) Report {
	var out Report
	if law.Jurisdiction() != t.country {
		out.Failures = append(out.Failures, Failure{File: t.file, Line: 1, Case: "law", Want: t.country, Got: law.Jurisdiction()})
		return out
	}
	decided := make(map[string]bool)
	for _, c := range t.cases {
		for r := range c.requests(t.country) {
			out.Cases++
			d := law.Decide(r)
			decided[d.PolicyID] = true
			if want, got := c.compare(d); want != got {
				out.Failures = append(out.Failures, Failure{File: t.file, Line: c.line, Case: c.name + " (" + combination(r) + ")", Want: want, Got: got})
			}
		}
	}
	for _, p := range law.Policies() {
		if !decided[p.ID] {
			out.Untested = append(out.Untested, p.ID)
		}
	}
	return out
}

// combination names what distinguishes requests of one case.
func combination(r policy.Request) string {
	parts := []string{r.Direction, r.Purpose, r.LegalBasis}
	for _, more := range []string{r.Consent, r.Modality, r.OfficerRole, r.SubjectClass, r.Assurance} {
		if more != "" {
			parts = append(parts, more)
		}
	}
	for _, c := range counts(r.Counts).list() {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", c.name, c.n))
		}
	}
	return strings.Join(parts, " ")
}

// requests yields every combination of the case's lists.
func (c testCase) requests(country string) func(yield func(policy.Request) bool) {
	return func(yield func(policy.Request) bool) {
		if c.Own != "" {
			country = c.Own
		}
		r := policy.Request{Requester: c.Requester, Responder: c.Responder, PeerMarks: c.Marks, Time: c.at, Counts: policy.Counts(c.Counts)}
		var fill func(fields []field) bool
		fill = func(fields []field) bool {
			if len(fields) > 0 {
				for _, word := range fields[0].words {
					*fields[0].of = word
					if !fill(fields[1:]) {
						return false
					}
				}
				return true
			}
			r.RequesterCountry, r.ResponderCountry = country, c.Country
			if r.Direction == policy.Answer {
				r.RequesterCountry, r.ResponderCountry = c.Country, country
			}
			return yield(r)
		}
		fill([]field{{c.Purpose, &r.Purpose}, {c.Basis, &r.LegalBasis}, {c.Direction, &r.Direction}, {c.Operation, &r.Operation},
			{c.Consent, &r.Consent}, {c.Modality, &r.Modality}, {c.Role, &r.OfficerRole}, {c.Class, &r.SubjectClass}, {c.Assurance, &r.Assurance}})
	}
}

// field is a list of words and where each goes.
type field struct {
	words []string
	of    *string
}

// compare puts in words what was wanted and what came, as far as the case says.
func (c testCase) compare(d policy.Decision) (want, got string) {
	var a, b []string
	add := func(name, wanted, came string) {
		a, b = append(a, name+" "+wanted), append(b, name+" "+came)
	}
	outcome := "refused"
	switch {
	case d.Allowed:
		outcome = "allowed"
	case d.ConsentLacking:
		outcome = "lacking"
	}
	add("outcome", c.Want, outcome)
	add("policy", c.Policy, d.PolicyID)
	if c.Article != "" {
		add("article", c.Article, d.Article)
	}
	if c.Consents != nil {
		add("consents", strings.Join(sorted(c.Consents), "+"), strings.Join(sorted(d.Consents), "+"))
	}
	if c.Modalities != nil {
		add("modalities", strings.Join(sorted(c.Modalities), "+"), strings.Join(sorted(d.Modalities), "+"))
	}
	if c.Tell != nil {
		tells := []string{"verdict"}
		if !d.WithholdReasons {
			tells = append(tells, "reasons")
		}
		if !d.WithholdUnknown {
			tells = append(tells, "subject_unknown")
		}
		add("tell", strings.Join(sorted(c.Tell), "+"), strings.Join(sorted(tells), "+"))
	}
	return strings.Join(a, ", "), strings.Join(b, ", ")
}

func sorted(words []string) []string { return slices.Sorted(slices.Values(words)) }

// noon is when a case without a time happens.
var noon = time.Date(2026, time.March, 21, 12, 0, 0, 0, time.UTC)
