// Package fault says what went wrong as an operator hears of it: a Failure has an exit code, a code of the
// registry and the next step, and Classify finds them for an error of any package.
package fault

import (
	"fmt"

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

// ExitTable is what `tamga help exit-codes` prints.
const ExitTable = `Exit codes of every tamga command:

   0  done; for verify: matched
   1  failure
   2  usage: the command line is not complete or not understood
   3  the configuration is not valid
   5  refused by law, policy or protocol
   6  not authorised
   7  peer or node unreachable: could not tell, not a "no"
   8  sealed: the root key could not be opened, or is not open yet
   9  integrity failure: ledger, signature or trust
  10  not matched
  11  inconclusive: could not tell
  20  the conformance target failed required cases
 130  interrupted

A failure is said on stderr: its code, why, and a hint with the next step. With -o json
or ndjson the last line of stderr is instead one JSON object with the members code,
title, message, hint and exit_code. Outcomes (5, 7, 10 and 11 of verify, 20) are results
and are on stdout; "tamga help CODE" explains a code.
`

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
