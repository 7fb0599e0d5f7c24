package pseudonym

import (
	"bytes"
	"fmt"

	"github.com/cloudflare/circl/group"
)

// A shared key is replaced by a multiple of itself: each holder multiplies his share by a
// random factor, which makes shares of the multiple, as Shamir's are linear; and who has
// the factor moves elements by one multiplication and nobody's help. Without the factor,
// which is destroyed when nobody lies under the key before, what was stolen of that says
// nothing of the one after: this is the update token of "The Pythia PRF Service".

// NewFactor makes a random factor, [SeedSize] bytes. It is a secret of the holders and
// the node.
func NewFactor() ([]byte, error) {
	b, err := group.Ristretto255.RandomNonZeroScalar(nil).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("making factor: %w", ErrKey)
	}
	return b, nil
}

// parseFactor decodes a scalar, canonical and not zero.
func parseFactor(b []byte) (group.Scalar, error) {
	s := group.Ristretto255.NewScalar()
	if len(b) != SeedSize || s.UnmarshalBinary(b) != nil || s.IsZero() {
		return nil, ErrKey
	}
	if again, err := s.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
		return nil, ErrKey
	}
	return s, nil
}

// InvertFactor gives the factor that undoes a factor, or [ErrKey].
func InvertFactor(factor []byte) ([]byte, error) {
	s, err := parseFactor(factor)
	if err != nil {
		return nil, fmt.Errorf("inverting factor: %w", err)
	}
	return s.Inv(s).MarshalBinary()
}

// MultiplyShare gives the share of the multiple, or [ErrKey].
func MultiplyShare(share, factor []byte) ([]byte, error) {
	s, err := parseFactor(share)
	if err != nil {
		return nil, fmt.Errorf("multiplying share: %w", err)
	}
	f, err := parseFactor(factor)
	if err != nil {
		return nil, fmt.Errorf("multiplying share: %w", err)
	}
	return s.Mul(s, f).MarshalBinary()
}

// Times gives the terms of the multiple, or [ErrKey] or [ErrTerms].
func (t Terms) Times(factor []byte) (Terms, error) {
	out := Terms{Threshold: t.Threshold}
	for _, p := range t.Holders {
		m, err := p.Times(factor)
		if err != nil {
			return Terms{}, fmt.Errorf("multiplying terms: %w", err)
		}
		out.Holders = append(out.Holders, m)
	}
	_, err := out.Public()
	return out, err
}

// Times gives the public key of the multiple, or [ErrKey].
func (p PublicKey) Times(factor []byte) (PublicKey, error) {
	f, err := parseFactor(factor)
	if err != nil || p.IsZero() {
		return PublicKey{}, ErrKey
	}
	point, err := parseElement(p.k.raw)
	if err != nil {
		return PublicKey{}, ErrKey
	}
	raw, err := encodeElement(point.Mul(point, f))
	if err != nil {
		return PublicKey{}, ErrKey
	}
	return ParsePublicKey(raw[:])
}

// After returns k with the knowledge that it is the multiple of old by the factor, so
// that [Key.Update] from old needs no holders. It returns [ErrKey] when that is not so.
func (k Key) After(old PublicKey, factor []byte) (Key, error) {
	if k.IsZero() || k.open().shared == nil {
		return Key{}, fmt.Errorf("joining keys: %w", ErrKey)
	}
	m, err := old.Times(factor)
	if err != nil || !m.Equal(k.Public()) {
		return Key{}, fmt.Errorf("joining keys: %w", ErrKey)
	}
	f, err := parseFactor(factor)
	if err != nil {
		return Key{}, fmt.Errorf("joining keys: %w", err)
	}
	s := *k.open()
	s.before, s.factor = old, f
	return Key{func() *keySecret { return &s }}, nil
}
