package pseudonym

import (
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
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

// EvaluateInput is the full 64-byte output for a raw input.
func EvaluateInput(k Key, input []byte) ([]byte, error) { return k.open().server.FullEvaluate(input) }

// BlindInput blinds a raw input with a given factor.
func BlindInput(to PublicKey, input, factor []byte) (Blinding, []byte, error) {
	s := group.Ristretto255.NewScalar()
	if err := s.UnmarshalBinary(factor); err != nil {
		return Blinding{}, nil, err
	}
	return blind(to, input, s)
}

// FinalizeInput is the full 64-byte output.
func FinalizeInput(b Blinding, response []byte) ([]byte, error) { return b.finalize(response) }
