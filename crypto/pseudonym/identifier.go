package pseudonym

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

// Values of [Identifier.Type].
const (
	IDPassport       = "passport"
	IDNationalNumber = "national_number"
)

const (
	maxRawValue = 64
	maxValue    = 32

	labelIdentifier = "tamga/v1/identifier"
)

// Identifier names a person the way a document does. It prints as a redaction
// mark, but its fields are plain strings and a Format method is not called on
// an unexported field: do not keep one there in anything that is printed.
type Identifier struct {
	Jurisdiction string // Issuing country, ISO 3166-1 alpha-3.
	Type         string // One of the ID constants.
	Value        string // The number, as written on the document or typed.
}

// Normalize returns the one spelling of id that pseudonyms are computed from,
// by the rule in the package comment, or the zero value and [ErrIdentifier].
// The error names the rule and the byte position, never the value.
func (id Identifier) Normalize() (Identifier, error) {
	jurisdiction, err := normalJurisdiction(id.Jurisdiction)
	if err != nil {
		return Identifier{}, err
	}
	switch id.Type {
	case IDPassport, IDNationalNumber:
	default:
		return Identifier{}, fmt.Errorf("normalizing identifier: type is not a known one: %w", ErrIdentifier)
	}
	value, err := normalValue(id.Value)
	if err != nil {
		return Identifier{}, err
	}
	return Identifier{jurisdiction, id.Type, value}, nil
}

func normalJurisdiction(s string) (string, error) {
	if len(s) != 3 {
		return "", fmt.Errorf("normalizing identifier: jurisdiction is not three letters: %w", ErrIdentifier)
	}
	var out [3]byte
	for i := range out {
		c, ok := upper(s[i])
		if !ok || c < 'A' {
			return "", fmt.Errorf("normalizing identifier: jurisdiction is not three letters: %w", ErrIdentifier)
		}
		out[i] = c
	}
	return string(out[:]), nil
}

func normalValue(s string) (string, error) {
	if len(s) > maxRawValue {
		return "", fmt.Errorf("normalizing identifier: value longer than %d bytes: %w", maxRawValue, ErrIdentifier)
	}
	out := make([]byte, 0, maxRawValue)
	for i := range len(s) {
		switch s[i] {
		case ' ', '-', '_', '.':
			continue
		}
		c, ok := upper(s[i])
		if !ok {
			return "", fmt.Errorf("normalizing identifier: value: byte %d is no ASCII letter, digit or separator: %w", i, ErrIdentifier)
		}
		out = append(out, c)
	}
	if len(out) == 0 || len(out) > maxValue {
		return "", fmt.Errorf("normalizing identifier: value has not 1 to %d letters and digits: %w", maxValue, ErrIdentifier)
	}
	return string(out), nil
}

// upper maps a-z to A-Z and reports whether c is an ASCII letter or digit.
func upper(c byte) (byte, bool) {
	switch {
	case c >= 'a' && c <= 'z':
		return c - ('a' - 'A'), true
	case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return c, true
	}
	return 0, false
}

// Canonical returns the OPRF input of id as it stands, without normalising:
//
//	input = field("tamga/v1/identifier") field(jurisdiction) field(type) field(value)
//	field = u32(length, big endian) bytes
//
// It contains the identifier in clear; clear it after use.
func (id Identifier) Canonical() []byte {
	b := make([]byte, 0, 128)
	for _, f := range []string{labelIdentifier, id.Jurisdiction, id.Type, id.Value} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

const redactedIdentifier = "identifier(redacted)"

// LogValue implements [slog.LogValuer] without the fields.
func (Identifier) LogValue() slog.Value { return slog.StringValue(redactedIdentifier) }

// Format implements [fmt.Formatter] without the fields, whatever the verb.
func (Identifier) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedIdentifier) }

// MarshalJSON writes the redaction mark, for JSON logs. A message that carries
// an identifier names its fields itself.
func (Identifier) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedIdentifier + `"`), nil }
