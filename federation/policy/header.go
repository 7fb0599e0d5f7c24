package policy

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tamga-id/tamga/federation/policy/lawtext"
)

// formatRevision is the value of tamga_law this package reads.
const formatRevision = "1"

// maxCitation bounds the name of an act or article, in characters: it travels in every signed decision.
const maxCitation = 200

// header is the file-level part of a law.
type header struct {
	jurisdiction string
	version      string
	status       string
	law          string // the act a default refusal cites
	article      string // its article
}

var (
	versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$`)
	headerKeys  = [...]string{"tamga_law", "jurisdiction", "version", "status", "law", "default_article"}
)

// readHeader checks the "//!" lines. Every key is required exactly once.
func readHeader(lines []lawtext.Word, f *lawtext.Faults) header {
	values := make(map[string]string, len(headerKeys))
	for _, line := range lines {
		key, value, found := strings.Cut(line.Text, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		_, duplicate := values[key]
		switch {
		case !found:
			f.Add(line.At, "header line is not of the form //! key: value")
			continue
		case !slices.Contains(headerKeys[:], key):
			f.Add(line.At, "unknown header key %s: known are %s", lawtext.Quote(key), strings.Join(headerKeys[:], ", "))
			continue
		case duplicate:
			f.Add(line.At, "header key %s appears twice", key)
			continue
		}
		if rule := headerRule(key, value); rule != "" {
			f.Add(line.At, "header key %s %s", key, rule)
		}
		values[key] = value
	}
	for _, key := range headerKeys {
		if _, ok := values[key]; !ok {
			f.Add(lawtext.Position{Line: 1, Column: 1}, "header key %s is missing: the file opens with lines of the form //! key: value", key)
		}
	}
	return header{
		jurisdiction: values["jurisdiction"], version: values["version"], status: values["status"],
		law: values["law"], article: values["default_article"],
	}
}

// headerRule says which rule a value breaks, or "".
func headerRule(key, value string) string {
	switch key {
	case "tamga_law":
		if value != formatRevision {
			return "must be " + formatRevision + ": another revision of the format needs another release"
		}
	case "jurisdiction":
		if !isCountry(value) {
			return "must be " + kindCountry.describe()
		}
	case "version":
		if !versionForm.MatchString(value) {
			return "must be 1 to 32 letters, digits, dots and hyphens"
		}
	case "status":
		if !slices.Contains(statuses, value) {
			return "must be one of " + strings.Join(statuses, ", ")
		}
	default:
		return citationRule(value)
	}
	return ""
}

// citationRule says which rule the name of an act or article breaks, or "".
func citationRule(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "must not be empty"
	case utf8.RuneCountInString(s) > maxCitation:
		return "must be at most 200 characters"
	case strings.ContainsAny(s, "\n\r\t"):
		return "must be one line"
	case strings.ContainsFunc(s, unseen):
		return "must hold no character that is not seen, or that has the others read in another order"
	}
	return ""
}

// unseen reports a character that is no space and shows nothing, or speaks to a terminal. A citation is signed and shown;
// Cedar's escapes (\u{202e}) put into it what the file itself may not hold. The blanks that Unicode calls letters and
// symbols are those of Hangul and Braille.
func unseen(r rune) bool {
	return !unicode.IsPrint(r) || strings.ContainsRune("\u115f\u1160\u2800\u3164\uffa0", r)
}
