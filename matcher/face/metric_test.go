package face_test

import (
	"errors"
	"math"
	"testing"

	"github.com/tamga-id/tamga/matcher/face"
)

// TestCosineOf compares with the distance itself, over vectors of many angles.
func TestCosineOf(t *testing.T) {
	for seed := range 30 {
		a, b := ramp(seed, 128), ramp(31*seed+5, 128)
		var aa, bb, d float64
		for i := range a {
			aa += float64(a[i]) * float64(a[i])
			bb += float64(b[i]) * float64(b[i])
		}
		for i := range a {
			x := float64(a[i])/math.Sqrt(aa) - float64(b[i])/math.Sqrt(bb)
			d += x * x
		}
		want, err := face.Compare(mustFloat(t, "m", a), mustFloat(t, "m", b))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := face.CosineOf("l2", math.Sqrt(d)); err != nil || math.Abs(got-want) > 1e-6 {
			t.Errorf("seed %d: got %v, %v, want %v", seed, got, err, want)
		}
	}
	if got, err := face.CosineOf("cosine", -0.5); err != nil || got != -0.5 {
		t.Errorf("cosine: got %v, %v", got, err)
	}
	for name, c := range map[string]struct {
		metric string
		score  float64
	}{
		"other": {"l1", 0}, "upper": {"L2", 0}, "empty": {"", 0}, "negative": {"l2", -0.1}, "long": {"l2", 2.1},
		"nan": {"l2", math.NaN()}, "cosine-wide": {"cosine", 1.1}, "cosine-nan": {"cosine", math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := face.CosineOf(c.metric, c.score); !errors.Is(err, face.ErrMetric) || !math.IsInf(got, -1) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// TestMetric: a model is compared by the metric that its calibration is of.
func TestMetric(t *testing.T) {
	for _, id := range []string{face.ModelMobileFaceNet, face.ModelSynth} {
		m, ok := face.Lookup(id)
		if !ok || m.Metric != face.Cosine || face.Comparator(id) != string(m.Metric)+" of "+id {
			t.Errorf("%s: got %v", id, m)
		}
	}
}

// bound is the greatest angle that quantising turns a unit vector by: the error of a value is half
// a step, which is the largest magnitude / 127.
func bound(v []float32) float64 {
	var most, sum float64
	for _, x := range v {
		most = max(most, math.Abs(float64(x)))
		sum += float64(x) * float64(x)
	}
	return math.Asin(min(1, math.Sqrt(float64(len(v)))*most/math.Sqrt(sum)/254))
}

func quantised(t testing.TB, f *face.Template) *face.Template {
	t.Helper()
	q := make([]int8, f.Dims())
	if err := f.Quantize(q); err != nil {
		t.Fatal(err)
	}
	out, err := face.NewInt8(f.Model(), q)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestInt8Bound: a comparison of quantised vectors moves by no more than the angles they turn by.
func TestInt8Bound(t *testing.T) {
	for _, dims := range []int{64, 65, 128, 512, 1024} {
		spike := make([]float32, dims) // the worst case: one large value, the others near half a step
		for i := range spike {
			spike[i] = 0.0039
		}
		spike[dims/2] = 1
		vectors := [][]float32{spike}
		for seed := range 20 {
			vectors = append(vectors, ramp(seed, dims))
		}
		for i, a := range vectors {
			for _, b := range vectors[:i+1] {
				fa, fb := mustFloat(t, "m", a), mustFloat(t, "m", b)
				want, err := face.Compare(fa, fb)
				if err != nil {
					t.Fatal(err)
				}
				limit := bound(a) + bound(b) + 1e-6
				for _, pair := range [][2]*face.Template{{quantised(t, fa), quantised(t, fb)}, {quantised(t, fa), fb}} {
					if got, err := face.Compare(pair[0], pair[1]); err != nil || math.Abs(got-want) > limit {
						t.Errorf("%d dimensions: got %v, %v, want %v within %v", dims, got, err, want, limit)
					}
				}
			}
		}
	}
}
