package envelope_test

import (
	"bytes"
	"fmt"

	"github.com/tamga-id/tamga/crypto/envelope"
)

func Example() {
	kek, err := envelope.NewKEK() // in earnest kept in the keystore, under the root
	if err != nil {
		panic(err)
	}
	ring, err := envelope.NewRing(map[uint32][]byte{1: kek}, 1)
	if err != nil {
		panic(err)
	}
	pseudonym := bytes.Repeat([]byte{2}, 32)
	aad := envelope.AAD{
		Node: "https://kaz.example", Pseudonym: pseudonym,
		Modality: "finger", Format: "iso-19794-2-2005",
		Version: 1, KeyGeneration: ring.Current(),
	}

	// Enrolment stores wrapped and sealed.
	dek, wrapped, err := ring.NewDEK(pseudonym)
	if err != nil {
		panic(err)
	}
	sealed, err := dek.Seal(aad, []byte("template"))
	if err != nil {
		panic(err)
	}
	dek.Wipe()

	// Reading it back.
	dek, err = ring.UnwrapDEK(pseudonym, wrapped)
	if err != nil {
		panic(err)
	}
	defer dek.Wipe()
	template, err := dek.Open(aad, sealed)
	fmt.Printf("%s %v\n", template, err)

	// The same bytes as a newer version of the record.
	aad.Version = 2
	_, err = dek.Open(aad, sealed)
	fmt.Println(err)
	// Output:
	// template <nil>
	// opening record: sealed bytes refused
}
