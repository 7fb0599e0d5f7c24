package metadatapolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// value is a JSON value with a form by which it is compared: two are equal when their
// keys are.
type value struct {
	raw json.RawMessage
	key string
}

func (v value) isNull() bool { return v.key == "null" }

func parseValue(raw json.RawMessage) (value, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return value{}, errors.New("not a JSON value")
	}
	var b strings.Builder
	writeKey(&b, v)
	return value{raw, b.String()}, nil
}

// writeKey writes members in order and numbers in one spelling.
func writeKey(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(strconv.Quote(name))
			b.WriteByte(':')
			writeKey(b, v[name])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for _, e := range v {
			writeKey(b, e)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case string:
		b.WriteString(strconv.Quote(v))
	case json.Number:
		b.WriteString(numberKey(string(v)))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		b.WriteString("null")
	}
}

// numberKey makes 1, 1.0 and 1e0 the same, as far as a double tells numbers apart;
// integers of any size keep their digits.
func numberKey(s string) string {
	if !strings.ContainsAny(s, ".eE") && s != "-0" {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	if f == 0 {
		return "0"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// set is an array without repetitions, in its order.
type set []value

func (s set) has(v value) bool {
	return slices.ContainsFunc(s, func(e value) bool { return e.key == v.key })
}

func (s set) within(other set) bool {
	keys := other.keys()
	return !slices.ContainsFunc(s, func(v value) bool { return !keys[v.key] })
}

func (s set) keys() map[string]bool {
	keys := make(map[string]bool, len(s))
	for _, v := range s {
		keys[v.key] = true
	}
	return keys
}

func (s set) union(other set) set {
	out, keys := slices.Clone(s), s.keys()
	for _, v := range other {
		if !keys[v.key] {
			keys[v.key] = true
			out = append(out, v)
		}
	}
	return out
}

func (s set) intersection(other set) set {
	out, keys := set{}, other.keys()
	for _, v := range s {
		if keys[v.key] {
			out = append(out, v)
		}
	}
	return out
}

// value is the set as a JSON array.
func (s set) value() value {
	var raw, key bytes.Buffer
	raw.WriteByte('[')
	key.WriteByte('[')
	for i, v := range s {
		if i > 0 {
			raw.WriteByte(',')
		}
		raw.Write(v.raw)
		key.WriteString(v.key)
		key.WriteByte(',')
	}
	raw.WriteByte(']')
	key.WriteByte(']')
	return value{raw.Bytes(), key.String()}
}

// set reads an array. ok is false for anything else.
func (v value) set() (set, bool) {
	var list []json.RawMessage
	if json.Unmarshal(v.raw, &list) != nil || list == nil {
		return nil, false
	}
	out := set{}
	for _, raw := range list {
		e, err := parseValue(raw)
		if err != nil {
			return nil, false
		}
		out = append(out, e)
	}
	return set{}.union(out), true
}

// split turns the string of space-separated values that is a scope into an array;
// what is no string stays as it is.
func (v value) split() value {
	var s string
	if json.Unmarshal(v.raw, &s) != nil || v.isNull() {
		return v
	}
	b, err := json.Marshal(strings.Fields(s))
	if err != nil {
		return v
	}
	out, err := parseValue(b)
	if err != nil {
		return v
	}
	return out
}

// join is the opposite of split.
func (v value) join() value {
	var list []string
	if json.Unmarshal(v.raw, &list) != nil {
		return v
	}
	b, err := json.Marshal(strings.Join(list, " "))
	if err != nil {
		return v
	}
	out, err := parseValue(b)
	if err != nil {
		return v
	}
	return out
}
