package synth_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/evaluate/modality"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/matcher/synth"
)

// The aims of the tests below are aggregates over the real sets, see the package comment; bounds are
// wide enough for what few people leave to chance.

func between(t *testing.T, what string, got, least, most float64) {
	t.Helper()
	t.Logf("%s: %.4f", what, got)
	if got < least || got > most {
		t.Errorf("%s: got %.4f, want %.4f to %.4f", what, got, least, most)
	}
}

func TestFingerCounts(t *testing.T) {
	// Mean number of minutiae in the templates of FVC2002 DB1_B to DB4_B, sparse and dense.
	aims := [4][2]float64{{34.0, 46.9}, {40.7, 54.1}, {26.4, 31.8}, {26.6, 41.2}}
	p := synth.New(21, "KAZ")
	for i, s := range sensors() {
		for e, aim := range aims[i] {
			var counts moments
			for n := range 40 {
				for _, f := range []uint8{1, 2, 8} {
					v := view(t, p.Person(n).FingerCapture(f, n, s, synth.Extractor(e)))
					counts.add(float64(len(v.Minutiae)))
				}
			}
			between(t, fmt.Sprintf("minutiae of %s by %d", s, e), counts.mean()/aim, 0.8, 1.25)
			between(t, fmt.Sprintf("their deviation for %s by %d", s, e), counts.deviation()/counts.mean(), 0.2, 0.55)
		}
	}
}

// TestFingerErrors: the rates of FVC2002 are 2.1 and 2.2 %, set by set 0.4 to 7.
func TestFingerErrors(t *testing.T) {
	p := synth.New(22, "KGZ")
	var templates []modality.FingerTemplate
	for _, s := range sensors() {
		for i := range 8 {
			for n := range 8 {
				templates = append(templates, modality.FingerTemplate{
					Name:   fmt.Sprintf("synth_%s_%d_%d", s, i, n),
					Sample: view(t, p.Person(i).FingerCapture(uint8(1+i), n, s, synth.ExtractorSparse)),
				})
			}
		}
	}
	r, err := modality.Finger(context.Background(), templates, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	between(t, "EER of fingers", float64(r.EER), 0.005, 0.06)
}

func TestFaceDistributions(t *testing.T) {
	const people, dims = 700, 128
	p := synth.New(23, "TJK")
	var vectors [][]float32
	var subjects []string
	var flat []float32
	for i := range people {
		for n := range 2 + 6*(i%7/6) { // some with eight captures
			v := p.Person(i).FaceCapture(n, dims)
			vectors, subjects, flat = append(vectors, v), append(subjects, strconv.Itoa(i)), append(flat, v...)
		}
	}
	var mated, nonMated moments
	for i := range vectors {
		for j := range i {
			if c := cosine(vectors[i], vectors[j]); subjects[i] == subjects[j] {
				mated.add(c)
			} else {
				nonMated.add(c)
			}
		}
	}
	between(t, "mean mated cosine (LFW 0.624)", mated.mean(), 0.59, 0.66)
	between(t, "its deviation (0.117)", mated.deviation(), 0.1, 0.14)
	between(t, "mean non-mated cosine (0.012)", nonMated.mean(), 0.004, 0.02)
	between(t, "its deviation (0.102)", nonMated.deviation(), 0.097, 0.107)
	r, err := modality.Face(context.Background(), subjects, dims, flat, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	between(t, "EER of faces (0.98 %)", float64(r.EER), 0.005, 0.016)
	// Other models' sizes keep the shape: the deviation follows the root of the dimensions.
	var wide moments
	for i := range 200 {
		a := p.Person(i).FaceCapture(0, 512)
		for j := range i {
			wide.add(cosine(a, p.Person(j).FaceCapture(1, 512)))
		}
	}
	between(t, "deviation at 512 dimensions", wide.deviation(), 0.045, 0.065)
}

func TestIrisDistributions(t *testing.T) {
	const eyes, captures = 30, 4
	p := synth.New(24, "KAZ")
	codes := make([][captures]synth.Iris, eyes)
	shown := moments{}
	for i := range codes {
		for n := range captures {
			codes[i][n] = p.Person(i).IrisCapture(uint8(i%2), n)
			ones := 0
			for _, b := range codes[i][n].Mask() {
				for ; b != 0; b &= b - 1 {
					ones++
				}
			}
			shown.add(float64(ones) / 2048)
		}
	}
	var mated, raw, best moments
	for i := range codes {
		for j := range i {
			raw.add(distance(codes[i][0], codes[j][1], 0))
			best.add(closest(codes[i][0], codes[j][1]))
		}
		for a := range captures {
			for b := range a {
				mated.add(closest(codes[i][a], codes[i][b]))
			}
		}
	}
	between(t, "share of the iris shown (CASIA-IrisV1 0.827)", shown.mean(), 0.78, 0.86)
	between(t, "non-mated distance (0.497)", raw.mean(), 0.49, 0.503)
	between(t, "its deviation (0.0263)", raw.deviation(), 0.0215, 0.0285)
	between(t, "non-mated at the best of 17 rotations (0.456)", best.mean(), 0.45, 0.465)
	between(t, "mated (0.259)", mated.mean(), 0.235, 0.285)
	between(t, "its deviation (0.077)", mated.deviation(), 0.055, 0.095)
}

func closest(a, b synth.Iris) float64 {
	least := 1.0
	for turn := -8; turn <= 8; turn++ {
		least = min(least, distance(a, b, turn))
	}
	return least
}

// TestSignatureErrors: skilled forgeries of SVC2004 are told from genuine signatures with an EER of
// 5.7 %, others' signatures with none.
func TestSignatureErrors(t *testing.T) {
	const writers, genuine = 16, 12
	p := synth.New(25, "UZB")
	var mated, skilled, random []float64
	references := make([]*signature.Reference, writers)
	for i := range references {
		var own []*signature.Template
		for n := range 5 {
			own = append(own, signed(t, p.Person(i).SignatureCapture(n)))
		}
		r, err := signature.NewReference(own...)
		if err != nil {
			t.Fatal(err)
		}
		references[i] = r
		for n := 5; n < genuine; n++ {
			mated = append(mated, score(t, p.Person(i).SignatureCapture(n), r))
			skilled = append(skilled, score(t, p.Person(i).Forgery(n), r))
		}
		for j := range i {
			random = append(random, score(t, p.Person(i).SignatureCapture(7), references[j]))
		}
	}
	between(t, "EER against skilled forgeries", float64(evaluate.Evaluate(evaluate.Scores{Mated: mated, NonMated: skilled}).EER), 0.01, 0.1)
	between(t, "EER against others", float64(evaluate.Evaluate(evaluate.Scores{Mated: mated, NonMated: random}).EER), 0, 0.01)
}

func signed(t *testing.T, s signature.Sample) *signature.Template {
	t.Helper()
	f, err := signature.Prepare(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func score(t *testing.T, s signature.Sample, r *signature.Reference) float64 {
	t.Helper()
	v, err := signature.Compare(signed(t, s), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
