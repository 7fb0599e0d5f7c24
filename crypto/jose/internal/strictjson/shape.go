package strictjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// shape is what a Go type expects of the JSON value it is decoded from, as far
// as member names go. The zero shape expects nothing.
type shape struct {
	isStruct bool
	fields   []field
	element  reflect.Type // of a map, slice or array
}

type field struct {
	name string
	typ  reflect.Type
}

// shapeOf follows encoding/json. A type with its own UnmarshalJSON sees to its
// own names; t may be nil.
func shapeOf(t reflect.Type) shape {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || DecodesItself(t) {
		return shape{}
	}
	switch t.Kind() {
	case reflect.Struct:
		return shape{isStruct: true, fields: appendFields(nil, t)}
	case reflect.Map, reflect.Slice, reflect.Array:
		return shape{element: t.Elem()}
	default:
		return shape{}
	}
}

// known is the name, to follow a text, when the type has it; a sender's own name is
// not repeated.
func (s shape) known(name []byte) string {
	if !s.has(name) {
		return ""
	}
	return " " + Quote(name)
}

// step is the name in a path.
func (s shape) step(name []byte) string {
	if !s.has(name) {
		return "?"
	}
	return string(name)
}

func (s shape) has(name []byte) bool {
	return slices.ContainsFunc(s.fields, func(f field) bool { return f.name == string(name) })
}

// DecodesItself reports that encoding/json leaves the text of a t to t's own method.
func DecodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// appendFields lists the members of t, those of untagged embedded structs
// included.
func appendFields(fields []field, t reflect.Type) []field {
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		if f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				fields = appendFields(fields, inner)
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields = append(fields, field{name, f.Type})
	}
	return fields
}
