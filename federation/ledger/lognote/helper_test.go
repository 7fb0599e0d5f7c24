package lognote_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// receipts returns the receipts of one commit of n leaves.
func receipts(t testing.TB, n int) []lognote.Receipt {
	t.Helper()
	l := ledgertest.Open(t, t.TempDir())
	defer ledgertest.Close(t, l)
	var leaves [][]byte
	for i := range n {
		leaves = append(leaves, ledgertest.Leaf(i))
	}
	rs, err := l.AppendAll(t.Context(), leaves)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}
