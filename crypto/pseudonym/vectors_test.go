package pseudonym_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

type suiteVectors struct {
	Identifier string   `json:"identifier"`
	Mode       int      `json:"mode"`
	PkS        hexList  `json:"pkSm"`
	SkS        hexList  `json:"skSm"`
	Seed       hexList  `json:"seed"`
	KeyInfo    hexList  `json:"keyInfo"`
	Vectors    []vector `json:"vectors"`
}

type vector struct {
	Batch             int
	Blind             hexList
	BlindedElement    hexList
	EvaluationElement hexList
	Input             hexList
	Output            hexList
	Proof             struct {
		Proof hexList `json:"proof"`
	}
}

// hexList is one or more hex strings joined by commas.
type hexList [][]byte

func (h *hexList) UnmarshalText(text []byte) error {
	for s := range strings.SplitSeq(string(text), ",") {
		b, err := hex.DecodeString(s)
		if err != nil {
			return err
		}
		*h = append(*h, b)
	}
	return nil
}

// sharedFile reads published vectors that are kept outside the repository.
func sharedFile(t *testing.T, name string) io.Reader {
	t.Helper()
	dir := os.Getenv("TAMGA_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if os.IsNotExist(err) && os.Getenv("CI") != "true" {
		t.Skipf("vectors not available (set TAMGA_SHARED): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(data)
}

func loadVectors(t *testing.T) suiteVectors {
	t.Helper()
	r, err := gzip.NewReader(sharedFile(t, "vectors/crypto-circl/rfc9497.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var all []suiteVectors
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Identifier == "ristretto255-SHA512" && s.Mode == 1 && len(s.Vectors) > 0 {
			return s
		}
	}
	t.Fatal("the file holds no VOPRF vectors for ristretto255-SHA512")
	return suiteVectors{}
}

// finalHash is the last step of Finalize, RFC 9497 section 3.3.1: by it the published
// outputs check elements, of which this package makes something else.
func finalHash(input []byte, e pseudonym.Element) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(input)))
	b = append(b, input...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
	b = append(append(b, e[:]...), "Finalize"...)
	h := sha512.Sum512(b)
	return h[:]
}

// TestVectors runs RFC 9497 appendix A.1.2. A batch of two proves both
// elements at once, which this package does not do; there the evaluated
// elements and the outputs are checked, one input at a time.
func TestVectors(t *testing.T) {
	s := loadVectors(t)
	seed, keyInfo := s.Seed[0], s.KeyInfo[0]
	if got := pseudonym.ScalarOf(seed, keyInfo); !bytes.Equal(got, s.SkS[0]) {
		t.Errorf("private key %x, want %x", got, s.SkS[0])
	}
	k, err := pseudonym.DeriveKey(seed, keyInfo)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Public().Bytes(); !bytes.Equal(got, s.PkS[0]) {
		t.Errorf("public key %x, want %x", got, s.PkS[0])
	}
	proofs := 0
	for _, v := range s.Vectors {
		for i, input := range v.Input {
			direct, err := pseudonym.ElementOf(k, input)
			if err != nil || !bytes.Equal(finalHash(input, direct), v.Output[i]) {
				t.Errorf("direct output %x, %v; want %x", finalHash(input, direct), err, v.Output[i])
			}
			b, request, err := pseudonym.BlindInput(k.Public(), input, v.Blind[i])
			if err != nil || !bytes.Equal(request, v.BlindedElement[i]) {
				t.Fatalf("request %x, %v; want %x", request, err, v.BlindedElement[i])
			}
			response, err := k.Evaluate(request)
			if err != nil || !bytes.Equal(response[:32], v.EvaluationElement[i]) {
				t.Fatalf("response %x, %v; want it to start %x", response, err, v.EvaluationElement[i])
			}
			if v.Batch == 1 { // The vector's own proof must verify.
				response = append(bytes.Clone(v.EvaluationElement[i]), v.Proof.Proof[0]...)
				proofs++
			}
			e, out, err := pseudonym.FinalizeInput(b, response)
			if err != nil || !bytes.Equal(out, v.Output[i]) || e != direct {
				t.Errorf("output %x, %v; want %x and the element of the direct evaluation", out, err, v.Output[i])
			}
		}
	}
	if proofs == 0 {
		t.Error("no published proof was verified")
	}
}
