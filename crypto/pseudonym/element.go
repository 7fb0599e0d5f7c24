package pseudonym

import (
	"crypto/sha512"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
)

// ElementSize is the length of an element: a ristretto255 one, compressed.
const ElementSize = 32

const (
	labelPseudonym = "tamga/v1/pseudonym\x00"
	// hashDST is that of HashToGroup in RFC 9497 sections 3.1 and 4.1.
	hashDST = "HashToGroup-OPRFV1-\x01-ristretto255-SHA512"
)

// Element is what a pseudonym is the hash of, and what is kept, sealed, of a person so
// that the key can be replaced. It is personal data like the pseudonym, comparable, and
// prints as a redaction mark. The zero value is nobody's.
type Element [ElementSize]byte

// Pseudonym is the pseudonym of the element.
func (e Element) Pseudonym() Pseudonym {
	h := sha512.New()
	h.Write([]byte(labelPseudonym))
	h.Write(e[:])
	return Pseudonym(h.Sum(nil)[:Size])
}

// Element normalises id and evaluates it. It returns [ErrIdentifier] for an
// identifier outside the rule and [ErrKey] on the zero key.
func (k Key) Element(id Identifier) (Element, error) {
	id, err := id.Normalize()
	if err != nil {
		return Element{}, fmt.Errorf("computing pseudonym: %w", err)
	}
	if k.IsZero() {
		return Element{}, fmt.Errorf("computing pseudonym: %w", ErrKey)
	}
	input := id.Canonical()
	defer clear(input)
	e, err := k.element(input)
	if err != nil {
		return Element{}, fmt.Errorf("computing pseudonym: %w", err)
	}
	return e, nil
}

func (k Key) element(input []byte) (Element, error) {
	point := group.Ristretto255.HashToElement(input, []byte(hashDST))
	return encodeElement(point.Mul(point, k.open().scalar))
}

// Update gives the element under k of what e is the element of under the key old. It
// returns [ErrKey] when either key is zero and [ErrElement] for bytes that are no
// element. That e was made under old it cannot tell.
func (k Key) Update(old Key, e Element) (Element, error) {
	if k.IsZero() || old.IsZero() {
		return Element{}, fmt.Errorf("updating pseudonym: %w", ErrKey)
	}
	point, err := parseElement(e[:])
	if err != nil {
		return Element{}, fmt.Errorf("updating pseudonym: %w", err)
	}
	ratio := group.Ristretto255.NewScalar().Inv(old.open().scalar)
	ratio.Mul(ratio, k.open().scalar)
	out, err := encodeElement(point.Mul(point, ratio))
	if err != nil {
		return Element{}, fmt.Errorf("updating pseudonym: %w", err)
	}
	return out, nil
}

func encodeElement(point group.Element) (Element, error) {
	b, err := point.MarshalBinaryCompress()
	if err != nil || len(b) != ElementSize || point.IsIdentity() {
		return Element{}, ErrElement
	}
	return Element(b), nil
}

func scalarOf(k *oprf.PrivateKey) (group.Scalar, error) {
	b, err := k.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer clear(b)
	s := group.Ristretto255.NewScalar()
	return s, s.UnmarshalBinary(b)
}

const redactedElement = "pseudonym-element(redacted)"

// LogValue implements [slog.LogValuer] without the value.
func (Element) LogValue() slog.Value { return slog.StringValue(redactedElement) }

// Format implements [fmt.Formatter] without the value, whatever the verb. As with
// [Pseudonym], fmt cannot call it on an unexported field.
func (Element) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedElement) }

// MarshalJSON writes the redaction mark, for JSON logs. An element is not meant to travel.
func (Element) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedElement + `"`), nil }
