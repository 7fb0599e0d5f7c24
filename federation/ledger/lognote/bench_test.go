package lognote_test

import "testing"

// BenchmarkReceipt verifies one receipt, both signatures included.
func BenchmarkReceipt(b *testing.B) {
	r := receipts(b, 1000)[777]
	v := newVerifier(b)
	for b.Loop() {
		if err := v.Receipt(r); err != nil {
			b.Fatal(err)
		}
	}
}
