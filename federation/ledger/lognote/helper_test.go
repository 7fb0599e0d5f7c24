package lognote_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/bits"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

const testOrigin = "id.example.kz/tamga/ledger"

// tick is a clock that only tests move.
func tick() time.Time { return time.Unix(1_790_000_000, 0) }

func seed(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func newSigner(t testing.TB) lognote.Signer {
	t.Helper()
	s, err := lognote.NewSigner(testOrigin, seed(1), seed(2))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newVerifier(t testing.TB) lognote.Verifier {
	t.Helper()
	v, err := lognote.NewVerifier(testOrigin, newSigner(t).VerifierKeys())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func openLog(t testing.TB, dir string) *ledger.Log {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: newSigner(t), Now: tick})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t testing.TB, l *ledger.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func leaf(i int) []byte { return fmt.Appendf(nil, "entry %d of a synthetic ledger", i) }

func fill(t testing.TB, l *ledger.Log, n int) {
	t.Helper()
	start := int(l.Size())
	for at := 0; at < n; at += 100 {
		var leaves [][]byte
		for i := at; i < min(n, at+100); i++ {
			leaves = append(leaves, leaf(start+i))
		}
		if _, err := l.AppendAll(t.Context(), leaves); err != nil {
			t.Fatal(err)
		}
	}
}

func naiveRoot(leaves [][]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	l, r := naiveRoot(leaves[:k]), naiveRoot(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// receipts returns the receipts of one commit of n leaves.
func receipts(t testing.TB, n int) []lognote.Receipt {
	t.Helper()
	l := openLog(t, t.TempDir())
	defer closeLog(t, l)
	var leaves [][]byte
	for i := range n {
		leaves = append(leaves, leaf(i))
	}
	rs, err := l.AppendAll(t.Context(), leaves)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}
