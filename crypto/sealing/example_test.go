package sealing_test

import (
	"fmt"

	"github.com/tamga-id/tamga/crypto/sealing"
)

func Example() {
	receiver, err := sealing.GenerateKey()
	if err != nil {
		panic(err)
	}
	published := receiver.Public()

	purpose, visible := []byte("tamga/v1/query"), []byte("hash of the visible claims")
	sealed, err := sealing.Seal(published, purpose, visible, []byte("probe"))
	if err != nil {
		panic(err)
	}

	probe, err := receiver.Open(purpose, visible, sealed)
	fmt.Printf("%s %v\n", probe, err)
	_, err = receiver.Open(purpose, []byte("other claims"), sealed)
	fmt.Println(err)
	fmt.Println(receiver)
	// Output:
	// probe <nil>
	// opening sealed message: refused
	// sealing-private-key(redacted)
}
