package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
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
   8  sealed: the root key could not be opened
   9  integrity failure: ledger, signature or trust
  10  not matched
  11  inconclusive: could not tell
  20  the conformance target failed required cases
 130  interrupted
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

// What was typed is not repeated, here and below: by one slip it is a document
// number, and what a command says lands in tickets and journals.

// flagSlip says what is wrong with a flag by the flag's own name and type.
func flagSlip(err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s takes a value of type %s", e.GetFlag().Name, e.GetFlag().Value.Type())
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s needs a value", e.GetFlag().Name)
	}
	return errors.New("there is a flag that the command does not have")
}

// argumentSlip keeps of cobra's `unknown command "X" for "tamga verify"` what
// follows X: the command, and which ones are spelled like X.
func argumentSlip(err error) error {
	text := err.Error()
	if at := strings.LastIndex(text, `" for "`); strings.HasPrefix(text, "unknown command") && at >= 0 {
		return errors.New("unknown command or argument" + text[at+1:])
	}
	return err
}

// nameless drops the name of a file that could not be read.
func nameless(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// exit prints err for a person and returns the process's exit code.
func (a *app) exit(err error) int {
	if err == nil {
		return exitOK
	}
	if v, ok := errors.AsType[verdict](err); ok {
		return v.exit
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.err, "interrupted")
		return exitInterrupted
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = &failure{exit: exitUnreachable, code: protocol.CodeTimeout, err: errors.New("the time that --timeout allows is over; no outcome is known")}
	}
	f := classify(err)
	if f.code == "" {
		fmt.Fprintf(a.err, "error: %v\n", f.err)
	} else {
		fmt.Fprintf(a.err, "error %s: %s\n", f.code, f.code.Title())
		fmt.Fprintf(a.err, "  why: %s\n", strings.ReplaceAll(f.err.Error(), "\n", "\n       "))
	}
	hint := f.hint
	if e, ok := protocol.Lookup(f.code); ok && hint == "" {
		hint = e.Next
	}
	if hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", hint)
	}
	return f.exit
}

// classify gives an error of a package its exit code and registry code.
func classify(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if _, ok := errors.AsType[*config.Errors](err); ok {
		return &failure{exit: exitConfig, code: protocol.CodeConfig, err: err}
	}
	if f, ok := errors.AsType[*protocol.Fault](err); ok {
		return &failure{exit: exitOf(f.Code.Outcome()), code: f.Code, err: err}
	}
	switch {
	case errors.Is(err, custody.ErrPassphrase), errors.Is(err, custody.ErrRoot):
		return &failure{exit: exitSealed, code: protocol.CodeCustody, err: err}
	case errors.Is(err, ledger.ErrTampered):
		return &failure{exit: exitIntegrity, code: protocol.CodeLedgerTampered, err: err}
	case errors.Is(err, ledger.ErrNoSpace):
		return &failure{exit: exitFailure, code: protocol.CodeLedgerUnavailable, err: err, hint: "free disk space; nothing was lost"}
	case errors.Is(err, gallery.ErrLocked), errors.Is(err, ledger.ErrLocked):
		return &failure{exit: exitFailure, code: protocol.CodeStoreLocked, err: err}
	case errors.Is(err, gallery.ErrDamaged):
		return &failure{exit: exitIntegrity, code: protocol.CodeStoreDamaged, err: err}
	case errors.Is(err, os.ErrNotExist):
		return &failure{exit: exitFailure, err: err, hint: "check the path; --dir names the folder that `tamga init` or `tamga anchor init` made"}
	case cobraUsage(err):
		return &failure{exit: exitUsage, code: protocol.CodeUsage, err: argumentSlip(err)}
	}
	return &failure{exit: exitFailure, err: err}
}

// cobraUsage recognises the errors that cobra gives no type: a wrong command or a
// wrong number of arguments.
func cobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "accepts ", "requires at least"} {
		if strings.HasPrefix(err.Error(), prefix) {
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
