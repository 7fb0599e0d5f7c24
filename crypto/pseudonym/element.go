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
	// contextString is that of RFC 9497 sections 3.1 and 4.1.
	contextString = "OPRFV1-\x01-ristretto255-SHA512"
	hashDST       = "HashToGroup-" + contextString
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
// identifier outside the rule, [ErrKey] on the zero key, and [ErrHolders] when too few
// holders of a shared one answered.
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
	return k.times(point)
}

// times multiplies a point by the key.
func (k Key) times(point group.Element) (Element, error) {
	s := k.open()
	if s.shared == nil {
		return encodeElement(point.Mul(point, s.scalar))
	}
	out, err := s.shared.evaluate(point)
	if err != nil {
		return Element{}, err
	}
	return encodeElement(out)
}

// Update gives the element under k of what e is the element of under the key old. It
// returns [ErrKey] when either key is zero and [ErrElement] for bytes that are no
// element. That e was made under old it cannot tell. Towards a shared key the holders are
// asked; away from one it returns [ErrShared], unless k is known to be its multiple ([Key.After]).
func (k Key) Update(old Key, e Element) (Element, error) {
	if k.IsZero() || old.IsZero() {
		return Element{}, fmt.Errorf("updating pseudonym: %w", ErrKey)
	}
	point, err := parseElement(e[:])
	if err != nil {
		return Element{}, fmt.Errorf("updating pseudonym: %w", err)
	}
	if k.Equal(old) {
		return e, nil
	}
	if old.open().shared != nil && k.open().factor != nil && k.open().before.Equal(old.Public()) {
		return encodeElement(point.Mul(point, k.open().factor))
	}
	if old.open().shared != nil {
		return Element{}, fmt.Errorf("updating pseudonym: %w", ErrShared)
	}
	ratio := group.Ristretto255.NewScalar().Inv(old.open().scalar)
	var out Element
	if s := k.open(); s.shared == nil {
		out, err = encodeElement(point.Mul(point, ratio.Mul(ratio, s.scalar)))
	} else {
		out, err = k.times(point.Mul(point, ratio))
	}
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
