package trust_test

import (
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// TestWithdrawnAnchorKey: who has a key that the Anchor has withdrawn puts the Entity
// Configuration that still named it, and that has not run out, behind what he signs.
func TestWithdrawnAnchorKey(t *testing.T) {
	chain := func(signer string) []string {
		ds := drafts(t)
		ds[2].key = signer
		ds[3].claims["jwks"] = asMap(t, keySet(t, anchorID, "withdrawn"))
		return tokens(t, ds)
	}
	now := epoch.Add(2 * time.Hour)
	for _, tc := range []struct {
		name, signer string
		since        time.Time
		ok           bool
	}{
		{"not-heard-of", "withdrawn", time.Time{}, true},
		{"named-still", "withdrawn", epoch, true},
		{"withdrawn-since", "withdrawn", epoch.Add(time.Hour), false},
		{"other-key", anchorID, epoch.Add(time.Hour), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := anchor(t)
			a.Since = tc.since
			c, err := trust.VerifyChain(chain(tc.signer), []trust.Anchor{a}, now)
			if tc.ok {
				if err != nil {
					t.Fatal(err)
				}
				if withdrawn := c.AnchorKeys.Len() != 2; withdrawn != tc.since.After(epoch) {
					t.Errorf("marks count under %d keys of the anchor", c.AnchorKeys.Len())
				}
				return
			}
			wantRule(t, err, "unknown-key", 2)
		})
	}
}
