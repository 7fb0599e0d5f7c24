package trust_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/trust"
)

func BenchmarkVerifyChain(b *testing.B) {
	chain, anchors := tokens(b, drafts(b)), []trust.Anchor{anchor(b)}
	for b.Loop() {
		if _, err := trust.VerifyChain(chain, anchors, epoch); err != nil {
			b.Fatal(err)
		}
	}
}
