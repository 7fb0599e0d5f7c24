package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
)

// Exit codes; `tamga help exit-codes` prints exitTable.
const (
	exitOK           = 0
	exitFailure      = 1
	exitUsage        = 2
	exitConfig       = 3
	exitRefused      = 5
	exitUnauthorised = 6
	exitUnreachable  = 7
	exitSealed       = 8
	exitIntegrity    = 9
	exitNotMatched   = 10
	exitInconclusive = 11
	exitConformance  = 20
	exitInterrupted  = 130
)

const exitTable = `Exit codes of every tamga command:

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

// failure is an error with the exit code and the code from the registry that an
// operator can look up. hint names the next command, when there is a better one
// than the registry's.
type failure struct {
	exit int
	code protocol.Code
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// verdict is a failure without an error text: the result was printed already and
// only the exit code is left to say.
type verdict struct{ exit int }

func (verdict) Error() string { return "" }

func usage(format string, args ...any) error {
	return &failure{exit: exitUsage, code: protocol.CodeUsage, err: fmt.Errorf(format, args...)}
}

func usageOf(c *cobra.Command, err error) error {
	return &failure{exit: exitUsage, code: protocol.CodeUsage, err: flagSlip(err), hint: "see `" + c.CommandPath() + " --help`"}
}

// report is how a failure is said with -o json or ndjson: the last line of stderr.
// Its members are a contract; more may be added.
type report struct {
	Code    protocol.Code `json:"code"`
	Title   string        `json:"title"`
	Message string        `json:"message"`
	Hint    string        `json:"hint"`
	Exit    int           `json:"exit_code"`
}

// exit prints err, for a person or as JSON, and returns the process's exit code.
func (a *app) exit(err error) int {
	if err == nil {
		return exitOK
	}
	if v, ok := errors.AsType[verdict](err); ok {
		return v.exit
	}
	f := classify(err)
	r := report{Code: f.code, Title: a.sentences(f.code).Title, Message: onLines(quotingPaths(f.err)), Hint: f.hint, Exit: f.exit}
	if r.Hint == "" {
		r.Hint = a.sentences(f.code).Next
	}
	if a.wantsJSON(f) {
		enc := json.NewEncoder(a.err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(r)
		return f.exit
	}
	fmt.Fprintf(a.err, "error %s: %s\n", r.Code, r.Title)
	fmt.Fprintf(a.err, "  why: %s\n", strings.ReplaceAll(r.Message, "\n", "\n       "))
	fmt.Fprintf(a.err, "hint: %s\n", r.Hint)
	return f.exit
}

// quotingPaths is the text of an error with the names of files that cannot be
// printed in quotes: a line break in one would make a line of its own.
func quotingPaths(err error) string {
	text := err.Error()
	var names []string
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		names = append(names, e.Path)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		names = append(names, e.Old, e.New)
	}
	for _, name := range names {
		if quoted := onOneLine(name); quoted != name {
			text = strings.ReplaceAll(text, name, quoted)
		}
	}
	return text
}

// wantsJSON looks at the command line itself when that was not understood, since -o
// may not have been read then.
func (a *app) wantsJSON(f *failure) bool {
	if a.format != "table" || f.exit != exitUsage {
		return a.format == "json" || a.format == "ndjson"
	}
	for i, arg := range a.args {
		value, long := strings.CutPrefix(arg, "--output")
		short := false
		if !long {
			value, short = strings.CutPrefix(arg, "-o")
		}
		if value = strings.TrimPrefix(value, "="); value == "" && i+1 < len(a.args) {
			value = a.args[i+1]
		}
		if (long || short) && (value == "json" || value == "ndjson") {
			return true
		}
	}
	return false
}

// exitOf is the exit code of a verification's outcome.
func exitOf(o protocol.Outcome) int {
	switch o {
	case protocol.Matched:
		return exitOK
	case protocol.NotMatched:
		return exitNotMatched
	case protocol.Inconclusive:
		return exitInconclusive
	case protocol.Refused:
		return exitRefused
	}
	return exitUnreachable
}
