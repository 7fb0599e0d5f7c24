package jose

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/tamga-id/tamga/crypto/jose/internal/strictjson"
)

// scanObject is [strictjson.Object] with faults under ErrMalformed.
func scanObject(data []byte, t reflect.Type, strict bool, visit func(name, value []byte) error) error {
	return malformed(strictjson.Object(data, t, strict, visit))
}

// scanArray is [strictjson.Array] with faults under ErrMalformed.
func scanArray(data []byte, visit func(value []byte) error) error {
	return malformed(strictjson.Array(data, visit))
}

// malformed leaves visitors' errors as they are.
func malformed(err error) error {
	if _, fault := errors.AsType[*strictjson.Error](err); fault && !errors.Is(err, ErrMalformed) {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return err
}

// stringValues decodes an array of strings that was scanned.
func stringValues(raw []byte) ([]string, error) {
	out := []string{}
	err := scanArray(raw, func(value []byte) error {
		s, err := stringValue(value)
		out = append(out, s)
		return err
	})
	return out, err
}

// stringValue decodes a value that was scanned.
func stringValue(raw []byte) (string, error) {
	text, ok := strictjson.String(raw)
	if !ok {
		return "", fmt.Errorf("%w: not a JSON string", ErrMalformed)
	}
	return text, nil
}
