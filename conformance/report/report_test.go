package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tamga-id/tamga/conformance/report"
)

func sample() report.Report {
	r := report.Report{Schema: report.Schema, SuiteVersion: "1.0.0", Revision: "1", Target: "https://target.example", Tester: "https://tester.example",
		Started: time.Unix(1_790_000_000, 0).UTC(), Seed: 71,
		Preflight: []report.Case{{ID: "P-1", Title: "ready", Result: report.Pass}},
		Cases: []report.Case{
			{ID: "C-1", Title: "a mated face is matched", Requirements: []string{"TMG-R-011"}, Result: report.Pass, DurationMS: 12},
			{ID: "C-2", Title: `a "replay" <is> refused`, Requirements: []string{"TMG-R-006"}, Negative: true, Result: report.Fail, Broken: []string{"TMG-R-006"},
				Expected: "refused & recorded", Got: "matched", Hint: "Remember jti."},
			{ID: "C-3", Title: "does not apply", Result: report.Skip, Got: "no consent"},
			{ID: "C-4", Title: "could not be done", Result: report.HarnessError, Got: "the run was stopped"},
		}}
	r.Finish(r.Started.Add(1500 * time.Millisecond))
	return r
}

// TestOK: only a report in which something was shown and nothing spoke against it.
func TestOK(t *testing.T) {
	for name, c := range map[string]struct {
		results []report.Result
		ok      bool
	}{
		"nothing":  {nil, false},
		"pass":     {[]report.Result{report.Pass}, true},
		"skipped":  {[]report.Result{report.Skip}, false},
		"mixed":    {[]report.Result{report.Pass, report.Skip}, true},
		"fail":     {[]report.Result{report.Pass, report.Fail}, false},
		"config":   {[]report.Result{report.Pass, report.ConfigError}, false},
		"harness":  {[]report.Result{report.Pass, report.HarnessError}, false},
		"zero":     {[]report.Result{report.Pass, ""}, false},
		"invented": {[]report.Result{report.Pass, "GOOD"}, false},
	} {
		var r report.Report
		for _, x := range c.results {
			r.Cases = append(r.Cases, report.Case{Result: x})
		}
		r.Finish(time.Time{})
		if r.OK() != c.ok {
			t.Errorf("%s: ok %t", name, r.OK())
		}
	}
	failed := report.Report{Preflight: []report.Case{{Result: report.ConfigError}}, Cases: []report.Case{{Result: report.Pass}}}
	failed.Finish(time.Time{})
	if failed.OK() {
		t.Error("a failed preflight passes")
	}
}

// TestJUnit: the XML is well-formed and its counts are those of its cases.
func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suite    struct {
			Tests   int    `xml:"tests,attr"`
			Skipped int    `xml:"skipped,attr"`
			Time    string `xml:"time,attr"`
			Stamp   string `xml:"timestamp,attr"`
			Cases   []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	s := got.Suite
	if got.Tests != 5 || got.Failures != 1 || got.Errors != 1 || s.Tests != 5 || s.Skipped != 1 || len(s.Cases) != 5 {
		t.Errorf("counts are %+v", got)
	}
	if s.Time != "1.500" || s.Stamp != "2026-09-21T14:13:20Z" {
		t.Errorf("time %s, timestamp %s", s.Time, s.Stamp)
	}
	if s.Cases[2].Name != `C-2 a "replay" <is> refused` || s.Cases[2].Failure == nil || s.Cases[3].Skipped == nil || s.Cases[4].Error == nil || s.Cases[1].Failure != nil {
		t.Errorf("cases are %+v", s.Cases)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestFull: a report that could not be written is an error.
func TestFull(t *testing.T) {
	r := sample()
	for i, err := range []error{r.WriteJSON(full{}), r.WriteJUnit(full{}), r.WriteText(full{})} {
		if err == nil {
			t.Errorf("writer %d says nothing", i)
		}
	}
}

func ExampleReport_WriteText() {
	if err := sample().WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// tamga conformance suite 1.0.0, protocol revision 1, seed 71
	// target https://target.example, tester https://tester.example
	// FAIL C-2 a "replay" <is> refused
	//      expected: refused & recorded
	//      got:      matched
	//      hint:     Remember jti.
	//      breaks:   TMG-R-006
	//      again:    only C-2, seed 71
	// HARNESS_ERROR C-4 could not be done
	//      got:      the run was stopped
	// SKIP C-3 does not apply: no consent
	// 4 cases: 1 passed, 1 failed, 1 skipped, 0 configuration errors, 1 harness errors
}
