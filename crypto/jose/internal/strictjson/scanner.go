// Package strictjson checks JSON texts (RFC 8259) for what encoding/json lets
// pass: duplicate member names, names that fit a struct field only when case is
// ignored, lone surrogates, invalid UTF-8, trailing data, deep nesting. Two
// parsers that disagree on any of these can be shown two different tokens under
// one signature.
//
// [Object] and [Array] check a text and hand out its members or elements raw.
// Nothing is decoded but names and, by [String], strings; after a check,
// encoding/json can be let loose on the text, and [Path] names the member whose
// value it did not like. Errors are [*Error]; their text has no values, and only
// member names that the target type has: any other name is the sender's, and may be
// a person's number. Cost is linear in the length of the text.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nesting. OpenID Federation metadata, the deepest thing read
// here, needs 7.
const maxDepth = 16

// maxLinear is the member count up to which duplicate names are looked for by
// comparing all pairs; beyond it a map keeps the cost linear.
const maxLinear = 16

// Error is a text that was refused.
type Error struct {
	Offset int    // in bytes
	Path   string // of the innermost value around the fault, such as "a.b[2]"; empty for the outermost
	Rule   string // what was broken
}

func (e *Error) Error() string {
	if e.Path != "" {
		return fmt.Sprintf("JSON offset %d, in %s: %s", e.Offset, e.Path, e.Rule)
	}
	return fmt.Sprintf("JSON offset %d: %s", e.Offset, e.Rule)
}

// scanner walks one text.
type scanner struct {
	data   []byte
	pos    int
	strict bool // members that the target struct does not have are refused
	sought int  // the value around this offset ends the walk, when it is not 0
}

// Object checks that data is exactly one JSON object. t, if not nil, is the
// type that encoding/json will decode it into: names must fit its fields exactly,
// and with strict there must be no others. visit, if not nil, gets every member
// of the outermost object, decoded name and raw value, both aliasing data; it may
// have got some by the time a fault is found. Its errors are returned as they are.
func Object(data []byte, t reflect.Type, strict bool, visit func(name, value []byte) error) error {
	s := &scanner{data: data, strict: strict}
	if !utf8.Valid(data) {
		return s.fail("invalid UTF-8")
	}
	s.space()
	if s.peek() != '{' {
		return s.fail("not a JSON object")
	}
	if err := s.object(t, 1, visit); err != nil {
		return err
	}
	return s.end()
}

// Array is [Object] for an array whose elements go to visit.
func Array(data []byte, visit func(value []byte) error) error {
	s := &scanner{data: data}
	if !utf8.Valid(data) {
		return s.fail("invalid UTF-8")
	}
	s.space()
	if s.peek() != '[' {
		return s.fail("not a JSON array")
	}
	if err := s.array(nil, 1, visit); err != nil {
		return err
	}
	return s.end()
}

// Path names the innermost value of data that begins before offset and does not end
// before it, which is where encoding/json says that a value does not fit t. data has
// passed [Object]. Members that t does not have are "?".
func Path(data []byte, t reflect.Type, offset int) string {
	s := &scanner{data: data, sought: offset}
	s.space()
	if s.peek() != '{' {
		return ""
	}
	if found, ok := errors.AsType[*Error](s.object(t, 1, nil)); ok {
		return found.Path
	}
	return ""
}

// within puts a fault inside the value that at names.
func within(at string, err error) error {
	fault, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
	case fault.Path == "" || fault.Path[0] == '[':
		fault.Path = at + fault.Path
	default:
		fault.Path = at + "." + fault.Path
	}
	return err
}

func (s *scanner) fail(rule string) error {
	return &Error{Offset: s.pos, Rule: rule}
}

// peek returns the next byte, or 0 at the end; 0 begins no JSON token.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) end() error {
	s.space()
	if s.pos != len(s.data) {
		return s.fail("data after the value")
	}
	return nil
}

func (s *scanner) value(t reflect.Type, depth int) error {
	start := s.pos
	if err := s.anyValue(t, depth); err != nil {
		return err
	}
	if start < s.sought && s.sought <= s.pos {
		return s.fail("found")
	}
	return nil
}

func (s *scanner) anyValue(t reflect.Type, depth int) error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(t, depth+1, nil)
	case c == '[':
		return s.array(t, depth+1, nil)
	case c == '"':
		_, _, err := s.text()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
			s.pos += len(word)
			return nil
		}
	}
	return s.fail("not a JSON value")
}

func (s *scanner) object(t reflect.Type, depth int, visit func(name, value []byte) error) error {
	if depth > maxDepth {
		return s.fail("nested too deeply")
	}
	shape := shapeOf(t)
	var seen nameSet
	s.pos++ // {
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		s.space()
		if s.peek() != '"' {
			return s.fail("expected a member name")
		}
		name, err := s.name()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return s.fail("duplicate member" + shape.known(name))
		}
		member, err := s.member(shape, name)
		if err != nil {
			return err
		}
		s.space()
		if s.peek() != ':' {
			return s.fail("expected a colon")
		}
		s.pos++
		s.space()
		start := s.pos
		if err := s.value(member, depth); err != nil {
			return within(shape.step(name), err)
		}
		if visit != nil {
			if err := visit(name, s.data[start:s.pos]); err != nil {
				return err
			}
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

func (s *scanner) array(t reflect.Type, depth int, visit func(value []byte) error) error {
	if depth > maxDepth {
		return s.fail("nested too deeply")
	}
	element := shapeOf(t).element
	s.pos++ // [
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		s.space()
		start := s.pos
		if err := s.value(element, depth); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
		if visit != nil {
			if err := visit(s.data[start:s.pos]); err != nil {
				return err
			}
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

// next consumes a comma (false) or the closing byte (true).
func (s *scanner) next(closing byte) (bool, error) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		return false, nil
	case closing:
		s.pos++
		return true, nil
	}
	return false, s.fail("expected a comma or the end")
}

// member finds the type that encoding/json will give the named member.
func (s *scanner) member(shape shape, name []byte) (reflect.Type, error) {
	if !shape.isStruct {
		return shape.element, nil
	}
	for _, f := range shape.fields {
		if f.name == string(name) {
			return f.typ, nil
		}
	}
	// encoding/json would fill a field from a name that differs in case alone.
	for _, f := range shape.fields {
		if strings.EqualFold(f.name, string(name)) {
			return nil, s.fail("a member differs from " + Quote(f.name) + " in case only")
		}
	}
	if s.strict {
		return nil, s.fail("unknown member")
	}
	return nil, nil
}

// name reads a member name and returns it unescaped.
func (s *scanner) name() ([]byte, error) {
	raw, escaped, err := s.text()
	if err != nil {
		return nil, err
	}
	if !escaped {
		return raw[1 : len(raw)-1], nil
	}
	text, _ := String(raw)
	return []byte(text), nil
}

// String decodes a string literal that [Object] or [Array] has passed; false
// means that it is another kind of value.
func String(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	var text string
	return text, json.Unmarshal(raw, &text) == nil
}

// Quote makes a name fit to be shown.
func Quote[T ~string | ~[]byte](name T) string {
	const longest = 32
	if len(name) > longest {
		return fmt.Sprintf("%q…", name[:longest])
	}
	return fmt.Sprintf("%q", name)
}

// nameSet remembers the names of one object.
type nameSet struct {
	few  [][]byte
	many map[string]struct{}
}

// add reports whether name is new.
func (n *nameSet) add(name []byte) bool {
	if n.many != nil {
		_, found := n.many[string(name)]
		n.many[string(name)] = struct{}{}
		return !found
	}
	for _, have := range n.few {
		if string(have) == string(name) {
			return false
		}
	}
	n.few = append(n.few, name)
	if len(n.few) > maxLinear {
		n.many = make(map[string]struct{}, 2*len(n.few))
		for _, have := range n.few {
			n.many[string(have)] = struct{}{}
		}
	}
	return true
}
