// Package fault says what went wrong as an operator hears of it: a Failure has an exit code, a code of the
// registry and the next step, and Classify finds them for an error of any package.
package fault

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
)

// Exit codes; `tamga help exit-codes` prints ExitTable.
const (
	ExitOK           = 0
	ExitFailure      = 1
	ExitUsage        = 2
	ExitConfig       = 3
	ExitRefused      = 5
	ExitUnauthorised = 6
	ExitUnreachable  = 7
	ExitSealed       = 8
	ExitIntegrity    = 9
	exitNotMatched   = 10
	ExitInconclusive = 11
	ExitConformance  = 20
	ExitInterrupted  = 130
)

// Exit is an exit code and what it says.
type Exit struct {
	Code  int    `json:"exit_code"`
	Means string `json:"means"`
}

// Exits lists them.
func Exits() []Exit {
	return []Exit{
		{ExitOK, "done; for verify: matched"},
		{ExitFailure, "failure"},
		{ExitUsage, "usage: the command line is not complete or not understood"},
		{ExitConfig, "the configuration is not valid"},
		{ExitRefused, "refused by law, policy or protocol"},
		{ExitUnauthorised, "not authorised"},
		{ExitUnreachable, "peer or node unreachable: could not tell, not a \"no\""},
		{ExitSealed, "sealed: the root key could not be opened, or is not open yet"},
		{ExitIntegrity, "integrity failure: ledger, signature or trust"},
		{exitNotMatched, "not matched"},
		{ExitInconclusive, "inconclusive: could not tell"},
		{ExitConformance, "the conformance target failed required cases"},
		{ExitInterrupted, "interrupted"},
	}
}

// ExitTable is what `tamga help exit-codes` prints.
func ExitTable() string {
	var b strings.Builder
	b.WriteString("Exit codes of every tamga command:\n\n")
	for _, e := range Exits() {
		fmt.Fprintf(&b, "%4d  %s\n", e.Code, e.Means)
	}
	return b.String() + `
A failure is said on stderr: its code, why, and a hint with the next step. With -o json
or ndjson the last line of stderr is instead one JSON object with the members code,
title, message, hint and exit_code. Outcomes (5, 7, 10 and 11 of verify, 20) are results
and are on stdout; "tamga help CODE" explains a code.
`
}

// Failure is an error with the exit code and the code from the registry that an
// operator can look up. Hint names the next command, when there is a better one
// than the registry's.
type Failure struct {
	Exit int
	Code protocol.Code
	Err  error
	Hint string
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Verdict is a failure without an error text: the result was printed already and
// only the exit code is left to say.
type Verdict struct{ Exit int }

func (Verdict) Error() string { return "" }

// Usage is a failure of the command line. Its text repeats nothing that may be about a person.
func Usage(format string, args ...any) error {
	return &Failure{Exit: ExitUsage, Code: protocol.CodeUsage, Err: fmt.Errorf(format, args...)}
}

// UsageOf is usage for what the command line of c did not parse as.
func UsageOf(c *cobra.Command, err error) error {
	return &Failure{Exit: ExitUsage, Code: protocol.CodeUsage, Err: flagSlip(err), Hint: "see `" + c.CommandPath() + " --help`"}
}

// ExitOf is the exit code of a verification's outcome.
func ExitOf(o protocol.Outcome) int {
	switch o {
	case protocol.Matched:
		return ExitOK
	case protocol.NotMatched:
		return exitNotMatched
	case protocol.Inconclusive:
		return ExitInconclusive
	case protocol.Refused:
		return ExitRefused
	}
	return ExitUnreachable
}
