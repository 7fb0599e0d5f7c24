package search_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/matcher/face"
)

// TestQuantisedCosine: on the real embeddings, the score of a search lies close to that of
// face.Compare, near the thresholds and elsewhere.
func TestQuantisedCosine(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(sharedDir(t, "face"), "embeddings128.f32"))
	if err != nil {
		t.Fatal(err)
	}
	const dims, every = 128, 16
	var all []*face.Template
	for at := 0; at+4*dims <= len(raw); at += every * 4 * dims {
		v := make([]float32, dims)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[at+4*i:]))
		}
		f, err := face.NewFloat(model, v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	if len(all) < 390 {
		t.Fatalf("only %d embeddings", len(all))
	}
	most := 0.0
	for i, a := range all {
		for _, b := range all[:i] {
			want, err := face.Compare(a, b)
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, math.Abs(cosine(t, a, b)-want))
		}
	}
	t.Logf("largest difference of %d pairs: %.5f", len(all)*(len(all)-1)/2, most)
	if most == 0 || most > 0.01 {
		t.Errorf("largest difference %.5f, want at most 0.01", most)
	}
}
