package wirebench_test

import (
	"os"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/wirebench"
)

// TestWires builds the program, which takes a network and minutes when nothing is cached, so it is asked for.
func TestWires(t *testing.T) {
	if os.Getenv("TAMGA_WIRES") == "" {
		t.Skip("building other makers' transports takes a module proxy: set TAMGA_WIRES=1")
	}
	wires, err := wirebench.Start(t.Context(), t.TempDir(), wirebench.Bytes{Request: 3000, Reply: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(wires) != 5 {
		t.Errorf("%d transports, want 5", len(wires))
	}
	for _, w := range wires {
		s, err := w.Run(4, 200*time.Millisecond)
		if err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
		if len(s.Took) == 0 || s.PerSecond <= 0 {
			t.Errorf("%s moved nothing", w.Name)
		}
		t.Logf("%s: %.0f/s", w.Name, s.PerSecond)
		if err := w.Close(); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
}
