package signature_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/signature"
)

// TestThresholdHoldsWithFewerChannels: the threshold comes from signatures with pressure and
// slant, and must hold for those without, too. 1 in 100 of 400 forgeries are 4, and 10 are within
// three standard deviations.
func TestThresholdHoldsWithFewerChannels(t *testing.T) {
	load(t) // skips or fails without the data
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	limit, err := signature.Threshold(100)
	if err != nil {
		t.Fatal(err)
	}
	for _, has := range [][2]bool{{false, true}, {true, false}, {false, false}} {
		passed := 0
		for u := 1; u <= writers; u++ {
			var all [each + 1]*signature.Template
			for k := 1; k <= each; k++ {
				raw, err := os.ReadFile(filepath.Join(root, "data", "signature", "svc2004", fmt.Sprintf("U%dS%d.TXT", u, k)))
				if err != nil {
					t.Fatal(err)
				}
				s, err := svc2004.Decode(raw)
				if err != nil {
					t.Fatal(err)
				}
				s.HasPressure, s.HasAngles = has[0], has[1]
				all[k] = prepare(t, s)
			}
			r, err := signature.NewReference(all[1:6]...)
			if err != nil {
				t.Fatal(err)
			}
			for _, forgery := range all[genuine+1:] {
				if score(t, forgery, r) >= limit {
					passed++
				}
			}
		}
		if passed > 10 {
			t.Errorf("pressure %t, angles %t: %d of 400 forgeries reach the threshold of 1 in 100", has[0], has[1], passed)
		}
	}
}
