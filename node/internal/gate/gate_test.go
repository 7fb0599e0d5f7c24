package gate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/tamga-id/tamga/node/internal/gate"
)

// TestGate: who wants to close the gate is not kept from it by those who come later.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate.Gate
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		if g.TryClose() {
			t.Fatal("closed while somebody reads")
		}
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan error, 1)
		go func() { given <- g.Enter(ctx) }()
		entered := false
		go func() { entered = g.Enter(t.Context()) == nil }()
		synctest.Wait()
		cancel()
		if err := <-given; !errors.Is(err, context.Canceled) || entered {
			t.Errorf("%v, %v: entered while the gate is wanted", err, entered)
		}
		g.Leave()
		for range 2 { // by two
			if !g.TryClose() {
				t.Fatal("not closed though nobody reads")
			}
		}
		g.Open()
		synctest.Wait()
		if entered {
			t.Error("entered while it is closed by another")
		}
		g.Open()
		synctest.Wait()
		if !entered || g.TryClose() {
			t.Error("not entered once it is open")
		}
		g.Relent()
		if err := g.Enter(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
