package pseudonym_test

import (
	"bytes"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

func Example() {
	key, err := pseudonym.NewKey(bytes.Repeat([]byte{1}, pseudonym.SeedSize))
	if err != nil {
		panic(err)
	}
	id := pseudonym.Identifier{Jurisdiction: "kaz", Type: pseudonym.IDPassport, Value: "N 1234-5678"}

	// A node with its own key.
	direct, err := key.Element(id)
	if err != nil {
		panic(err)
	}

	// The same with the key kept apart: only request and response travel.
	blinding, request, err := pseudonym.Blind(key.Public(), id)
	if err != nil {
		panic(err)
	}
	response, err := key.Evaluate(request)
	if err != nil {
		panic(err)
	}
	blind, err := blinding.Finalize(response)
	fmt.Println(blind == direct, err)
	fmt.Println(direct.Pseudonym(), id)
	// Output:
	// true <nil>
	// pseudonym(redacted) identifier(redacted)
}
