package lawtext

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a law file. Line and Column start at 1; Column counts characters.
type Fault struct {
	File    string
	Line    int
	Column  int
	Message string
}

// String formats f the way compilers do: file:line:column: message.
func (f Fault) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// LawError lists everything wrong with a law file, in the order of the text. It holds at least one fault.
type LawError struct {
	Faults []Fault
}

// Error joins the faults, one a line.
func (e *LawError) Error() string {
	lines := make([]string, 0, len(e.Faults)+1)
	lines = append(lines, fmt.Sprintf("reading law: %d fault(s)", len(e.Faults)))
	for _, f := range e.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Position is a place in the text: line and column from 1, column in characters.
type Position struct{ Line, Column int }

// Faults collects what is wrong while a file is read.
type Faults struct {
	File string // as faults name it
	list []Fault
}

// Add adds one, at a place of the text.
func (f *Faults) Add(at Position, format string, args ...any) {
	f.list = append(f.list, Fault{File: f.File, Line: max(at.Line, 1), Column: max(at.Column, 1), Message: fmt.Sprintf(format, args...)})
}

// Err returns nil when nothing is wrong, or a *[LawError].
func (f *Faults) Err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &LawError{Faults: f.list}
}

// Quote quotes a piece of the law for a fault, bounded.
func Quote(s string) string {
	const longest = 60
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
