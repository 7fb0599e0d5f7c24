package consent

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Unverified is what an artefact says of itself: for who shows it, or withdraws it. Nobody
// may act on it. It prints as a redaction mark, too.
type Unverified struct{ claimed Consent }

// Claimed is what it says. That of an order is an exemption without a second officer.
func (u Unverified) Claimed() Consent { return u.claimed }

// LogValue implements [slog.LogValuer] without the fields.
func (Unverified) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format implements [fmt.Formatter] without the fields, whatever the verb.
func (Unverified) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// Parse reads an artefact without verifying anything but its form. Its only error is
// [ErrMalformed].
func Parse(token string) (Unverified, error) {
	c, err := claimed(token)
	if err != nil {
		return Unverified{}, fmt.Errorf("parsing consent: %w", err)
	}
	return Unverified{c}, nil
}

func claimed(token string) (Consent, error) {
	u, err := parse(token)
	if err != nil {
		return Consent{}, err
	}
	second := ""
	switch u.Type() {
	case Type, TypeAttestation, TypeOrder:
	case TypeExemption:
		var outer countersigned
		if err := jose.DecodeClaims(u.Payload(), &outer); err != nil {
			return Consent{}, fmt.Errorf("%v: %w", err, ErrMalformed)
		}
		if u, err = parse(outer.Order); err != nil {
			return Consent{}, err
		}
		if u.Type() != TypeOrder || !visible(outer.Officer, maxName) {
			return Consent{}, malformed("order")
		}
		second = outer.Officer
	default:
		return Consent{}, fmt.Errorf("typ is another: %w", ErrMalformed)
	}
	cl, err := decode(u)
	if err != nil {
		return Consent{}, err
	}
	if err := cl.validate(u.Type()); err != nil {
		return Consent{}, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	c := cl.consent(u.Type())
	c.Exemption.Second = second
	return c, nil
}
