package problem

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// Limits on the shape of a JSON body. They leave room above what the schema allows,
// and keep one body from making the validator list a million faults.
const (
	maxDepth    = 8
	maxMembers  = 32
	maxElements = 64
)

// Scan checks what a schema cannot say about a JSON body and encoding/json does not
// mind: member names that occur twice or differ from the schema's in case only,
// null, more than one value, invalid UTF-8. It returns nil, or the rule that is
// broken and where. Only names that known accepts become part of the place.
func Scan(body []byte, known func(name string) bool) *Violation {
	if !utf8.Valid(body) {
		return &Violation{"", "must be UTF-8"}
	}
	s := scanner{dec: json.NewDecoder(bytes.NewReader(body)), known: known}
	s.dec.UseNumber()
	t, err := s.dec.Token()
	if err != nil {
		return &Violation{"", notJSON}
	}
	if t != json.Delim('{') {
		return &Violation{"", "must be a JSON object"}
	}
	if v := s.object("", 1); v != nil {
		return v
	}
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return &Violation{"", "must be one JSON object and nothing after it"}
	}
	return nil
}

const notJSON = "must be well-formed JSON"

type scanner struct {
	dec   *json.Decoder
	known func(string) bool
}

// object scans the rest of an object.
func (s *scanner) object(at string, depth int) *Violation {
	seen := make(map[string]bool)
	for s.dec.More() {
		t, err := s.dec.Token()
		name, ok := t.(string)
		switch {
		case err != nil || !ok:
			return &Violation{at, notJSON}
		case seen[name]:
			return &Violation{at, "must not have a member twice"}
		case !s.known(name):
			return &Violation{at, "must have no members but those of the schema, in the schema's case"}
		case len(seen) == maxMembers:
			return &Violation{at, "must have fewer members"}
		}
		seen[name] = true
		if v := s.value(at+"/"+name, depth); v != nil {
			return v
		}
	}
	return s.end(at)
}

// array scans the rest of an array.
func (s *scanner) array(at string, depth int) *Violation {
	for i := 0; s.dec.More(); i++ {
		if i == maxElements {
			return &Violation{at, "must have fewer items"}
		}
		if v := s.value(at+"/"+strconv.Itoa(i), depth); v != nil {
			return v
		}
	}
	return s.end(at)
}

// end takes the closing bracket; the decoder sees to it that it is the right one.
func (s *scanner) end(at string) *Violation {
	if _, err := s.dec.Token(); err != nil {
		return &Violation{at, notJSON}
	}
	return nil
}

func (s *scanner) value(at string, depth int) *Violation {
	t, err := s.dec.Token()
	switch {
	case err != nil:
		return &Violation{at, notJSON}
	case t == nil:
		return &Violation{at, "must not be null: leave the member out"}
	case depth == maxDepth:
		return &Violation{at, "must not be nested so deeply"}
	case t == json.Delim('{'):
		return s.object(at, depth+1)
	case t == json.Delim('['):
		return s.array(at, depth+1)
	}
	if n, ok := t.(json.Number); ok {
		if _, err := n.Float64(); err != nil {
			return &Violation{at, "must be a number in range"}
		}
	}
	return nil
}
