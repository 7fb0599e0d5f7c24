// Package lawtext cuts the text of a law file into its header lines and its statements, each
// with its place, and gathers what is wrong with it. [Scan] is the way in; what a statement
// says is federation/policy's.
package lawtext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNesting bounds brackets in a statement, and with it the depth of Cedar's recursive parser.
const MaxNesting = 32

// Word is an annotation name or a string literal with its place. Cedar's tree keeps neither place, and a fault that
// only names a policy is of little use in a long one.
type Word struct {
	Text string
	At   Position
}

// Statement is the text up to a semicolon. Statements are parsed one by one so that a syntax error in one does not
// hide the faults of the next.
type Statement struct {
	Text        string
	At          Position
	Annotations []Word
	Literals    []Word // string literals, unquoted but not unescaped
	TooDeep     bool   // it nests brackets deeper than MaxNesting
}

// Source is a law file cut into header lines and statements.
type Source struct {
	Header     []Word // text after "//!", trimmed
	Statements []Statement
}

// scanner walks the text once. It knows just enough of Cedar to tell code from comments and strings.
type scanner struct {
	src    string
	off    int
	at     Position
	out    Source
	faults *Faults

	open  bool // inside a statement
	start int
	cur   Statement
	depth int
}

// Scan cuts src up. Text that must not occur at all (invalid UTF-8, control and bidirectional characters, which make
// a law read differently from what it says) is a fault.
func Scan(src []byte, f *Faults) Source {
	s := &scanner{src: string(src), at: Position{1, 1}, faults: f}
	for s.off < len(s.src) {
		s.step()
	}
	if s.open {
		s.close()
	}
	return s.out
}

func (s *scanner) step() {
	switch rest := s.src[s.off:]; {
	case strings.HasPrefix(rest, "//"):
		s.comment()
	case rest[0] == '"':
		s.begin()
		s.literal()
	case rest[0] == '@':
		s.begin()
		s.annotation()
	case rest[0] == ';':
		s.begin()
		s.next()
		s.close()
	default:
		if r, _ := utf8.DecodeRuneInString(rest); !unicode.IsSpace(r) {
			s.begin()
		}
		s.nest(s.next())
	}
}

func (s *scanner) nest(r rune) {
	switch r {
	case '(', '[', '{':
		s.depth++
	case ')', ']', '}':
		s.depth--
	}
	s.cur.TooDeep = s.cur.TooDeep || s.depth > MaxNesting
}

// next consumes one character and checks it.
func (s *scanner) next() rune {
	r, size := utf8.DecodeRuneInString(s.src[s.off:])
	switch {
	case r == utf8.RuneError && size == 1:
		s.faults.Add(s.at, "byte is not UTF-8")
	case r == '\n' || r == '\t' || r == '\r':
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		s.faults.Add(s.at, "character %U is not allowed in a law", r)
	}
	s.off += size
	if r == '\n' {
		s.at = Position{s.at.Line + 1, 1}
	} else {
		s.at.Column++
	}
	return r
}

// begin opens a statement here unless one is open.
func (s *scanner) begin() {
	if !s.open {
		s.open, s.start, s.cur = true, s.off, Statement{At: s.at}
	}
}

func (s *scanner) close() {
	s.cur.Text = s.src[s.start:s.off]
	s.out.Statements = append(s.out.Statements, s.cur)
	s.open, s.depth, s.cur = false, 0, Statement{}
}

// comment consumes to the end of the line and keeps header lines.
func (s *scanner) comment() {
	at, start := s.at, s.off
	for s.off < len(s.src) && s.src[s.off] != '\n' {
		s.next()
	}
	text, isHeader := strings.CutPrefix(s.src[start:s.off], "//!")
	if !isHeader {
		return
	}
	if s.open || len(s.out.Statements) > 0 {
		s.faults.Add(at, "header line after the first policy: the header opens the file")
		return
	}
	s.out.Header = append(s.out.Header, Word{strings.TrimSpace(text), at})
}

func (s *scanner) literal() {
	at, start := s.at, s.off
	s.next()
	for s.off < len(s.src) {
		r := s.next()
		if r == '\\' && s.off < len(s.src) {
			s.next()
			continue
		}
		if r == '"' {
			s.cur.Literals = append(s.cur.Literals, Word{s.src[start+1 : s.off-1], at})
			return
		}
	}
}

func (s *scanner) annotation() {
	at := s.at
	s.next()
	start := s.off
	for s.off < len(s.src) {
		r, _ := utf8.DecodeRuneInString(s.src[s.off:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		s.next()
	}
	s.cur.Annotations = append(s.cur.Annotations, Word{s.src[start:s.off], at})
}

// Where is the place of the first word with the text, or the statement's own.
func (st Statement) Where(words []Word, text string) Position {
	for _, w := range words {
		if w.Text == text {
			return w.At
		}
	}
	return st.At
}
