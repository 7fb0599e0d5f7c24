package trust_test

import (
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
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

// TestEveryNodeAbovePins: a country's node that vouches for a foreign one, which nobody takes
// for a member, makes no foreign nodes below that either.
func TestEveryNodeAbovePins(t *testing.T) {
	chain := func(country string) trust.Chain {
		t.Helper()
		pin := func(country, peer string) map[string]any {
			return map[string]any{"tamga_node": map[string]any{"jurisdiction": country, "peer_id": peer}}
		}
		ds := drafts(t)
		ds[0].claims["metadata"].(map[string]any)["tamga_node"].(map[string]any)["jurisdiction"] = country
		ds[1].claims["metadata"] = pin(country, testpeer.ID("KAZ"))
		const outerID = "https://outer.example"
		inner := draft{map[string]any{}, outerID, statementTyp}
		for k, v := range ds[2].claims {
			inner.claims[k] = v
		}
		delete(inner.claims, "constraints")
		inner.claims["iss"], inner.claims["metadata"] = outerID, pin(country, testpeer.ID("inner"))
		ds[2].claims["sub"], ds[2].claims["jwks"] = outerID, asMap(t, keySet(t, outerID))
		ds[2].claims["constraints"] = map[string]any{"max_path_length": 2}
		ds[2].claims["metadata"] = pin("KAZ", testpeer.ID("outer"))
		c, err := trust.VerifyChain(tokens(t, []draft{ds[0], ds[1], inner, ds[2], ds[3]}), []trust.Anchor{anchor(t)}, epoch)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if n, err := chain("KAZ").Node(); err != nil || n.Under != intermediateID {
		t.Errorf("got a node under %q, error %v", n.Under, err)
	}
	_, err := chain("UZB").Node()
	wantRule(t, err, "foreign-jurisdiction", 0)
}
