package evaluate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/signature"
)

// inventedSignatures are oscillations that a writer fixes; a forger has them
// nearly right.
func inventedSignatures(writers, genuine, forged int) (out []evaluate.SignatureSample) {
	for w := range writers {
		for k := range genuine + forged {
			fixed, own := rand.New(rand.NewPCG(uint64(w), 1)), rand.New(rand.NewPCG(uint64(w), uint64(100+k)))
			strain := 0.1
			if k >= genuine {
				strain = 0.5
			}
			var size, turn [12]float64
			for i := range size {
				size[i] = fixed.NormFloat64() + strain*own.NormFloat64()
				turn[i] = 7*fixed.Float64() + strain*own.NormFloat64()
			}
			s := signature.Sample{}
			for i := range 100 {
				at := float64(i) / 100
				p := signature.Point{X: 20 * at, T: float64(10 * i)}
				for n := range 6 {
					p.X += size[n] * math.Sin(float64(4*n+4)*at+turn[n])
					p.Y += size[6+n] * math.Sin(float64(4*n+4)*at+turn[6+n])
				}
				s.Points = append(s.Points, p)
			}
			out = append(out, evaluate.SignatureSample{Writer: fmt.Sprint("w", w), Number: k + 1, Forged: k >= genuine, Sample: s})
		}
	}
	return out
}

func TestSignatureAgreesWithScores(t *testing.T) {
	const writers, genuine, forged, references = 4, 9, 6, 4
	samples := inventedSignatures(writers, genuine, forged)
	samples[8].Sample = signature.Sample{} // a genuine probe that fails
	got, err := evaluate.Signature(context.Background(), samples, references, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all, random evaluate.Scores
	perWriter := 0.0
	for w := range writers {
		mine := samples[w*(genuine+forged):][:genuine+forged]
		var templates []*signature.Template
		for _, s := range mine[:references] {
			template, err := signature.Prepare(s.Sample)
			if err != nil {
				t.Fatal(err)
			}
			templates = append(templates, template)
		}
		reference, err := signature.NewReference(templates...)
		if err != nil {
			t.Fatal(err)
		}
		score := func(s evaluate.SignatureSample) float64 {
			p, _ := signature.Prepare(s.Sample)
			v, _ := signature.Compare(p, reference)
			return v
		}
		var own evaluate.Scores
		for _, s := range mine[references:] {
			if s.Forged {
				own.NonMated = append(own.NonMated, score(s))
			} else {
				own.Mated = append(own.Mated, score(s))
			}
		}
		for _, s := range samples {
			if s.Writer != mine[0].Writer && !s.Forged && s.Number > references {
				random.NonMated = append(random.NonMated, score(s))
			}
		}
		all.Mated, all.NonMated = append(all.Mated, own.Mated...), append(all.NonMated, own.NonMated...)
		perWriter += float64(evaluate.Evaluate(own).EER) / writers
	}
	random.Mated = all.Mated
	want, wantRandom := evaluate.Evaluate(all), evaluate.Evaluate(random)
	if got.Mated != writers*(genuine-references) || got.NonMated != writers*forged || got.Failures != 1 {
		t.Errorf("%d+%d comparisons, %d failures", got.Mated, got.NonMated, got.Failures)
	}
	if !near(float64(got.EER), float64(want.EER)) || !near(float64(got.EERPerWriter), perWriter) ||
		!near(float64(got.EERRandom), float64(wantRandom.EER)) || got.Random.NonMated != wantRandom.NonMated {
		t.Errorf("EER %v, %v per writer, %v random; want %v, %v, %v", got.EER, got.EERPerWriter, got.EERRandom,
			want.EER, perWriter, wantRandom.EER)
	}
	if got.EER <= 0 || got.EERPerWriterCI95[0] > got.EERPerWriter || got.EERPerWriterCI95[1] < got.EERPerWriter {
		t.Errorf("EER %v, per writer %v in %v", got.EER, got.EERPerWriter, got.EERPerWriterCI95)
	}
	again, err := evaluate.Signature(context.Background(), samples, references, evaluate.Options{})
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("not repeatable: %v %s", err, diff)
	}
}

// TestSignatureJSON: the figures of the report stand at the top level.
func TestSignatureJSON(t *testing.T) {
	r, err := evaluate.Signature(context.Background(), inventedSignatures(3, 6, 3), 3, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"modality", "mated", "non_mated", "eer", "fnmr_at_fmr", "sets", "eer_per_writer", "eer_per_writer_ci95", "eer_random", "random", "references"} {
		if _, ok := m[key]; !ok {
			t.Errorf("%s is missing", key)
		}
	}
}

func TestSignatureCountsWritersWhoCannotEnrol(t *testing.T) {
	samples := inventedSignatures(3, 6, 2)
	for i := range 2 {
		samples[i].Sample = signature.Sample{} // two of the first writer's four
	}
	got, err := evaluate.Signature(context.Background(), samples, 4, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Acquisition; a.Samples != 24 || a.Failed != 2 || a.Reasons["too few points"] != 2 || a.Subjects != 3 || a.NotEnrolled != 1 {
		t.Errorf("acquisition %+v", a)
	}
	if got.Failures != 2 || got.Mated != 6 || got.FNMRAtFMR["1e-2"].Measured() || got.Random.DET[0].Threshold != -math.MaxFloat64 {
		t.Errorf("%d failures, %d mated, FNMR %v", got.Failures, got.Mated, got.FNMRAtFMR)
	}
}

func TestSignatureRefuses(t *testing.T) {
	samples := inventedSignatures(2, 5, 1)
	twice := append(samples[:len(samples):len(samples)], samples[3])
	for name, c := range map[string]struct {
		in         []evaluate.SignatureSample
		references int
	}{"two": {samples, 2}, "eleven": {samples, 11}, "twice": {twice, 3}} {
		if _, err := evaluate.Signature(context.Background(), c.in, c.references, evaluate.Options{}); !errors.Is(err, evaluate.ErrSignatures) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := evaluate.Signature(ctx, samples, 3, evaluate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if r, err := evaluate.Signature(context.Background(), nil, 3, evaluate.Options{}); err != nil || r.EER.Measured() || r.EERPerWriter.Measured() {
		t.Errorf("nothing: %v, %v", r.EER, err)
	}
}

// TestSignatureBenchmark runs the protocol of SVC2004 task 2.
func TestSignatureBenchmark(t *testing.T) {
	dir := sharedDir(t, "signature", "svc2004")
	var samples []evaluate.SignatureSample
	for u := 1; u <= 20; u++ {
		for k := 1; k <= 40; k++ {
			raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("U%dS%d.TXT", u, k)))
			if err != nil {
				t.Fatal(err)
			}
			s, err := svc2004.Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			samples = append(samples, evaluate.SignatureSample{Writer: fmt.Sprintf("U%02d", u), Number: k, Forged: k > 20, Sample: s})
		}
	}
	got, err := evaluate.Signature(context.Background(), samples, 5, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("EER %.4f in %.4f, per writer %.4f in %.4f, random %.4f in %.4f", got.EER, got.EERCI95,
		got.EERPerWriter, got.EERPerWriterCI95, got.EERRandom, got.Random.EERCI95)
	if got.Mated != 300 || got.NonMated != 400 || got.Random.NonMated != 5700 || got.Failures != 0 {
		t.Errorf("%d+%d and %d comparisons, %d failures", got.Mated, got.NonMated, got.Random.NonMated, got.Failures)
	}
	if got.EER > 0.08 || got.EERPerWriter > 0.027 || got.EERRandom > 0.005 {
		t.Errorf("EER %v, %v per writer, %v random; want at most 0.08, 0.027, 0.005", got.EER, got.EERPerWriter, got.EERRandom)
	}
}

// TestSignaturesBounded: comparisons are counted before there is memory for them.
func TestSignaturesBounded(t *testing.T) {
	samples := inventedSignatures(3, 6, 4)
	_, made, err := evaluate.SignaturesTooMany(samples, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int]bool{made - 1: true, made: false} {
		if got, _, _ := evaluate.SignaturesTooMany(samples, 4, limit); got != want {
			t.Errorf("%d comparisons, limit %d: %v", made, limit, got)
		}
	}
}
