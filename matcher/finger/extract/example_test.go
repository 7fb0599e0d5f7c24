package extract_test

import (
	"fmt"

	"github.com/tamga-id/tamga/matcher/finger/extract"
)

// A blank picture is no error: what is wrong with it comes as a reason.
func Example() {
	blank := make([]uint8, 300*400)
	m, err := extract.Raw(blank, 300, 400, 500)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := extract.Extract(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(r.Sample.Minutiae), r.Sample.Quality, r.Reasons)
	// Output: 0 0 [no-finger]
}
