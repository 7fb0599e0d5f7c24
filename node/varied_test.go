package node

import (
	"testing"
	"time"
)

// TestVaried: no two intervals need be the same, and all are within a tenth.
func TestVaried(t *testing.T) {
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := varied(time.Minute)
		least, most = min(least, d), max(most, d)
	}
	if least < 54*time.Second || most > 66*time.Second || most-least < 6*time.Second {
		t.Errorf("from %s to %s", least, most)
	}
}
