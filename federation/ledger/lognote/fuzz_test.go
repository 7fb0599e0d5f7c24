package lognote_test

import (
	"bytes"
	"strings"
	"testing"

	fmtlog "github.com/transparency-dev/formats/log"

	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

func FuzzCheckpoint(f *testing.F) {
	v := ledgertest.Verifier(f)
	root := ledgertest.NaiveRoot([][]byte{ledgertest.Leaf(0)})
	signed, err := ledgertest.Signer(f).Sign(1, root[:], ledgertest.Tick())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(signed[:len(signed)/2])
	f.Add(append(bytes.Clone(signed), signed[bytes.Index(signed, []byte("\n\n"))+2:]...))
	f.Add([]byte(ledgertest.Origin + "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— x AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := v.Checkpoint(b)
		if err != nil {
			if c != (lognote.Checkpoint{}) {
				t.Errorf("error with a result: %+v", c)
			}
			return
		}
		text := fmtlog.Checkpoint{Origin: ledgertest.Origin, Size: c.Size, Hash: c.Root[:]}.Marshal()
		if !bytes.HasPrefix(b, append(text, '\n')) {
			t.Errorf("accepted text is not canonical: %q", b)
		}
		if c.Size != 1 || c.Root != root {
			t.Errorf("accepted what was never signed: %+v", c)
		}
	})
}

func FuzzReceipt(f *testing.F) {
	rs := receipts(f, 11)
	v := ledgertest.Verifier(f)
	for _, r := range rs {
		f.Add(r.Checkpoint, r.Index, bytes.Join(r.Proof, nil), uint8(32), r.Leaf)
	}
	f.Add([]byte{}, uint64(1)<<63, []byte{1, 2, 3}, uint8(0), []byte{0})
	f.Fuzz(func(t *testing.T, checkpoint []byte, index uint64, path []byte, step uint8, b []byte) {
		r := lognote.Receipt{Checkpoint: checkpoint, Index: index, Leaf: b}
		for n := max(1, int(step)); len(path) > 0; path = path[min(n, len(path)):] {
			r.Proof = append(r.Proof, path[:min(n, len(path))])
		}
		if v.Receipt(r) != nil {
			return
		}
		if index >= uint64(len(rs)) || !bytes.Equal(b, rs[index].Leaf) {
			t.Errorf("accepted entry %d that is not in the log", index)
		}
		if got, want := bytes.Join(r.Proof, nil), bytes.Join(rs[index].Proof, nil); !bytes.Equal(got, want) {
			t.Errorf("accepted another proof for entry %d", index)
		}
	})
}

func FuzzVerifierKey(f *testing.F) {
	for _, k := range ledgertest.Signer(f).VerifierKeys() {
		f.Add(k)
		f.Add(strings.ToUpper(k))
	}
	f.Fuzz(func(t *testing.T, key string) {
		v, err := lognote.NewVerifier(ledgertest.Origin, []string{key})
		if err != nil && v.Origin() != "" {
			t.Error("error with a result")
		}
	})
}
