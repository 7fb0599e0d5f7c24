package pseudonym

import (
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/secretsharing"
)

// DeriveKey derives with the info of a published vector.
var DeriveKey = deriveKey

// ScalarOf returns the private scalar of k.
func ScalarOf(seed, info []byte) []byte {
	k, err := oprf.DeriveKey(oprf.SuiteRistretto255, oprf.VerifiableMode, seed, info)
	if err != nil {
		panic(err)
	}
	b, err := k.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return b
}

// ElementOf is the element of a raw input.
func ElementOf(k Key, input []byte) (Element, error) { return k.element(input) }

// BlindInput blinds a raw input with a given factor.
func BlindInput(to PublicKey, input, factor []byte) (Blinding, []byte, error) {
	s := group.Ristretto255.NewScalar()
	if err := s.UnmarshalBinary(factor); err != nil {
		return Blinding{}, nil, err
	}
	return blind(to, input, s)
}

// FinalizeInput gives the full 64-byte output beside the element.
func FinalizeInput(b Blinding, response []byte) (Element, []byte, error) {
	return b.finalize(response)
}

// Recover puts the shares of some holders, by their numbers, together.
func Recover(threshold int, shares [][]byte, holders []int) []byte {
	var some []secretsharing.Share
	for _, n := range holders {
		v := group.Ristretto255.NewScalar()
		if err := v.UnmarshalBinary(shares[n-1]); err != nil {
			panic(err)
		}
		some = append(some, secretsharing.Share{ID: scalarOfInt(n), Value: v})
	}
	s, err := secretsharing.Recover(uint(threshold-1), some)
	if err != nil {
		panic(err)
	}
	b, err := s.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return b
}
