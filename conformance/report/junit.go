package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The JUnit XML that continuous integration systems read; there is no normative
// schema, this is the common part of Ant's, Jenkins' and GitLab's.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitDetail `xml:"failure"`
	Error   *junitDetail `xml:"error"`
	Skipped *junitDetail `xml:"skipped"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML: FAIL as failure, CONFIG_ERROR and
// HARNESS_ERROR as error.
func (r Report) WriteJUnit(w io.Writer) error {
	s := junitSuite{
		Name: "tamga-conformance", Time: seconds(r.DurationMS), Timestamp: r.Started.Format(time.RFC3339),
		Failures: r.Totals.Fail, Errors: r.Totals.ConfigError + r.Totals.HarnessError, Skipped: r.Totals.Skip,
		Properties: []junitProperty{
			{"suite_version", r.SuiteVersion}, {"protocol_revision", r.Revision},
			{"target", r.Target}, {"tester", r.Tester}, {"seed", strconv.FormatUint(r.Seed, 10)},
		},
	}
	for _, c := range r.Preflight {
		s.Cases = append(s.Cases, c.junit("preflight"))
	}
	for _, c := range r.Cases {
		s.Cases = append(s.Cases, c.junit("conformance"))
	}
	s.Tests = len(s.Cases)
	out, err := xml.MarshalIndent(junitSuites{Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suites: []junitSuite{s}}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing JUnit report: %w", err)
	}
	if _, err := io.WriteString(w, xml.Header+string(out)+"\n"); err != nil {
		return fmt.Errorf("writing JUnit report: %w", err)
	}
	return nil
}

func (c Case) junit(class string) junitCase {
	j := junitCase{Class: class, Name: c.ID + " " + c.Title, Time: seconds(c.DurationMS)}
	detail := &junitDetail{Message: c.Got, Type: string(c.Result), Text: strings.Join([]string{
		"expected: " + c.Expected, "got: " + c.Got, "hint: " + c.Hint, "breaks: " + list(c.Broken), "requirements: " + list(c.Requirements)}, "\n")}
	switch c.Result {
	case Pass:
	case Fail:
		j.Failure = detail
	case Skip:
		j.Skipped = &junitDetail{Message: c.Got}
	default:
		j.Error = detail
	}
	return j
}

func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64) }
