// Package inventory is a state's list of the biometric data it holds, for machines to read: what is held of people (the
// types of biometric characteristic and the words sample and template are those of ISO/IEC 2382-37), where it comes from,
// by which law and article, and for how long. PROTOCOL.md section 2 has it as the member biometric_data of a node's
// metadata.
//
// [Check] is for a list that somebody else wrote; the words of the own one are those of package vocabulary. [Builtin] has
// an example for each of the built-in laws. Nothing here is about a person.
package inventory

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxEntries bounds a list, and MaxText the bytes of a source, a law or an article.
const (
	MaxEntries = 24
	MaxText    = 320
	maxWord    = 64
)

// Unlimited is the retention of what the law sets no end to.
const Unlimited = "unlimited"

// Entry is one kind of biometric data that a state holds, from one source.
type Entry struct {
	// Type is the type of biometric characteristic, a word of vocabulary.BiometricTypes.
	Type string `json:"type"`
	// Form is a word of vocabulary.BiometricForms.
	Form string `json:"form"`
	// Source says of whom and by which office it was captured, or whence it was taken over.
	Source string `json:"source"`
	// Law and Article are what it is held by.
	Law     string `json:"law"`
	Article string `json:"article"`
	// Retention is how long it is held from capture on: a duration of ISO 8601 in years, months and days, such as P10Y, or
	// Unlimited.
	Retention string `json:"retention"`
}

// Check reports the first entry, counted from 0, and the first member of it that is missing, malformed or too long, or
// that an entry comes twice. Words of later versions of the vocabulary pass.
func Check(list []Entry) error {
	if len(list) > MaxEntries {
		return fmt.Errorf("more than %d entries", MaxEntries)
	}
	seen := map[[3]string]bool{}
	for i, e := range list {
		for _, m := range []struct {
			name string
			ok   bool
		}{
			{"type", isWord(e.Type)}, {"form", isWord(e.Form)}, {"source", IsText(e.Source)}, {"law", IsText(e.Law)},
			{"article", IsText(e.Article)}, {"retention", IsRetention(e.Retention)},
		} {
			if !m.ok {
				return fmt.Errorf("entry %d: %s is missing or malformed", i, m.name)
			}
		}
		if seen[e.Key()] {
			return fmt.Errorf("entry %d is there twice", i)
		}
		seen[e.Key()] = true
	}
	return nil
}

// Key is what no two entries of a list have in common: type, form and source.
func (e Entry) Key() [3]string { return [3]string{e.Type, e.Form, e.Source} }

var word = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func isWord(s string) bool { return len(s) <= maxWord && word.MatchString(s) }

// IsText reports whether s is one line of at most MaxText bytes that shows on a terminal as what it is: no control
// characters, and none that turn the direction of writing.
func IsText(s string) bool {
	return s != "" && len(s) <= MaxText && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

var retention = regexp.MustCompile(`^P([1-9][0-9]{0,2}Y)?([1-9][0-9]{0,2}M)?([1-9][0-9]{0,4}D)?$`)

// IsRetention reports whether s is a retention as it stands in an entry.
func IsRetention(s string) bool { return s == Unlimited || len(s) > 1 && retention.MatchString(s) }
