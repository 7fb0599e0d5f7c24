package iris_test

import (
	"fmt"

	"github.com/tamga-id/tamga/matcher/iris"
)

func ExampleCompare() {
	first := invented(1)
	second := noisy(rotated(first, 3), 2, 0.08) // the same eye, head tilted
	probe, err := iris.Prepare(second)
	if err != nil {
		panic(err)
	}
	defer probe.Wipe()
	reference, err := iris.Prepare(first)
	if err != nil {
		panic(err)
	}
	defer reference.Wipe()
	result, err := iris.Compare(probe, reference)
	if err != nil {
		panic(err)
	}
	fmt.Println(result.Score > 0.8, result.Bits > 1000, probe)
	// Output: true true template(redacted)
}
