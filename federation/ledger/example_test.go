package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ledger-example-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	// The responding country's node; its seeds come from custody.
	signer, err := lognote.NewSigner("id.example.kz/tamga/ledger", bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32))
	if err != nil {
		panic(err)
	}
	clock := func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }
	log, err := ledger.Open(ctx, ledger.Config{Dir: dir, Signer: signer, Now: clock})
	if err != nil {
		panic(err)
	}
	receipt, err := log.Append(ctx, []byte("a query was answered"))
	if err != nil {
		panic(err)
	}

	// The asking country's node knows the name and keys from trust metadata.
	verifier, err := lognote.NewVerifier("id.example.kz/tamga/ledger", signer.VerifierKeys())
	if err != nil {
		panic(err)
	}
	fmt.Println("receipt accepted:", verifier.Receipt(receipt) == nil)
	receipt.Leaf = []byte("nobody asked")
	fmt.Println("forged receipt:", verifier.Receipt(receipt))

	// The auditor.
	if err := log.Close(); err != nil {
		panic(err)
	}
	report, err := ledger.Verify(ctx, dir, verifier, nil)
	fmt.Println("audit:", report.Size, "entry", report.Time.Format(time.RFC3339), err)
	// Output:
	// receipt accepted: true
	// forged receipt: verifying receipt: inclusion of index 0 in size 1: proof does not match the checkpoint
	// audit: 1 entry 2026-11-23T08:00:00Z <nil>
}
