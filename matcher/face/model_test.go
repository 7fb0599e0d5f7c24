package face_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/face"
)

func TestThresholdIsMonotone(t *testing.T) {
	for _, model := range []string{face.ModelSynth, face.ModelMobileFaceNet} {
		last := -1.0
		for _, oneIn := range []uint32{10, 100, 101, 1_000, 9_999, 10_000, 10_001, 100_000, 500_000} {
			got, err := face.Threshold(model, oneIn)
			if err != nil || got < last || got <= 0 || got >= 1 {
				t.Errorf("%s, 1 in %d: got %v, %v after %v", model, oneIn, got, err, last)
			}
			last = got
		}
	}
}

func TestThresholdRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		model string
		oneIn uint32
		want  error
	}{
		"unknown": {"arcface-512", 1000, face.ErrUnknownModel},
		"empty":   {"", 1000, face.ErrUnknownModel},
		"zero":    {face.ModelSynth, 0, calibration.ErrUnsupported},
		"beyond":  {face.ModelMobileFaceNet, 20_111_543/3 + 1, calibration.ErrUnsupported},
		"most":    {face.ModelSynth, math.MaxUint32, calibration.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := face.Threshold(c.model, c.oneIn); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	if m, ok := face.Lookup(face.ModelMobileFaceNet); !ok || m.Dims != 128 || m.ID != face.ModelMobileFaceNet {
		t.Errorf("got %v, %v", m, ok)
	}
	if m, ok := face.Lookup("other"); ok || m != (face.Model{}) {
		t.Errorf("got %v, %v", m, ok)
	}
}

// sharedFile reads test data that does not ship with the project.
func sharedFile(t *testing.T, path ...string) []byte {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("shared test data is absent: %v", err)
	}
	return b
}

// TestMobileFaceNetCalibration recounts every non-mated pair at every threshold: the FMR must hold with 95 % confidence,
// and must not be much stricter than asked. Vectors of 8 bits must recognise as many as those of 32, to 0.1 %.
func TestMobileFaceNetCalibration(t *testing.T) {
	if testing.Short() {
		t.Skip("compares 20 million pairs")
	}
	templates, subjects := lfw(t)
	vectors := make([][]int8, len(templates))
	lengths := make([]float64, len(templates))
	for i, f := range templates {
		vectors[i] = make([]int8, f.Dims())
		if err := f.Quantize(vectors[i]); err != nil {
			t.Fatal(err)
		}
		lengths[i] = math.Sqrt(float64(dot8(vectors[i], vectors[i])))
	}
	const bins = 20_000 // of one ten-thousandth
	var nonMated, mated, nonMated8, mated8 [bins + 1]int
	var worst float64
	var pairs, matedPairs int
	for i, a := range templates {
		for j := range i {
			s, err := face.Compare(a, templates[j])
			if err != nil {
				t.Fatal(err)
			}
			s8 := float64(dot8(vectors[i], vectors[j])) / (lengths[i] * lengths[j])
			worst = max(worst, math.Abs(s-s8))
			bin, bin8 := int((s+1)*(bins/2)), int((s8+1)*(bins/2))
			if subjects[i] == subjects[j] {
				mated[bin]++
				mated8[bin8]++
				matedPairs++
			} else {
				nonMated[bin]++
				nonMated8[bin8]++
				pairs++
			}
		}
	}
	tar, tar8 := accepted(nonMated[:], mated[:], pairs/10_000), accepted(nonMated8[:], mated8[:], pairs/10_000)
	t.Logf("TAR at FAR 1e-4: %.5f with 32 bits, %.5f with 8; scores differ by %.5f at most", tar, tar8, worst)
	if math.Abs(tar-tar8) > 0.001 {
		t.Errorf("8 bits recognise %.5f, 32 recognise %.5f", tar8, tar)
	}
	for _, oneIn := range []uint32{100, 1_000, 10_000, 100_000, 500_000} {
		threshold, err := face.Threshold(face.ModelMobileFaceNet, oneIn)
		if err != nil {
			t.Fatal(err)
		}
		falseMatches, falseNonMatches := 0, 0
		at := int(math.Ceil((threshold + 1) * (bins / 2)))
		for b := range nonMated {
			if b >= at {
				falseMatches += nonMated[b]
			} else {
				falseNonMatches += mated[b]
			}
		}
		allowed := pairs / int(oneIn)
		t.Logf("FMR 1 in %d: threshold %.4f, %d false matches of %d, FNMR %.2f %%", oneIn, threshold,
			falseMatches, pairs, 100*float64(falseNonMatches)/float64(matedPairs))
		if falseMatches > allowed || falseMatches < allowed*3/4-2*int(math.Sqrt(float64(allowed))) {
			t.Errorf("1 in %d: %d false matches, want at most %d and little fewer", oneIn, falseMatches, allowed)
		}
	}
}

// dot8 is the exact inner product.
func dot8(a, b []int8) (s int32) {
	for i, x := range a {
		s += int32(x) * int32(b[i])
	}
	return s
}

// accepted is the share of mated scores at or above the least bin that at most allowed non-mated
// scores reach.
func accepted(nonMated, mated []int, allowed int) float64 {
	var all, over, reached int
	for _, n := range mated {
		all += n
	}
	for b := len(mated) - 1; b >= 0; b-- {
		if reached += nonMated[b]; reached > allowed {
			break
		}
		over += mated[b]
	}
	return float64(over) / float64(all)
}

func lfw(t *testing.T) (templates []*face.Template, subjects []string) {
	t.Helper()
	raw := sharedFile(t, "data", "face", "embeddings128.f32")
	table := strings.TrimSpace(string(sharedFile(t, "data", "face", "embeddings128.tsv")))
	for i, line := range strings.Split(table, "\n")[1:] {
		v := make([]float32, 128)
		for k := range v {
			v[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[512*i+4*k:]))
		}
		templates = append(templates, mustFloat(t, face.ModelMobileFaceNet, v))
		subjects = append(subjects, strings.Split(line, "\t")[1])
	}
	if len(templates) < 2 {
		t.Fatal("no embeddings found")
	}
	return templates, subjects
}
