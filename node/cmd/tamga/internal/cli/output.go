package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// Emit prints a result: as one JSON value, or as a table of name and value.
func (a *App) Emit(v any, rows [][2]string) error {
	if a.Format != "table" {
		enc := json.NewEncoder(a.Out)
		if a.Format == "json" {
			enc.SetIndent("", "  ")
		}
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\n", OnOneLine(r[0]), OnOneLine(r[1]))
	}
	return w.Flush()
}

// Say prints talk, never results, to stderr: one line, whatever the names in it.
func (a *App) Say(format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = OnOneLine(text)
		}
	}
	fmt.Fprintf(a.Err, format+"\n", args...)
}

// OnOneLine quotes a text that would break a table or speak to the terminal: files
// and what is named after them may have come from anybody.
func OnOneLine(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable) {
		return text
	}
	return strconv.Quote(text)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// onLines is OnOneLine for a text that may have several lines of its own: what else
// cannot be printed is escaped where it stands.
func onLines(text string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if r != '\n' && unprintable(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
