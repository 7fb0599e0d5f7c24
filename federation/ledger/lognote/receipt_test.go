package lognote_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

func clone(r lognote.Receipt) lognote.Receipt {
	c := lognote.Receipt{Checkpoint: bytes.Clone(r.Checkpoint), Index: r.Index, Leaf: bytes.Clone(r.Leaf)}
	for _, h := range r.Proof {
		c.Proof = append(c.Proof, bytes.Clone(h))
	}
	return c
}

// lines edits a signed note by its lines.
func lines(b []byte, f func(l []string) []string) []byte {
	return []byte(strings.Join(f(strings.SplitAfter(string(b), "\n")), ""))
}

func TestReceiptRefused(t *testing.T) {
	rs := receipts(t, 13)
	v := ledgertest.Verifier(t)
	sound := rs[5]
	if err := v.Receipt(sound); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		want error
		edit func(r *lognote.Receipt)
	}{
		{"leaf", lognote.ErrProof, func(r *lognote.Receipt) { r.Leaf[3] ^= 1 }},
		{"leaf-empty", lognote.ErrLeafSize, func(r *lognote.Receipt) { r.Leaf = nil }},
		{"leaf-long", lognote.ErrLeafSize, func(r *lognote.Receipt) { r.Leaf = make([]byte, lognote.MaxLeaf+1) }},
		{"index", lognote.ErrProof, func(r *lognote.Receipt) { r.Index = 4 }},
		{"index-beyond", lognote.ErrProof, func(r *lognote.Receipt) { r.Index = 13 }},
		{"index-huge", lognote.ErrProof, func(r *lognote.Receipt) { r.Index = 1<<64 - 1 }},
		{"proof-short", lognote.ErrProof, func(r *lognote.Receipt) { r.Proof = r.Proof[1:] }},
		{"proof-cut", lognote.ErrProof, func(r *lognote.Receipt) { r.Proof = r.Proof[:len(r.Proof)-1] }},
		{"proof-empty", lognote.ErrProof, func(r *lognote.Receipt) { r.Proof = nil }},
		{"proof-long", lognote.ErrProof, func(r *lognote.Receipt) { r.Proof = append(r.Proof, make([]byte, 32)) }},
		{"proof-flood", lognote.ErrMalformed, func(r *lognote.Receipt) { r.Proof = make([][]byte, 65) }},
		{"proof-bit", lognote.ErrProof, func(r *lognote.Receipt) { r.Proof[2][31] ^= 0x80 }},
		{"proof-order", lognote.ErrProof, func(r *lognote.Receipt) { r.Proof[0], r.Proof[1] = r.Proof[1], r.Proof[0] }},
		{"hash-short", lognote.ErrMalformed, func(r *lognote.Receipt) { r.Proof[1] = r.Proof[1][:31] }},
		{"hash-long", lognote.ErrMalformed, func(r *lognote.Receipt) { r.Proof[1] = append(r.Proof[1], 0) }},
		{"hash-nil", lognote.ErrMalformed, func(r *lognote.Receipt) { r.Proof[0] = nil }},
		{"no-checkpoint", lognote.ErrMalformed, func(r *lognote.Receipt) { r.Checkpoint = nil }},
		{"cut-checkpoint", lognote.ErrMalformed, func(r *lognote.Receipt) { r.Checkpoint = r.Checkpoint[:90] }},
		{"flood-checkpoint", lognote.ErrMalformed, func(r *lognote.Receipt) {
			r.Checkpoint = append(r.Checkpoint, bytes.Repeat([]byte("\n"), 70<<10)...)
		}},
		{"other-size", lognote.ErrSignature, func(r *lognote.Receipt) {
			r.Checkpoint = bytes.Replace(r.Checkpoint, []byte("\n13\n"), []byte("\n14\n"), 1)
		}},
		{"no-pq-signature", lognote.ErrKey, func(r *lognote.Receipt) {
			r.Checkpoint = lines(r.Checkpoint, func(l []string) []string { return append(l[:5], l[6:]...) })
		}},
		{"no-ed25519-signature", lognote.ErrKey, func(r *lognote.Receipt) {
			r.Checkpoint = lines(r.Checkpoint, func(l []string) []string { return append(l[:4], l[5:]...) })
		}},
		{"bad-pq-signature", lognote.ErrSignature, func(r *lognote.Receipt) {
			r.Checkpoint = lines(r.Checkpoint, func(l []string) []string { l[5] = swapChar(l[5], 900); return l })
		}},
		{"other-time", lognote.ErrSignature, func(r *lognote.Receipt) {
			r.Checkpoint = lines(r.Checkpoint, func(l []string) []string {
				return append(l[:5], swapChar(l[5], len(l[5])-len(strings.TrimRight(l[5], "="))+len("— "+ledgertest.Origin+" ")+14))
			})
		}},
		{"bad-ed25519-signature", lognote.ErrSignature, func(r *lognote.Receipt) {
			r.Checkpoint = lines(r.Checkpoint, func(l []string) []string { l[4] = swapChar(l[4], 60); return l })
		}},
		{"leading-zero", lognote.ErrSignature, func(r *lognote.Receipt) {
			r.Checkpoint = bytes.Replace(r.Checkpoint, []byte("\n13\n"), []byte("\n013\n"), 1)
		}},
		{"trailing-text", lognote.ErrMalformed, func(r *lognote.Receipt) { r.Checkpoint = append(r.Checkpoint, "x"...) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := clone(sound)
			c.edit(&r)
			if err := v.Receipt(r); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	for i := range rs {
		if err := v.Receipt(rs[i]); err != nil {
			t.Errorf("sound receipt %d: %v", i, err)
		}
	}
}

// TestLatestCheckpoint: what verified last is known by all of its bytes, whatever becomes of the
// caller's, and to the keys alone that it was verified with.
func TestLatestCheckpoint(t *testing.T) {
	v := ledgertest.Verifier(t)
	r := receipts(t, 3)[1]
	mine := bytes.Clone(r.Checkpoint)
	first, err := v.Checkpoint(mine)
	if err != nil {
		t.Fatal(err)
	}
	again, err := v.Checkpoint(r.Checkpoint)
	if err != nil || again != first {
		t.Errorf("the same bytes again: %v, error %v", again, err)
	}
	for at := range mine {
		mine[at] ^= 1
		if _, err := v.Checkpoint(mine); err == nil {
			t.Fatalf("accepted with byte %d changed", at)
		}
		mine[at] ^= 1
	}
	other, err := lognote.NewSigner(ledgertest.Origin, bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w, err := other.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Checkpoint(r.Checkpoint); !errors.Is(err, lognote.ErrKey) {
		t.Errorf("under other keys: %v", err)
	}
}

// swapChar changes one base64 character.
func swapChar(s string, at int) string {
	b := []byte(s)
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

// TestExtensionLines refuses what only Ed25519 would protect.
func TestExtensionLines(t *testing.T) {
	s := ledgertest.Signer(t)
	root := ledgertest.NaiveRoot([][]byte{ledgertest.Leaf(0)})
	signed, err := s.Sign(1, root[:], ledgertest.Tick())
	if err != nil {
		t.Fatal(err)
	}
	edOnly, err := lognote.NewVerifier(ledgertest.Origin, s.VerifierKeys()[:1])
	if err != nil {
		t.Fatal(err)
	}
	c, err := edOnly.Checkpoint(signed)
	if err != nil || !c.Time.IsZero() || c.Root != root {
		t.Errorf("Ed25519 alone: %+v, %v", c, err)
	}
	if c, err := ledgertest.Verifier(t).Checkpoint(signed); err != nil || !c.Time.Equal(ledgertest.Tick()) {
		t.Errorf("both keys: %+v, %v", c, err)
	}
	pqOnly, err := lognote.NewVerifier(ledgertest.Origin, s.VerifierKeys()[1:])
	if err != nil {
		t.Fatal(err)
	}
	extended := lines(signed, func(l []string) []string {
		return append(l[:3:3], append([]string{"timestamp 1\n"}, l[3:]...)...)
	})
	if _, err := pqOnly.Checkpoint(extended); !errors.Is(err, lognote.ErrMalformed) {
		t.Errorf("extension line under ML-DSA: %v, want ErrMalformed", err)
	}
}

// TestWitnessSignatures are carried along and not required.
func TestWitnessSignatures(t *testing.T) {
	r := receipts(t, 2)[0]
	other, err := lognote.NewSigner("witness.example", ledgertest.Seed(8), ledgertest.Seed(9))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Sign(2, make([]byte, 32), ledgertest.Tick())
	if err != nil {
		t.Fatal(err)
	}
	sigs := strings.SplitAfter(string(foreign), "\n")[4:]
	r.Checkpoint = append(r.Checkpoint, strings.Join(sigs, "")...)
	if err := ledgertest.Verifier(t).Receipt(r); err != nil {
		t.Error(err)
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	keys := ledgertest.Signer(t).VerifierKeys()
	other, err := lognote.NewSigner("other.example", ledgertest.Seed(1), ledgertest.Seed(2))
	if err != nil {
		t.Fatal(err)
	}
	ecdsa := "x+00000000+" + base64.StdEncoding.EncodeToString([]byte{2, 1, 2, 3})
	for name, c := range map[string]struct {
		origin string
		keys   []string
	}{
		"none":        {ledgertest.Origin, nil},
		"many":        {ledgertest.Origin, make([]string, 9)},
		"empty":       {ledgertest.Origin, []string{""}},
		"twice":       {ledgertest.Origin, []string{keys[0], keys[0]}},
		"other-name":  {ledgertest.Origin, other.VerifierKeys()},
		"cut":         {ledgertest.Origin, []string{keys[1][:200]}},
		"key-id":      {ledgertest.Origin, []string{strings.Replace(keys[0], "ledger+", "ledger+0", 1)}},
		"type":        {"x", []string{ecdsa}},
		"trailing":    {ledgertest.Origin, []string{keys[0] + "\n"}},
		"no-origin":   {"", keys},
		"space":       {"a b", keys},
		"plus":        {"a+b", keys},
		"long-origin": {strings.Repeat("a", 256), keys},
	} {
		v, err := lognote.NewVerifier(c.origin, c.keys)
		if err == nil || v.Origin() != "" {
			t.Errorf("%s: accepted as %q", name, v.Origin())
		}
	}
	if err := (lognote.Verifier{}).Receipt(receipts(t, 1)[0]); !errors.Is(err, lognote.ErrKey) {
		t.Errorf("zero verifier: %v, want ErrKey", err)
	}
}

func TestSignerRedacts(t *testing.T) {
	s := ledgertest.Signer(t)
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", slog.Any("signer", s), slog.Any("in", struct{ S lognote.Signer }{s}))
	fmt.Fprintf(&b, "%v %+v %#v %s %d %x", s, s, s, s, s, []lognote.Signer{s})
	if !strings.Contains(b.String(), "redacted") || strings.Contains(b.String(), ledgertest.Origin) {
		t.Errorf("printed as %q", b.String())
	}
	if _, err := lognote.NewSigner(ledgertest.Origin, ledgertest.Seed(1), ledgertest.Seed(2)[:31]); err == nil {
		t.Error("short seed accepted")
	}
}

// TestPrefixes: a receipt shows the roots that the log had before and after its leaf, in
// trees of every shape.
func TestPrefixes(t *testing.T) {
	const n = 21
	l := ledgertest.Open(t, t.TempDir())
	defer ledgertest.Close(t, l)
	v := ledgertest.Verifier(t)
	root := func() [32]byte {
		c, err := v.Checkpoint(l.Checkpoint())
		if err != nil {
			t.Fatal(err)
		}
		return c.Root
	}
	roots := [][32]byte{root()}
	for i := range n {
		if _, err := l.Append(t.Context(), ledgertest.Leaf(i)); err != nil {
			t.Fatal(err)
		}
		roots = append(roots, root())
	}
	for size := 1; size <= n; size++ {
		for i, r := range receipts(t, size) {
			c, err := v.Included(r)
			if err != nil || c.Size != uint64(size) || c.Root != roots[size] {
				t.Fatalf("entry %d of %d: %d entries, %v", i, size, c.Size, err)
			}
			if before, through := r.Prefixes(c.Size); before != roots[i] || through != roots[i+1] {
				t.Errorf("entry %d of %d: not the trees that end before and with it", i, size)
			}
		}
	}
}
