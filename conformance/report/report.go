// Package report is what an examination by package conformance found, and how it is
// written: JSON whose form is stable within [Schema], JUnit XML and text.
//
// A [Report] holds no subject data. The zero Report passes nothing.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Result is what a case ended in.
type Result string

// The results. Fail alone says that the target broke a requirement.
const (
	Pass         Result = "PASS"
	Fail         Result = "FAIL"
	Skip         Result = "SKIP"          // does not apply; Got says why
	ConfigError  Result = "CONFIG_ERROR"  // target, tester and subjects do not fit together
	HarnessError Result = "HARNESS_ERROR" // the suite could not do its work
)

// Schema names the form of the JSON report.
const Schema = "tamga-conformance-report/1"

// Report is what an examination found. Its JSON form is stable within Schema.
type Report struct {
	Schema       string    `json:"schema"`
	SuiteVersion string    `json:"suite_version"`
	Revision     string    `json:"protocol_revision"`
	Target       string    `json:"target"`
	Tester       string    `json:"tester"`
	Started      time.Time `json:"started"`
	DurationMS   int64     `json:"duration_ms"`
	Seed         uint64    `json:"seed"`
	Totals       Totals    `json:"totals"`
	Preflight    []Case    `json:"preflight"`
	Cases        []Case    `json:"cases"`
}

// Totals counts results, those of the preflight only where it failed.
type Totals struct {
	Cases        int `json:"cases"`
	Pass         int `json:"pass"`
	Fail         int `json:"fail"`
	Skip         int `json:"skip"`
	ConfigError  int `json:"config_error"`
	HarnessError int `json:"harness_error"`
}

// Case is what one case found.
type Case struct {
	ID           string   `json:"id"`
	Title        string   `json:"title"`
	Requirements []string `json:"requirements"`
	Negative     bool     `json:"negative"`
	Result       Result   `json:"result"`
	Broken       []string `json:"broken,omitempty"` // the requirements that a FAIL speaks against
	Expected     string   `json:"expected,omitempty"`
	Got          string   `json:"got,omitempty"` // or the reason of a SKIP
	Hint         string   `json:"hint,omitempty"`
	DurationMS   int64    `json:"duration_ms"`
}

// OK reports whether the target passed: something was shown and nothing spoke against it.
func (r Report) OK() bool {
	t := r.Totals
	return t.Pass > 0 && t.Fail == 0 && t.ConfigError == 0 && t.HarnessError == 0
}

// Finish counts the results and takes the time.
func (r *Report) Finish(now time.Time) {
	r.DurationMS = now.Sub(r.Started).Milliseconds()
	r.Totals.Cases = len(r.Cases)
	for _, c := range r.Cases {
		r.Totals.count(c.Result)
	}
	for _, c := range r.Preflight {
		if c.Result != Pass && c.Result != Skip {
			r.Totals.count(c.Result)
		}
	}
}

func (t *Totals) count(r Result) {
	switch r {
	case Pass:
		t.Pass++
	case Fail:
		t.Fail++
	case Skip:
		t.Skip++
	case ConfigError:
		t.ConfigError++
	default: // and whatever is no result at all
		t.HarnessError++
	}
}

// WriteJSON writes the report as one JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing JSON report: %w", err)
	}
	return nil
}

// WriteText writes a summary for people: what went wrong first, then the totals.
func (r Report) WriteText(w io.Writer) error {
	p := printer{w: w}
	p.line("tamga conformance suite %s, protocol revision %s, seed %d", r.SuiteVersion, r.Revision, r.Seed)
	p.line("target %s, tester %s", r.Target, r.Tester)
	for _, part := range [][]Case{r.Preflight, r.Cases} {
		for _, c := range part {
			p.problem(c, r.Seed)
		}
	}
	ready := !slices.ContainsFunc(r.Preflight, func(c Case) bool { return c.Result != Pass })
	for _, c := range r.Cases {
		if c.Result == Skip && ready { // otherwise all are, for the reason above
			p.line("SKIP %s %s: %s", c.ID, c.Title, c.Got)
		}
	}
	t := r.Totals
	p.line("%d cases: %d passed, %d failed, %d skipped, %d configuration errors, %d harness errors",
		t.Cases, t.Pass, t.Fail, t.Skip, t.ConfigError, t.HarnessError)
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) problem(c Case, seed uint64) {
	if c.Result == Pass || c.Result == Skip {
		return
	}
	p.line("%s %s %s", c.Result, c.ID, c.Title)
	for _, row := range [][2]string{{"expected", c.Expected}, {"got", c.Got}, {"hint", c.Hint}} {
		if row[1] != "" {
			p.line("     %-9s %s", row[0]+":", row[1])
		}
	}
	if c.Result == Fail {
		p.line("     %-9s %s", "breaks:", list(c.Broken))
		p.line("     %-9s only %s, seed %d", "again:", c.ID, seed)
	}
}

func list(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += ", "
		}
		s += n
	}
	return s
}
