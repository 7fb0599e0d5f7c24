package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Problem is one thing wrong with a configuration file.
type Problem struct {
	File    string // as given to Load
	Line    int    // from 1
	Col     int    // from 1, in characters
	Key     string // dotted path of the key, "" when the text is not YAML
	Message string // what is wrong; never quotes a value
	Hint    string // what to do, may be empty
	Source  string // the line, shortened, secrets masked
}

// String gives the problem on one line: file:line:col: message: hint.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
	if p.Hint != "" {
		s += ": " + p.Hint
	}
	return s
}

// Errors is every problem of a file, in the order of the text; at least one.
type Errors struct {
	Problems []Problem
}

// Error gives every problem with its source line and a mark below the place.
func (e *Errors) Error() string {
	var b strings.Builder
	noun := "problems"
	if len(e.Problems) == 1 {
		noun = "problem"
	}
	fmt.Fprintf(&b, "reading configuration: %d %s", len(e.Problems), noun)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n%s", p)
		if p.Source == "" {
			continue
		}
		fmt.Fprintf(&b, "\n%5d | %s", p.Line, p.Source)
		if p.Col <= len([]rune(p.Source)) {
			fmt.Fprintf(&b, "\n      | %s^", strings.Repeat(" ", p.Col-1))
		}
	}
	return b.String()
}

// maxSource bounds a shown line, in characters.
const maxSource = 120

// secretWord finds a word that names a secret. The file has no such key; somebody who puts one there anyway must not
// find its value in a terminal log.
var secretWord = regexp.MustCompile(`(?i)(pass(word|phrase)?|secret|token|seed|credential|private|api_?key|pin)["']?\s*[:=]`)

// A connection string may hold a password.
var (
	dsnWord  = regexp.MustCompile(`(?i)dsn(_file)?["']?\s*[:=]`)
	userinfo = regexp.MustCompile(`://[^/\s]*:[^/\s]*@`)
)

// showSource makes a line fit to print: masked, without control characters, bounded.
func showSource(line string) string {
	for _, word := range []*regexp.Regexp{secretWord, dsnWord} {
		if at := word.FindStringIndex(line); at != nil && strings.TrimSpace(line[at[1]:]) != "" {
			line = line[:at[1]] + " ***"
		}
	}
	if at := userinfo.FindStringIndex(line); at != nil {
		line = line[:at[0]] + "://***"
	}
	line = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, strings.TrimRight(line, " \t\r"))
	if runes := []rune(line); len(runes) > maxSource {
		line = string(runes[:maxSource]) + "..."
	}
	return line
}

// quoteKey quotes a key of the file, bounded.
func quoteKey(key string) string {
	const longest = 40
	if runes := []rune(key); len(runes) > longest {
		key = string(runes[:longest]) + "..."
	}
	return fmt.Sprintf("%q", key)
}
