// Package ledgertest has the synthetic ledger that tests of federation/ledger and of lognote are about.
package ledgertest

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

// Origin is the ledger's.
const Origin = "id.example.kz/tamga/ledger"

// Tick is a clock that only tests move.
func Tick() time.Time { return time.Unix(1_790_000_000, 0) }

// Seed is of one of its keys.
func Seed(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// Signer is the ledger's, with the keys of Seed 1 and 2.
func Signer(t testing.TB) lognote.Signer {
	t.Helper()
	s, err := lognote.NewSigner(Origin, Seed(1), Seed(2))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Verifier is of what Signer signs.
func Verifier(t testing.TB) lognote.Verifier {
	t.Helper()
	v, err := lognote.NewVerifier(Origin, Signer(t).VerifierKeys())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Open opens the ledger in a folder.
func Open(t testing.TB, dir string) *ledger.Log {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: Signer(t), Now: Tick})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Close closes it.
func Close(t testing.TB, l *ledger.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// Leaf is its entry number i.
func Leaf(i int) []byte { return fmt.Appendf(nil, "entry %d of a synthetic ledger", i) }

// Fill appends the next n entries.
func Fill(t testing.TB, l *ledger.Log, n int) {
	t.Helper()
	start := int(l.Size())
	for at := 0; at < n; at += 100 {
		var leaves [][]byte
		for i := at; i < min(n, at+100); i++ {
			leaves = append(leaves, Leaf(start+i))
		}
		if _, err := l.AppendAll(t.Context(), leaves); err != nil {
			t.Fatal(err)
		}
	}
}

// NaiveRoot is the Merkle Tree Hash of leaves by the words of RFC 9162 section 2.1.1.
func NaiveRoot(leaves [][]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	l, r := NaiveRoot(leaves[:k]), NaiveRoot(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}
