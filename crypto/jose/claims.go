package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tamga-id/tamga/crypto/jose/internal/strictjson"
)

// DecodeClaims decodes a payload, which must be one JSON object, into the struct
// or map that v points to. Every member must have a field of exactly its name;
// unknown, duplicate and miscased names, trailing data, invalid UTF-8, lone
// surrogates, more than 16 levels and more than [MaxTokenSize] bytes are errors
// wrapping [ErrMalformed] or [ErrTooLarge]. On error *v is its zero value; on
// success nothing of its former content is left. A type that has its own
// UnmarshalJSON answers for the names inside it. v must be a non-nil pointer.
func DecodeClaims(payload []byte, v any) error { return decodeClaims(payload, v, true) }

// DecodeOpenClaims is [DecodeClaims] for documents whose specification says that
// members not understood are ignored, such as OpenID Federation statements. A
// name that differs from a known one in case only is still an error.
func DecodeOpenClaims(payload []byte, v any) error { return decodeClaims(payload, v, false) }

func decodeClaims(payload []byte, v any, strict bool) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		panic("jose: claims target is not a pointer to a value")
	}
	target = target.Elem()
	target.SetZero()
	if len(payload) > MaxTokenSize {
		return fmt.Errorf("decoding claims: %w", ErrTooLarge)
	}
	flat := newFlat(target)
	if err := scanObject(payload, target.Type(), strict, flat.take); err != nil {
		target.SetZero()
		fault := &ClaimsError{err: fmt.Errorf("decoding claims: %w", err)}
		if at, ok := errors.AsType[*strictjson.Error](err); ok {
			fault.Offset, fault.Member, fault.Rule = at.Offset, at.Path, at.Rule
		}
		return fault
	}
	if flat.whole {
		return nil
	}
	target.SetZero()
	if err := json.Unmarshal(payload, v); err != nil {
		t := target.Type()
		target.SetZero()
		fault := &ClaimsError{Rule: claimFault(err), err: fmt.Errorf("decoding claims: %w: %s", ErrMalformed, claimFault(err))}
		if at, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			fault.Offset, fault.Member, fault.Rule = int(at.Offset), strictjson.Path(payload, t, int(at.Offset)), "must be "+jsonType(at.Type)
		}
		return fault
	}
	return nil
}

// Said is a string that need not be there, and says something where it is: a member that is empty or null is
// refused, so that nothing can be left out in two ways. Declare it omitempty.
type Said string

// UnmarshalJSON refuses what says nothing with [ErrMalformed].
func (s *Said) UnmarshalJSON(raw []byte) error {
	text, ok := strictjson.String(raw)
	if !ok || text == "" {
		return fmt.Errorf("%w: not a string that says something", ErrMalformed)
	}
	*s = Said(text)
	return nil
}

// flat fills a struct of strings and integers with the members that the scanner passes, which are
// then not scanned and copied twice more by encoding/json: the sealed parts of our own tokens are most of
// their bytes. Whatever is not as plain as that is left to encoding/json.
type flat struct {
	into  reflect.Value
	names []string // of the fields, in their order
	whole bool     // all that was taken is in into
}

// newFlat fills nothing where a field is not exported and plain, under a name of its own.
func newFlat(into reflect.Value) *flat {
	none := &flat{}
	if into.Kind() != reflect.Struct || strictjson.DecodesItself(into.Type()) {
		return none
	}
	f := &flat{into, make([]string, 0, into.NumField()), true}
	for field := range into.Type().Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		plain := field.Type == reflect.TypeFor[string]() || field.Type == reflect.TypeFor[int64]() || field.Type == reflect.TypeFor[Said]()
		if !plain || !field.IsExported() || name == "" || name == "-" || options != "" && options != "omitempty" || slices.Contains(f.names, name) {
			return none
		}
		f.names = append(f.names, name)
	}
	return f
}

// take is called with each member in its turn.
func (f *flat) take(name, value []byte) error {
	if !f.whole {
		return nil
	}
	if at := slices.IndexFunc(f.names, func(n string) bool { return n == string(name) }); at >= 0 {
		f.whole = set(f.into.Field(at), value)
	}
	return nil
}

// set reports that value was one for the plain field.
func set(field reflect.Value, value []byte) bool {
	if field.Kind() == reflect.String {
		text, ok := strictjson.String(value)
		field.SetString(text)
		return ok && (text != "" || field.Type() != reflect.TypeFor[Said]())
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	field.SetInt(n)
	return err == nil
}

// ClaimsError says where a text breaks which rule, for those who show a fault to the
// person who can mend it. Like its message it names no value, and no member that the
// target type does not have: such a name is "?". It wraps ErrMalformed.
type ClaimsError struct {
	Offset int    // in bytes, where the fault was noticed; 0 when that is not known
	Member string // path of the innermost member around it, such as "a.b[2]"; empty for the whole text
	Rule   string
	err    error
}

func (e *ClaimsError) Error() string { return e.err.Error() }

// Unwrap returns an error that wraps ErrMalformed.
func (e *ClaimsError) Unwrap() error { return e.err }

// jsonType is what a Go type wants of a JSON text.
func jsonType(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number in range"
	}
	return "an integer in range"
}

// claimFault describes a decoding error without its text: encoding/json quotes
// numbers, package time quotes dates, and both may be a person's.
func claimFault(err error) string {
	if fault, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && fault.Field != "" {
		return fmt.Sprintf("member %s has the wrong type or range", strictjson.Quote(fault.Field))
	}
	for _, own := range [...]error{ErrKey, ErrAlgorithm, ErrTooLarge, ErrMalformed} {
		if errors.Is(err, own) {
			return "a member was refused: " + own.Error()
		}
	}
	return "a member has a value its type refuses"
}
