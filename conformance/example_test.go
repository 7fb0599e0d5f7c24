package conformance_test

import (
	"fmt"

	"github.com/tamga-id/tamga/conformance"
)

// What a laboratory reads before it runs anything: which cases show a requirement.
func ExampleCases() {
	for _, c := range conformance.Cases() {
		for _, r := range c.Requirements {
			if r == "TMG-Q-008" {
				fmt.Println(c.ID, c.Title, c.Negative)
			}
		}
	}
	// Output: TMG-CONF-Q-043 an expired Query is refused true
}
