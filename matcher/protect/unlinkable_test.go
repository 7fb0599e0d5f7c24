package protect_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/evaluate/modality"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/protect"
)

const faceDims = 128

// faces reads the vectors of the shared test data, which does not ship with the project.
func faces(t testing.TB) (subjects []string, vectors []float32) {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	base := filepath.Join(root, "data", "face", "embeddings128")
	table, err := os.ReadFile(base + ".tsv")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("shared test data is absent: %v", err)
	}
	raw, err := os.ReadFile(base + ".f32")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n")[1:] {
		subjects = append(subjects, strings.Split(line, "\t")[1])
	}
	for ; len(raw) >= 4; raw = raw[4:] {
		vectors = append(vectors, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	}
	if len(subjects) == 0 || len(vectors) != len(subjects)*faceDims {
		t.Fatalf("%d values for %d rows", len(vectors), len(subjects))
	}
	return subjects, vectors
}

// TestAccuracyStays evaluates vectors plain, protected, and renewed twenty times, in float32 and 8 bits. TAMGA_ALL_FACES takes all rows,
// for the figures of the README; otherwise one subject in eight.
func TestAccuracyStays(t *testing.T) {
	subjects, vectors := faces(t)
	if os.Getenv("TAMGA_ALL_FACES") == "" {
		subjects, vectors = some(subjects, vectors)
	}
	const renewals = 20
	var generations [1 + renewals]*protect.Transform
	for i := range generations {
		generations[i] = transform(t, 1, uint32(1+i), face.ModelMobileFaceNet, faceDims)
	}
	sets := map[string][]float32{"plain": vectors, "protected": nil, "renewed": nil, "plain-int8": nil, "protected-int8": nil, "renewed-int8": nil}
	add := func(name string, e exchange.Embedding, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range e.Quantised {
			e.Values = append(e.Values, float32(x))
		}
		sets[name] = append(sets[name], e.Values...)
	}
	for i := range subjects {
		e := exchange.Embedding{Model: face.ModelMobileFaceNet, Values: vectors[i*faceDims : (i+1)*faceDims]}
		q, err := exchange.Quantised(e.Model, e.Values)
		add("plain-int8", q, err)
		for form, e := range map[string]exchange.Embedding{"": e, "-int8": q} {
			p, err := generations[0].Protect(e)
			add("protected"+form, p, err)
			for g := range renewals {
				if p, err = protect.Renew(p, generations[g], generations[g+1]); err != nil {
					t.Fatal(err)
				}
			}
			add("renewed"+form, p, err)
		}
	}
	reports := map[string]evaluate.Report{}
	for name, v := range sets {
		r, err := modality.Face(t.Context(), subjects, faceDims, v, evaluate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		reports[name] = r
	}
	for _, name := range []string{"plain", "protected", "renewed", "plain-int8", "protected-int8", "renewed-int8"} {
		r, plain := reports[name], reports["plain"]
		t.Logf("%-15s EER %.3f %%, TAR at FMR 1e-3 %.3f %%, at 1e-4 %.3f %%", name, 100*float64(r.EER),
			100*(1-float64(r.FNMRAtFMR["1e-3"])), 100*(1-float64(r.FNMRAtFMR["1e-4"])))
		allowed := 0.0002 // of rounding that moves a comparison over a bin of the evaluation
		if strings.HasSuffix(name, "int8") {
			allowed = 0.002
		}
		for word, d := range map[string]float64{"EER": float64(r.EER - plain.EER), "FNMR at 1e-3": float64(r.FNMRAtFMR["1e-3"] - plain.FNMRAtFMR["1e-3"])} {
			if !(math.Abs(d) <= allowed) {
				t.Errorf("%s: %s moved by %g", name, word, d)
			}
		}
	}
}

func some(subjects []string, vectors []float32) (s []string, v []float32) {
	chosen := map[string]bool{}
	for i, subject := range subjects {
		if _, seen := chosen[subject]; !seen {
			chosen[subject] = len(chosen)%8 == 0
		}
		if chosen[subject] {
			s = append(s, subject)
			v = append(v, vectors[i*faceDims:(i+1)*faceDims]...)
		}
	}
	return s, v
}

// attacks are what one may try on a template of each of two nodes; higher means more alike.
var attacks = map[string]func(a, b exchange.Embedding) float64{
	"cosine":          func(a, b exchange.Embedding) float64 { return cosine(a.Values, b.Values) },
	"absolute cosine": func(a, b exchange.Embedding) float64 { return math.Abs(cosine(a.Values, b.Values)) },
	"norm": func(a, b exchange.Embedding) float64 {
		return -math.Abs(dot(a.Values, a.Values) - dot(b.Values, b.Values))
	},
	"sorted": func(a, b exchange.Embedding) float64 {
		return cosine(ordered(a.Values, false), ordered(b.Values, false))
	},
	"sorted magnitudes": func(a, b exchange.Embedding) float64 { return cosine(ordered(a.Values, true), ordered(b.Values, true)) },
	"int8 scale":        func(a, b exchange.Embedding) float64 { return -math.Abs(float64(a.Scale - b.Scale)) },
	"int8 histogram":    func(a, b exchange.Embedding) float64 { return cosine(histogram(a.Quantised), histogram(b.Quantised)) },
}

func ordered(v []float32, magnitudes bool) []float32 {
	out := slices.Clone(v)
	if magnitudes {
		for i := range out {
			out[i] = float32(math.Abs(float64(out[i])))
		}
	}
	slices.Sort(out)
	return out
}

func histogram(v []int8) []float32 {
	out := make([]float32, 16)
	for _, x := range v {
		out[(int(x)+128)/16]++
	}
	return out
}

// TestUnlinkable scores one template of a person at each of two nodes, for many pairs of secrets, against
// templates of two people. A single pair of secrets shifts all mated scores by chance, by about one over
// the root of the vectors' effective dimensions; an attacker without known pairs knows neither sign nor
// size of it. So what is held to one half is the mean of the areas under the ROC curve over secrets.
func TestUnlinkable(t *testing.T) {
	const pairs, most = 64, 600
	subjects, vectors := faces(t)
	a, b := twoSamples(subjects, vectors, most)
	if len(a) < 300 {
		t.Fatalf("only %d subjects with two samples", len(a))
	}
	areas, primes := map[string][]float64{}, map[string][]float64{}
	for n := range pairs {
		one := transform(t, byte(2*n+1), 1, face.ModelMobileFaceNet, faceDims)
		two := transform(t, byte(2*n+2), 1, face.ModelMobileFaceNet, faceDims)
		left, right := protected(t, one.Apply, a), protected(t, two.Apply, b)
		for name, score := range attacks {
			area, prime := separation(left, right, score)
			areas[name], primes[name] = append(areas[name], area), append(primes[name], prime)
		}
	}
	for name := range attacks {
		area, interval := meanInterval(areas[name])
		prime, primeInterval := meanInterval(primes[name])
		low, high := slices.Min(areas[name]), slices.Max(areas[name])
		t.Logf("%-17s AUC %.3f ± %.3f (%.3f to %.3f), d' %+.3f ± %.3f", name, area, interval, low, high, prime, primeInterval)
		if math.Abs(area-0.5) > max(0.02, 1.5*interval) || low < 0.35 || high > 0.65 {
			t.Errorf("%s links templates: AUC %.3f ± %.3f (%.3f to %.3f)", name, area, interval, low, high)
		}
	}
	// The test can fail: under one secret, the same people are told apart.
	one := transform(t, 1, 1, face.ModelMobileFaceNet, faceDims)
	if area, _ := separation(protected(t, one.Apply, a), protected(t, one.Apply, b), attacks["cosine"]); area < 0.98 {
		t.Errorf("AUC under one secret is %.3f", area)
	}
	// And a permutation with signs, the cheap way, is linked by sorted magnitudes of one photograph.
	shuffle := func(by int) func(dst, src []float32) error {
		return func(dst, src []float32) error {
			for i, x := range src {
				dst[(i*by+by)%len(dst)] = x * float32(1-2*((i*by/3)%2))
			}
			return nil
		}
	}
	if area, _ := separation(protected(t, shuffle(5), a), protected(t, shuffle(77), a), attacks["sorted magnitudes"]); area < 0.999 {
		t.Errorf("AUC of permutations is %.3f: the attack has no power", area)
	}
}

func twoSamples(subjects []string, vectors []float32, most int) (a, b [][]float32) {
	first := map[string]int{}
	for i, s := range subjects {
		at, seen := first[s]
		if !seen {
			first[s] = i
		} else if at >= 0 && len(a) < most {
			a = append(a, vectors[at*faceDims:(at+1)*faceDims])
			b = append(b, vectors[i*faceDims:(i+1)*faceDims])
			first[s] = -1
		}
	}
	return a, b
}

func protected(t *testing.T, apply func(dst, src []float32) error, vectors [][]float32) []exchange.Embedding {
	t.Helper()
	out := make([]exchange.Embedding, len(vectors))
	for i, v := range vectors {
		p := make([]float32, len(v))
		if err := apply(p, v); err != nil {
			t.Fatal(err)
		}
		e, err := exchange.Quantised("m", p)
		if err != nil {
			t.Fatal(err)
		}
		e.Values = p
		out[i] = e
	}
	return out
}

// separation is the area under the ROC curve and d' of mated scores against those of neighbours in the list.
func separation(left, right []exchange.Embedding, score func(a, b exchange.Embedding) float64) (area, prime float64) {
	const neighbours = 4
	var mated, others []float64
	for i := range left {
		mated = append(mated, score(left[i], right[i]))
		for k := 1; k <= neighbours; k++ {
			others = append(others, score(left[i], right[(i+k)%len(right)]))
		}
	}
	sort.Float64s(others)
	for _, m := range mated {
		below := sort.SearchFloat64s(others, m)
		above := sort.Search(len(others), func(i int) bool { return others[i] > m })
		area += float64(below+above) / 2
	}
	mm, mv := moments(mated)
	om, ov := moments(others)
	return area / float64(len(mated)*len(others)), (mm - om) / math.Sqrt((mv+ov)/2)
}

func moments(v []float64) (mean, variance float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	for _, x := range v {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / float64(len(v)-1)
}

// meanInterval is the mean and half the width of its 95 % interval.
func meanInterval(v []float64) (mean, half float64) {
	mean, variance := moments(v)
	return mean, 2.0 * math.Sqrt(variance/float64(len(v))) // Student's t of 63 degrees of freedom
}
