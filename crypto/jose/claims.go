package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

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
	if err := scanObject(payload, target.Type(), strict, nil); err != nil {
		fault := &ClaimsError{err: fmt.Errorf("decoding claims: %w", err)}
		if at, ok := errors.AsType[*strictjson.Error](err); ok {
			fault.Offset, fault.Member, fault.Rule = at.Offset, at.Path, at.Rule
		}
		return fault
	}
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
