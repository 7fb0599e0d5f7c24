package lognote_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
)

// BenchmarkReceipt verifies one receipt, both signatures included.
func BenchmarkReceipt(b *testing.B) {
	r := receipts(b, 1000)[777]
	v := ledgertest.Verifier(b)
	for b.Loop() {
		if err := v.Receipt(r); err != nil {
			b.Fatal(err)
		}
	}
}
