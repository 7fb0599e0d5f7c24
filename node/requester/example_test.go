package requester_test

import (
	"context"
	"fmt"

	"github.com/tamga-id/tamga/federation/transport"
)

// A peer that cannot be reached is unavailable, which is not a "no"; the attempt and
// its outcome are in the own ledger.
func Example() {
	w := newWorld() // a Requester and what it needs
	w.peer = func(context.Context, asked) ([]byte, error) { return nil, transport.ErrUnreachable }
	result, err := w.Verify(context.Background(), request())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Outcome, result.Code, result.Outcome.Accepted())
	for _, leaf := range w.leaves {
		fmt.Printf("%s %q\n", leaf.Kind, leaf.Code)
	}
	// Output:
	// unavailable TMG-NET-0001 false
	// intent ""
	// verdict "TMG-NET-0001"
}
