package node

import (
	"testing"
	"time"
)

// TestAllowance: what a country may have this node remember in a day is bounded, for each country by itself.
func TestAllowance(t *testing.T) {
	var a allowance
	at := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	for i := range maxWithdrawals + 1 {
		if got, want := a.take("UZB", at), i < maxWithdrawals; got != want {
			t.Fatalf("number %d: %v", i+1, got)
		}
	}
	if !a.take("TJK", at) {
		t.Error("another country has none left")
	}
	if a.take("UZB", at.Add(-24*time.Hour)) {
		t.Error("a clock that goes back gives more")
	}
	if !a.take("UZB", at.Add(24*time.Hour)) {
		t.Error("none left on the next day")
	}
}
