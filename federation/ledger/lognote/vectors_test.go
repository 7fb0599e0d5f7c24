package lognote_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fmtnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// shared returns the folder of the shared test vectors.
func shared(t *testing.T, sub string) string {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "vectors", sub)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("shared vectors are required in CI: %v", err)
		}
		t.Skipf("shared vectors are absent (set TAMGA_SHARED): %v", err)
	}
	return dir
}

func walkJSON(t *testing.T, dir string, f func(t *testing.T, raw []byte)) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		rel, _ := filepath.Rel(dir, path)
		t.Run(strings.TrimSuffix(rel, ".json"), func(t *testing.T) { f(t, raw) })
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d vectors below %s: %v", n, dir, err)
	}
	return n
}

func TestMerkleInclusionVectors(t *testing.T) {
	n := walkJSON(t, filepath.Join(shared(t, "merkle"), "testdata", "inclusion"), func(t *testing.T, raw []byte) {
		var v struct {
			LeafIdx, TreeSize uint64
			Root, LeafHash    []byte
			Proof             [][]byte
			Desc              string
			WantErr           bool
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		err := lognote.VerifyInclusion(v.LeafIdx, v.TreeSize, v.LeafHash, v.Proof, v.Root)
		if (err != nil) != v.WantErr {
			t.Errorf("%s: %v, want error %t", v.Desc, err, v.WantErr)
		}
	})
	t.Logf("%d vectors", n)
}

func TestMerkleConsistencyVectors(t *testing.T) {
	n := walkJSON(t, filepath.Join(shared(t, "merkle"), "testdata", "consistency"), func(t *testing.T, raw []byte) {
		var v struct {
			Size1, Size2 uint64
			Root1, Root2 []byte
			Proof        [][]byte
			Desc         string
			WantErr      bool
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		err := lognote.VerifyConsistency(v.Size1, v.Size2, v.Proof, v.Root1, v.Root2)
		if (err != nil) != v.WantErr {
			t.Errorf("%s: %v, want error %t", v.Desc, err, v.WantErr)
		}
	})
	t.Logf("%d vectors", n)
}

// The log and key of the tessera test data, see its SOURCES.md.
const (
	tesseraOrigin = "example.com/log/testdata"
	tesseraKey    = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)

func TestTesseraCheckpoints(t *testing.T) {
	dir := filepath.Join(shared(t, "tlog-tiles-tessera"), "testdata", "log")
	v, err := lognote.NewVerifier(tesseraOrigin, []string{tesseraKey})
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "checkpoint*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no checkpoints below %s: %v", dir, err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := v.Checkpoint(raw)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		var size uint64 = 15
		if n, err := fmt.Sscanf(filepath.Base(path), "checkpoint.%d", &size); err == nil && n == 1 && c.Size != size {
			t.Errorf("%s: size %d", filepath.Base(path), c.Size)
		}
		if _, err := ledgertest.Verifier(t).Checkpoint(raw); !errors.Is(err, lognote.ErrOrigin) {
			t.Errorf("%s under our key: %v, want ErrOrigin", filepath.Base(path), err)
		}
	}
	t.Logf("%d checkpoints", len(paths))
}

// TestForeignVerifiers checks our signatures with code that is not ours: x/mod
// for Ed25519, transparency-dev/formats with another ML-DSA for type 0x06.
func TestForeignVerifiers(t *testing.T) {
	l := ledgertest.Open(t, t.TempDir())
	defer ledgertest.Close(t, l)
	ledgertest.Fill(t, l, 5)
	keys := ledgertest.Signer(t).VerifierKeys()
	ed, err := note.NewVerifier(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	pq, err := fmtnote.NewMLDSAVerifier(keys[1])
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(l.Checkpoint(), note.VerifierList(ed, pq))
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 {
		t.Errorf("%d verified and %d other signatures, want 2 and 0", len(n.Sigs), len(n.UnverifiedSigs))
	}
	at, err := fmtnote.CoSigV1Timestamp(n.Sigs[1])
	if err != nil || !at.Equal(ledgertest.Tick()) {
		t.Errorf("time %v, %v; want %v", at, err, ledgertest.Tick())
	}
}

// TestForeignSigner accepts what another implementation of type 0x06 signed.
func TestForeignSigner(t *testing.T) {
	skey, vkey, err := fmtnote.GenerateMLDSAKey(ledgertest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := fmtnote.NewMLDSASigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	root := ledgertest.NaiveRoot([][]byte{ledgertest.Leaf(0)})
	text := fmt.Sprintf("%s\n1\n%s\n", ledgertest.Origin, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		t.Fatal(err)
	}
	v, err := lognote.NewVerifier(ledgertest.Origin, []string{vkey})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := v.Checkpoint(signed); err != nil || c.Size != 1 || c.Root != root {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestProofsAgainstTlog checks every proof with golang.org/x/mod/sumdb/tlog, which
// shares no code with the library that made them.
func TestProofsAgainstTlog(t *testing.T) {
	v := ledgertest.Verifier(t)
	l := ledgertest.Open(t, t.TempDir())
	defer ledgertest.Close(t, l)
	const n = 37
	var leaves [][]byte
	var signed [][]byte
	roots := []tlog.Hash{tlog.Hash(ledgertest.NaiveRoot(nil))}
	signed = append(signed, l.Checkpoint())
	for i := range n {
		r, err := l.Append(t.Context(), ledgertest.Leaf(i))
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, ledgertest.Leaf(i))
		root := tlog.Hash(ledgertest.NaiveRoot(leaves))
		roots, signed = append(roots, root), append(signed, r.Checkpoint)
		if err := tlog.CheckRecord(hashes(r.Proof), int64(i+1), root, int64(i), tlog.RecordHash(ledgertest.Leaf(i))); err != nil {
			t.Errorf("inclusion of %d: %v", i, err)
		}
	}
	for newer := range n + 1 {
		for older := range newer + 1 {
			p, err := l.ConsistencyProof(uint64(older), uint64(newer))
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Consistency(signed[older], signed[newer], p); err != nil {
				t.Errorf("consistency of %d and %d: %v", older, newer, err)
			}
			if older > 0 {
				if err := tlog.CheckTree(hashes(p), int64(newer), roots[newer], int64(older), roots[older]); err != nil {
					t.Errorf("consistency of %d and %d by tlog: %v", older, newer, err)
				}
			}
			if older > 0 && older < newer {
				if err := v.Consistency(signed[older-1], signed[newer], p); err == nil {
					t.Errorf("proof of %d also accepted for %d", older, older-1)
				}
			}
		}
	}
}

func hashes(path [][]byte) []tlog.Hash {
	hs := make([]tlog.Hash, len(path))
	for i := range path {
		hs[i] = tlog.Hash(path[i])
	}
	return hs
}
