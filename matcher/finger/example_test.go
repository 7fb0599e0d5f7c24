package finger_test

import (
	"fmt"

	"github.com/tamga-id/tamga/matcher/finger"
)

// A probe is compared with a reference and the score held against the threshold
// of the false match rate that the purpose demands.
func Example() {
	var reference, probe finger.Sample
	for i := range 30 { // an invented finger, and the same 12 pixels further right
		x, y, angle := uint16(40+i*53%230), uint16(40+i*97%310), uint8(i*41)
		reference.Minutiae = append(reference.Minutiae, finger.Minutia{X: x, Y: y, Angle: angle})
		probe.Minutiae = append(probe.Minutiae, finger.Minutia{X: x + 12, Y: y, Angle: angle})
	}
	a, err := finger.Prepare(probe)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Wipe()
	b, err := finger.Prepare(reference)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Wipe()
	threshold, err := finger.Threshold(10000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("mated:", finger.Compare(a, b) >= threshold)
	fmt.Println(a)
	// Output:
	// mated: true
	// template(redacted)
}
