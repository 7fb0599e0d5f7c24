package pseudonym

import (
	"crypto/rand"
	"fmt"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

// Holders make a shared key together, and nobody ever has it whole: each deals shares of
// a random polynomial of his own ([Deal]), and the key is the sum of all (Pedersen,
// "A Threshold Cryptosystem without a Trusted Party", EUROCRYPT 1991). What is dealt
// comes with commitments by which every share is checked (Feldman, FOCS 1987). All
// holders must take part: with one that checks nothing, a dealer could choose the key.

// Dealing is what is public of a dealer's polynomial: Threshold group elements.
type Dealing [][]byte

// Deal makes a dealing and its shares, 32 bytes each, that of holder n at n-1. A share is
// for its holder alone.
func Deal(threshold, holders int) (Dealing, [][]byte, error) {
	if threshold < 2 || threshold > holders || holders > MaxHolders {
		return nil, nil, fmt.Errorf("dealing shares: %d of %d holders: %w", threshold, holders, ErrTerms)
	}
	ss := secretsharing.New(rand.Reader, uint(threshold-1), group.Ristretto255.RandomNonZeroScalar(rand.Reader))
	var d Dealing
	for _, c := range ss.CommitSecret() {
		b, err := c.MarshalBinaryCompress()
		if err != nil {
			return nil, nil, fmt.Errorf("dealing shares: %w", ErrElement)
		}
		d = append(d, b)
	}
	var shares [][]byte
	for _, s := range ss.Share(uint(holders)) {
		b, err := s.Value.MarshalBinary()
		if err != nil {
			return nil, nil, fmt.Errorf("dealing shares: %w", ErrElement)
		}
		shares = append(shares, b)
	}
	return d, shares, nil
}

// Join puts together what all dealers, who are the holders, dealt to the holder of that
// number, from 1: his share of the key, and the terms, which are the same for everyone.
// A dealing or share that is not right is a [*HolderError] that names the dealer.
func Join(holder int, dealings []Dealing, shares [][]byte) (share []byte, t Terms, err error) {
	n := len(dealings)
	if n < 2 || n > MaxHolders || holder < 1 || holder > n || len(shares) != n {
		return nil, Terms{}, fmt.Errorf("joining: %w", ErrTerms)
	}
	threshold := len(dealings[0])
	if threshold < 2 || threshold > n {
		return nil, Terms{}, fmt.Errorf("joining: %d of %d holders: %w", threshold, n, ErrTerms)
	}
	sum := group.Ristretto255.NewScalar()
	points := make([]group.Element, threshold)
	for d, dealing := range dealings {
		s, commitments, err := open(holder, threshold, dealing, shares[d])
		if err != nil {
			return nil, Terms{}, fmt.Errorf("joining: %w", &HolderError{d + 1, err})
		}
		sum.Add(sum, s)
		for i, c := range commitments {
			if points[i] == nil {
				points[i] = group.Ristretto255.Identity()
			}
			points[i].Add(points[i], c)
		}
	}
	if t, err = termsOf(points, n); err != nil {
		return nil, Terms{}, fmt.Errorf("joining: %w", err)
	}
	if share, err = sum.MarshalBinary(); err != nil {
		return nil, Terms{}, fmt.Errorf("joining: %w", ErrKey)
	}
	return share, t, nil
}

// open checks what one dealer dealt to a holder.
func open(holder, threshold int, dealing Dealing, share []byte) (group.Scalar, []group.Element, error) {
	if len(dealing) != threshold {
		return nil, nil, ErrTerms
	}
	commitments := make([]group.Element, threshold)
	for i, b := range dealing {
		c, err := parseElement(b)
		if err != nil {
			return nil, nil, err
		}
		commitments[i] = c
	}
	value := group.Ristretto255.NewScalar()
	if len(share) != SeedSize || value.UnmarshalBinary(share) != nil {
		return nil, nil, ErrKey
	}
	if !secretsharing.Verify(uint(threshold-1), secretsharing.Share{ID: scalarOfInt(holder), Value: value}, commitments) {
		return nil, nil, ErrProof
	}
	return value, commitments, nil
}

// termsOf are the terms of the polynomial with these commitments.
func termsOf(commitments []group.Element, holders int) (Terms, error) {
	t := Terms{Threshold: len(commitments)}
	for n := 1; n <= holders; n++ {
		sum := group.Ristretto255.Identity()
		for i := len(commitments) - 1; i >= 0; i-- {
			sum.Mul(sum, scalarOfInt(n))
			sum.Add(sum, commitments[i])
		}
		raw, err := encodeElement(sum)
		if err != nil {
			return Terms{}, ErrTerms
		}
		p, err := ParsePublicKey(raw[:])
		if err != nil {
			return Terms{}, ErrTerms
		}
		t.Holders = append(t.Holders, p)
	}
	_, err := t.Public()
	return t, err
}
