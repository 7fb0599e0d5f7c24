package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// report is how a failure is said with -o json or ndjson: the last line of stderr.
// Its members are a contract; more may be added.
type report struct {
	Code    protocol.Code `json:"code"`
	Title   string        `json:"title"`
	Message string        `json:"message"`
	Hint    string        `json:"hint"`
	Exit    int           `json:"exit_code"`
}

// Exit prints err, for a person or as JSON, and returns the process's exit code.
func (a *App) Exit(err error) int {
	if err == nil {
		return fault.ExitOK
	}
	if v, ok := errors.AsType[fault.Verdict](err); ok {
		return v.Exit
	}
	f := fault.Classify(err)
	r := report{Code: f.Code, Title: a.Sentences(f.Code).Title, Message: onLines(quotingPaths(f.Err)), Hint: f.Hint, Exit: f.Exit}
	if r.Hint == "" {
		r.Hint = a.Sentences(f.Code).Next
	}
	if a.wantsJSON(f) {
		enc := json.NewEncoder(a.Err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(r)
		return f.Exit
	}
	fmt.Fprintf(a.Err, "error %s: %s\n", r.Code, r.Title)
	fmt.Fprintf(a.Err, "  why: %s\n", strings.ReplaceAll(r.Message, "\n", "\n       "))
	fmt.Fprintf(a.Err, "hint: %s\n", r.Hint)
	return f.Exit
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
		if quoted := OnOneLine(name); quoted != name {
			text = strings.ReplaceAll(text, name, quoted)
		}
	}
	return text
}

// wantsJSON looks at the command line itself when that was not understood, since -o
// may not have been read then.
func (a *App) wantsJSON(f *fault.Failure) bool {
	if a.Format != "table" || f.Exit != fault.ExitUsage {
		return a.Format == "json" || a.Format == "ndjson"
	}
	for i, arg := range a.Args {
		value, long := strings.CutPrefix(arg, "--output")
		short := false
		if !long {
			value, short = strings.CutPrefix(arg, "-o")
		}
		if value = strings.TrimPrefix(value, "="); value == "" && i+1 < len(a.Args) {
			value = a.Args[i+1]
		}
		if (long || short) && (value == "json" || value == "ndjson") {
			return true
		}
	}
	return false
}
