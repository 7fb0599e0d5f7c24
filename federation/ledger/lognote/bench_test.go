package lognote_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// BenchmarkReceipt verifies one receipt, both signatures included, and one whose checkpoint
// is that of the receipt before.
func BenchmarkReceipt(b *testing.B) {
	some, others := receipts(b, 1000)[777], receipts(b, 999)[777]
	for name, next := range map[string]lognote.Receipt{"other": others, "same": some} {
		b.Run(name, func(b *testing.B) {
			v := ledgertest.Verifier(b)
			for b.Loop() {
				for _, r := range []lognote.Receipt{some, next} {
					if err := v.Receipt(r); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
