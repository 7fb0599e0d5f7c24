package redacttest

import (
	"strings"
	"testing"
)

// TestRedactionDetector makes sure the search finds what it searches for.
func TestRedactionDetector(t *testing.T) {
	secret := []byte("\x9cKLMNOPQ")
	type leaky struct{ b []byte }
	found := 0
	for _, out := range printings(leaky{secret}) {
		for _, mark := range renderings(secret[:6]) {
			if strings.Contains(out, mark) {
				found++
				break
			}
		}
	}
	if found < 8 {
		t.Fatalf("a leaking type was caught in %d printings, want at least 8", found)
	}
}
