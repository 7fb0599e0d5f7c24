package node

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestGate: who wants to close the gate is not kept from it by those who come later.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		if g.tryClose() {
			t.Fatal("closed while somebody reads")
		}
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan error, 1)
		go func() { given <- g.enter(ctx) }()
		entered := false
		go func() { entered = g.enter(t.Context()) == nil }()
		synctest.Wait()
		cancel()
		if err := <-given; !errors.Is(err, context.Canceled) || entered {
			t.Errorf("%v, %v: entered while the gate is wanted", err, entered)
		}
		g.leave()
		for range 2 { // by two
			if !g.tryClose() {
				t.Fatal("not closed though nobody reads")
			}
		}
		g.open()
		synctest.Wait()
		if entered {
			t.Error("entered while it is closed by another")
		}
		g.open()
		synctest.Wait()
		if !entered || g.tryClose() {
			t.Error("not entered once it is open")
		}
		g.relent()
		if err := g.enter(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
