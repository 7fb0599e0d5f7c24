package signature_test

import (
	"fmt"

	"github.com/tamga-id/tamga/matcher/signature"
)

func ExampleCompare() {
	var enrolled []*signature.Template
	for time := range uint64(5) {
		t, err := signature.Prepare(invented(1, time, 0.05))
		if err != nil {
			panic(err)
		}
		defer t.Wipe()
		enrolled = append(enrolled, t)
	}
	reference, err := signature.NewReference(enrolled...)
	if err != nil {
		panic(err)
	}
	defer reference.Wipe()
	for _, writer := range []uint64{1, 2} {
		probe, err := signature.Prepare(invented(writer, 99, 0.05))
		if err != nil {
			panic(err)
		}
		score, err := signature.Compare(probe, reference)
		if err != nil {
			panic(err)
		}
		fmt.Println(score > 0.45, probe)
	}
	// Output:
	// true template(redacted)
	// false template(redacted)
}
