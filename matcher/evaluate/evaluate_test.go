package evaluate_test

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tamga-id/tamga/matcher/evaluate"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestEvaluateEqualErrorRate(t *testing.T) {
	for name, c := range map[string]struct {
		mated, nonMated []float64
		want            float64
	}{
		"apart": {[]float64{3, 4}, []float64{1, 2}, 0},
		// (FMR, FNMR) runs (1, 0), (1/2, 0), (0, 1/2).
		"touching": {[]float64{2, 3}, []float64{1, 2}, 0.25},
		"same":     {[]float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}, 0.5},
		"reversed": {[]float64{1, 2}, []float64{3, 4}, 1},
		"constant": {[]float64{0, 0}, []float64{0, 0}, 0.5},
		// Just above 2 the rates are (1/4, 0), just above 3 (1/4, 1/4).
		"quarter": {[]float64{3, 5, 6, 7}, []float64{0, 1, 2, 4}, 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluate.Evaluate(evaluate.Scores{Mated: c.mated, NonMated: c.nonMated})
			if !near(float64(got.EER), c.want) {
				t.Errorf("EER %v, want %v", got.EER, c.want)
			}
			if got.Mated != len(c.mated) || got.NonMated != len(c.nonMated) {
				t.Errorf("counts %d and %d", got.Mated, got.NonMated)
			}
			if got.EERCI95[0] > got.EER || got.EERCI95[1] < got.EER {
				t.Errorf("interval %v does not hold %v", got.EERCI95, got.EER)
			}
		})
	}
}

func TestEvaluateFNMRAtFMR(t *testing.T) {
	// Non-mated 0..999; mated 100 scores, one at each of 985.5, 986.5 ...
	var s evaluate.Scores
	for i := range 1000 {
		s.NonMated = append(s.NonMated, float64(i))
	}
	for i := range 100 {
		s.Mated = append(s.Mated, 985.5+float64(i))
	}
	got := evaluate.Evaluate(s)
	want := map[string]evaluate.Rate{
		"1e-2": 0.04, // 10 may match: from just above 989, below which 985.5 ... 988.5 lie
		"1e-3": 0.13, // 1 may match: just above 998, below which 985.5 ... 997.5 lie
		"1e-4": evaluate.Unmeasured(), "1e-5": evaluate.Unmeasured(), "1e-6": evaluate.Unmeasured(),
	}
	if diff := cmp.Diff(want, got.FNMRAtFMR); diff != "" {
		t.Error(diff)
	}
	for name, rate := range got.FNMRAtFMR {
		if why := got.NotMeasurable[name]; (why == "") != rate.Measured() {
			t.Errorf("FNMR at FMR %s is %v, with the reason %q", name, rate, why)
		}
	}
	if want := map[string]evaluate.Support{"1e-2": evaluate.RuleOf3, "1e-3": evaluate.Indicative}; !maps.Equal(got.Support, want) {
		t.Errorf("support %v, want %v", got.Support, want)
	}
}

func TestEvaluateTies(t *testing.T) {
	// 2 of 100 non-mated scores tie at 5: a threshold takes both or neither.
	s := evaluate.Scores{Mated: []float64{4, 5, 6, 7}, NonMated: []float64{5, 5}}
	for range 98 {
		s.NonMated = append(s.NonMated, 0)
	}
	got := evaluate.Evaluate(s)
	if got.FNMRAtFMR["1e-2"] != 0.5 {
		t.Errorf("FNMR at FMR 0.01 is %v, want 0.5: the tie cannot be split", got.FNMRAtFMR["1e-2"])
	}
}

func TestEvaluateDET(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var s evaluate.Scores
	for range 5000 {
		s.NonMated = append(s.NonMated, r.NormFloat64())
		s.Mated = append(s.Mated, r.NormFloat64()+4)
	}
	got := evaluate.Evaluate(s)
	if len(got.DET) < 100 || len(got.DET) > 200 {
		t.Fatalf("%d points, want 100 to 200", len(got.DET))
	}
	if got.DET[0].FMR != 1 || got.DET[0].FNMR != 0 {
		t.Errorf("curve starts at %+v", got.DET[0])
	}
	for i, p := range got.DET {
		fmr, fnmr := 0.0, 0.0
		for k := range s.Mated {
			if s.NonMated[k] >= p.Threshold {
				fmr++
			}
			if s.Mated[k] < p.Threshold {
				fnmr++
			}
		}
		if !near(p.FMR, fmr/5000) || !near(p.FNMR, fnmr/5000) {
			t.Fatalf("point %d: %+v, counted %v and %v", i, p, fmr/5000, fnmr/5000)
		}
		if i > 0 && (p.Threshold <= got.DET[i-1].Threshold || p.FMR > got.DET[i-1].FMR || p.FNMR < got.DET[i-1].FNMR) {
			t.Fatalf("point %d runs backwards", i)
		}
	}
	// Two normal distributions 4 apart cross at their middle: EER = Phi(-2).
	if want := 0.02275; math.Abs(float64(got.EER)-want) > 0.004 {
		t.Errorf("EER %v, want about %v", got.EER, want)
	}
}

func TestEvaluateWithoutScores(t *testing.T) {
	for name, s := range map[string]evaluate.Scores{
		"none": {}, "mated-only": {Mated: []float64{1}}, "non-mated-only": {NonMated: []float64{1}},
	} {
		got := evaluate.Evaluate(s)
		if got.EER.Measured() || len(got.DET) != 0 || got.Mated != len(s.Mated) || got.NonMated != len(s.NonMated) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEvaluateNotANumber(t *testing.T) {
	in := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 2}
	got := evaluate.Evaluate(evaluate.Scores{Mated: in, NonMated: []float64{0, math.NaN(), 1}})
	if _, err := json.Marshal(got); err != nil {
		t.Errorf("report cannot be written: %v", err)
	}
	if !math.IsNaN(in[0]) {
		t.Error("input was changed")
	}
}

// TestReportNames pins the JSON contract.
func TestReportNames(t *testing.T) {
	var s evaluate.Scores
	for i := range 300 {
		s.NonMated = append(s.NonMated, float64(i))
	}
	s.Mated = []float64{299.5, 301}
	raw, err := json.Marshal(evaluate.Evaluate(s))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"mated": "2", "non_mated": "300", "eer": "0", "failures": "0",
		"fnmr_at_fmr": `{"1e-2":0,"1e-3":null,"1e-4":null,"1e-5":null,"1e-6":null}`,
		"support":     `{"1e-2":"rule_of_3"}`,
	} {
		if string(got[key]) != want {
			t.Errorf("%s is %s, want %s", key, got[key], want)
		}
	}
	var back evaluate.Report
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(evaluate.Evaluate(s), back); diff != "" {
		t.Errorf("a report read back differs:\n%s", diff)
	}
}

// TestTrials: a forgery is non-mated though the subject's name is on both sides.
func TestTrials(t *testing.T) {
	var trials []evaluate.Trial
	for subject := range 10 {
		for k := range 20 {
			trials = append(trials,
				evaluate.Trial{Score: 5 + float64(k), Probe: subject, Reference: subject},
				evaluate.Trial{Score: float64(k) / 2, Probe: subject, Reference: subject, Forged: true},
				evaluate.Trial{Score: -1, Probe: subject, Reference: (subject + 1) % 10})
		}
	}
	got := evaluate.Trials("signature", trials)
	if got.Mated != 200 || got.NonMated != 400 || got.Modality != "signature" || got.Sets == nil {
		t.Errorf("%d mated, %d non-mated, %q", got.Mated, got.NonMated, got.Modality)
	}
	// All subjects are alike, so redrawing them moves only the share of forgeries.
	if got.EERCI95[0] > got.EER || got.EERCI95[1] < got.EER || got.EERCI95[1]-got.EERCI95[0] > 0.05 || got.EER < 0.1 {
		t.Errorf("EER %v in %v", got.EER, got.EERCI95)
	}
}
