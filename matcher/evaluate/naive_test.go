package evaluate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/matcher/evaluate"
)

// naive computes by the definitions: every threshold, every score each time.
type naive struct{ mated, nonMated []float64 }

func (n naive) fmr(threshold float64) float64 {
	return float64(len(slices.DeleteFunc(slices.Clone(n.nonMated), func(s float64) bool { return s < threshold }))) / float64(len(n.nonMated))
}

func (n naive) fnmr(threshold float64) float64 {
	return float64(len(slices.DeleteFunc(slices.Clone(n.mated), func(s float64) bool { return s >= threshold }))) / float64(len(n.mated))
}

// thresholds are one for each way to part the scores, ascending.
func (n naive) thresholds() []float64 {
	all := slices.Concat(n.mated, n.nonMated)
	slices.Sort(all)
	return append(slices.Compact(all), math.Inf(1))
}

func (n naive) eer() float64 {
	fmr, fnmr := 1.0, 0.0
	for _, t := range n.thresholds() {
		nextFMR, nextFNMR := n.fmr(t), n.fnmr(t)
		if nextFNMR >= nextFMR {
			if nextFNMR == fnmr && nextFMR == fmr {
				return nextFNMR
			}
			// Where the line from (fmr, fnmr) meets the diagonal.
			share := (fmr - fnmr) / ((fmr - fnmr) + (nextFNMR - nextFMR))
			return fnmr + share*(nextFNMR-fnmr)
		}
		fmr, fnmr = nextFMR, nextFNMR
	}
	return fnmr
}

func (n naive) fnmrAt(bound float64) float64 {
	best := 1.0
	for _, t := range n.thresholds() {
		if n.fmr(t) <= bound+1e-12 {
			best = min(best, n.fnmr(t))
		}
	}
	return best
}

// drawScores are few distinct values, so that ties are common.
func drawScores(t *rapid.T) naive {
	levels := rapid.IntRange(1, 60).Draw(t, "levels")
	score := rapid.Map(rapid.IntRange(-levels, levels), func(i int) float64 { return float64(i) / 7 })
	shift := rapid.Float64Range(0, 5).Draw(t, "shift")
	n := naive{
		mated:    rapid.SliceOfN(score, 1, 60).Draw(t, "mated"),
		nonMated: rapid.SliceOfN(score, 1, 300).Draw(t, "non-mated"),
	}
	for i := range n.mated {
		n.mated[i] += shift
	}
	return n
}

var bounds = map[string]float64{"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4, "1e-5": 1e-5, "1e-6": 1e-6}

func TestEvaluateAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawScores(t)
		got := evaluate.Evaluate(evaluate.Scores{Mated: n.mated, NonMated: n.nonMated})
		if want := n.eer(); !near(float64(got.EER), want) {
			t.Fatalf("EER %v, naive %v", got.EER, want)
		}
		for name, bound := range bounds {
			rate := got.FNMRAtFMR[name]
			if rate.Measured() != (bound*float64(len(n.nonMated)) >= 1) {
				t.Fatalf("FNMR at FMR %s of %d is %v", name, len(n.nonMated), rate)
			}
			if want := n.fnmrAt(bound); rate.Measured() && !near(float64(rate), want) {
				t.Fatalf("FNMR at FMR %s is %v, naive %v", name, rate, want)
			}
		}
		for _, p := range got.OperatingPoints {
			if !near(p.FMR, n.fmr(p.Threshold)) || !near(p.FNMR, n.fnmr(p.Threshold)) || p.FMR > bounds[p.Allowed]+1e-12 {
				t.Fatalf("%+v, counted FMR %v and FNMR %v", p, n.fmr(p.Threshold), n.fnmr(p.Threshold))
			}
		}
		for _, p := range got.DET {
			if !near(p.FMR, n.fmr(p.Threshold)) || !near(p.FNMR, n.fnmr(p.Threshold)) {
				t.Fatalf("%+v, counted FMR %v and FNMR %v", p, n.fmr(p.Threshold), n.fnmr(p.Threshold))
			}
		}
	})
}

// TestEvaluateProperties: order, scale and copies of scores do not matter, and
// a laxer FMR never has a higher FNMR.
func TestEvaluateProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawScores(t)
		report := func(n naive) evaluate.Report {
			return evaluate.Evaluate(evaluate.Scores{Mated: n.mated, NonMated: n.nonMated})
		}
		got := report(n)
		shuffled := naive{rapid.Permutation(n.mated).Draw(t, "order"), rapid.Permutation(n.nonMated).Draw(t, "order")}
		if diff := cmp.Diff(got, report(shuffled)); diff != "" {
			t.Fatalf("another order:\n%s", diff)
		}
		scaled := naive{slices.Clone(n.mated), slices.Clone(n.nonMated)}
		for _, scores := range [][]float64{scaled.mated, scaled.nonMated} {
			for i, s := range scores {
				scores[i] = math.Ldexp(s, 5) // exact, so that it rises strictly
			}
		}
		other := report(scaled)
		if other.EER != got.EER || !cmp.Equal(other.FNMRAtFMR, got.FNMRAtFMR) {
			t.Fatalf("a rising function of the scores: EER %v, was %v", other.EER, got.EER)
		}
		doubled := report(naive{slices.Concat(n.mated, n.mated), slices.Concat(n.nonMated, n.nonMated)})
		if !near(float64(doubled.EER), float64(got.EER)) {
			t.Fatalf("every score twice: EER %v, was %v", doubled.EER, got.EER)
		}
		last := evaluate.Rate(0)
		for _, name := range []string{"1e-2", "1e-3", "1e-4", "1e-5", "1e-6"} {
			if r := got.FNMRAtFMR[name]; r.Measured() && r < last {
				t.Fatalf("FNMR %v at FMR %s, %v at a laxer one", r, name, last)
			} else if r.Measured() {
				last = r
			}
		}
	})
}

// TestReplicateAgreesWithNaive: drawing a subject twice is the same as having
// its comparisons twice, those with another drawn thrice six times.
func TestReplicateAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subjects := rapid.IntRange(2, 6).Draw(t, "subjects")
		trials := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) evaluate.Trial {
			tr := evaluate.Trial{
				Score: float64(rapid.IntRange(0, 30).Draw(t, "score")),
				Probe: rapid.IntRange(0, subjects-1).Draw(t, "probe"), Reference: rapid.IntRange(0, subjects-1).Draw(t, "reference"),
			}
			if tr.Probe == tr.Reference {
				tr.Forged = rapid.Bool().Draw(t, "forged")
				if !tr.Forged {
					tr.Score += 8
				}
			}
			return tr
		}), 1, 80).Draw(t, "trials")
		eer, fnmr, drawn, ok := evaluate.Replicate(trials, subjects, rapid.Uint64().Draw(t, "seed"))
		var n naive
		for _, tr := range trials {
			times := drawn[tr.Reference]
			if tr.Probe != tr.Reference {
				times *= drawn[tr.Probe]
			}
			for range int(times) {
				if tr.Probe == tr.Reference && !tr.Forged {
					n.mated = append(n.mated, tr.Score)
				} else {
					n.nonMated = append(n.nonMated, tr.Score)
				}
			}
		}
		if ok != (len(n.mated) > 0 && len(n.nonMated) > 0) {
			t.Fatalf("usable: %v, of %d and %d", ok, len(n.mated), len(n.nonMated))
		}
		if !ok {
			return
		}
		if want := n.eer(); !near(eer, want) {
			t.Fatalf("EER %v, naive %v", eer, want)
		}
		if want := n.fnmrAt(1e-2); !near(fnmr[0], want) {
			t.Fatalf("FNMR %v, naive %v", fnmr[0], want)
		}
	})
}

// TestFawcett is the test set of 20 instances of T. Fawcett, "An introduction
// to ROC analysis", Pattern Recognition Letters 27 (2006), figure 3.
func TestFawcett(t *testing.T) {
	got := evaluate.Evaluate(evaluate.Scores{
		Mated:    []float64{.9, .8, .6, .55, .54, .51, .4, .38, .34, .3},
		NonMated: []float64{.7, .53, .52, .505, .39, .37, .36, .35, .33, .1},
	})
	// The figure passes (0.4, 0.6): 4 of 10 negatives above, 6 of 10 positives.
	if !near(float64(got.EER), 0.4) {
		t.Errorf("EER %v, want 0.4", got.EER)
	}
	// "The ROC point at (0.1, 0.5) produces its highest accuracy (70 %)."
	best := evaluate.Point{}
	for _, p := range got.DET {
		if p.FMR+p.FNMR < best.FMR+best.FNMR || best.Threshold == 0 {
			best = p
		}
	}
	if !near(best.FMR, 0.1) || !near(best.FNMR, 0.5) || best.Threshold != .54 {
		t.Errorf("highest accuracy at %+v, want FMR 0.1 and FNMR 0.5 at 0.54", best)
	}
}

// TestRules: 3/x comparisons claim x, and 30 errors know it within 30 %.
func TestRules(t *testing.T) {
	for n, want := range map[int]string{
		299: string(evaluate.Indicative), 300: string(evaluate.RuleOf3), 2999: string(evaluate.RuleOf3), 3000: string(evaluate.RuleOf30),
		100: string(evaluate.Indicative), 99: "",
	} {
		s := evaluate.Scores{Mated: []float64{1e9}}
		for i := range n {
			s.NonMated = append(s.NonMated, float64(i))
		}
		if got := evaluate.Evaluate(s).Support["1e-2"]; string(got) != want {
			t.Errorf("support of FMR 1e-2 by %d comparisons is %q, want %q", n, got, want)
		}
	}
}

// TestTallyForgetsNothingThatCounts compares tallies of all sizes with one that
// keeps everything.
func TestTallyForgetsNothingThatCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	const subjects, each = 60, 4
	var scores []float64
	var a, b []int32
	captures := make([]float64, subjects)
	for i := range subjects * each {
		captures[i%subjects]++
		for k := range i {
			x, y := int32(i%subjects), int32(k%subjects)
			score := r.NormFloat64()
			if x == y {
				score += 3.2
			}
			if r.IntN(5) == 0 {
				score = math.Round(score) // ties, some at zero
			}
			scores, a, b = append(scores, score), append(a, x), append(b, y)
		}
	}
	whole := evaluate.Gathered(1<<20, scores, a, b, captures)
	for _, keep := range []int{3000, 5000, 20_000} { // of 28,320 non-mated
		got := evaluate.Gathered(keep, scores, a, b, captures)
		if got.Mated != whole.Mated || got.NonMated != whole.NonMated {
			t.Fatalf("keeping %d: %d mated, %d non-mated", keep, got.Mated, got.NonMated)
		}
		// Rates within what is kept are the same to the last bit.
		if got.EER != whole.EER || !cmp.Equal(got.FNMRAtFMR, whole.FNMRAtFMR) || !cmp.Equal(got.OperatingPoints, whole.OperatingPoints) {
			t.Errorf("keeping %d: EER %v, %v\nwant %v, %v", keep, got.EER, got.FNMRAtFMR, whole.EER, whole.FNMRAtFMR)
		}
		if got.EERCI95 != whole.EERCI95 {
			t.Errorf("keeping %d: EER in %v, want %v", keep, got.EERCI95, whole.EERCI95)
		}
	}
	// Where the rates are in the bins, they are as fine as these.
	got := evaluate.Gathered(100, scores, a, b, captures)
	if math.Abs(float64(got.EER-whole.EER)) > 2e-3 || math.Abs(float64(got.EERCI95[1]-whole.EERCI95[1])) > 0.02 {
		t.Errorf("keeping 100: EER %v in %v, want %v in %v", got.EER, got.EERCI95, whole.EER, whole.EERCI95)
	}
	shuffled := rand.New(rand.NewPCG(6, 6)).Perm(len(scores))
	s2, a2, b2 := make([]float64, len(scores)), make([]int32, len(scores)), make([]int32, len(scores))
	for i, k := range shuffled {
		s2[i], a2[i], b2[i] = scores[k], a[k], b[k]
	}
	for _, keep := range []int{100, 3000} {
		if diff := cmp.Diff(evaluate.Gathered(keep, scores, a, b, captures), evaluate.Gathered(keep, s2, a2, b2, captures)); diff != "" {
			t.Errorf("keeping %d, another order:\n%s", keep, diff)
		}
	}
}

// invention is a plan with scores by a fixed function of the captures.
func invention(sets, subjects, each int) (evaluate.Plan, func(i, k int) float64) {
	p := evaluate.Plan{Modality: "finger", Protocol: "test"}
	for s := range sets {
		for n := range subjects {
			for range each {
				p.Captures = append(p.Captures, evaluate.Capture{Set: fmt.Sprint("set", s), Subject: fmt.Sprint(s, "-", n)})
			}
		}
	}
	score := func(i, k int) float64 {
		r := rand.New(rand.NewPCG(uint64(min(i, k)), uint64(max(i, k))))
		v := math.Round(r.NormFloat64()*20) / 20
		if p.Captures[i].Subject == p.Captures[k].Subject {
			v += 2.5
		}
		return v
	}
	p.Compare = func(i, from int, scores []float64) {
		for k := range scores {
			scores[k] = score(i, from+k)
		}
	}
	return p, score
}

func TestPairsAgreesWithNaive(t *testing.T) {
	for _, both := range []bool{false, true} {
		p, score := invention(3, 8, 4)
		p.BothWays = both
		got, err := evaluate.Pairs(context.Background(), p, evaluate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var all naive
		sets := map[string]*naive{}
		for i, a := range p.Captures {
			for k, b := range p.Captures {
				if a.Set != b.Set || i == k || (!both && k < i) {
					continue
				}
				if sets[a.Set] == nil {
					sets[a.Set] = &naive{}
				}
				for _, n := range []*naive{&all, sets[a.Set]} {
					if a.Subject == b.Subject {
						n.mated = append(n.mated, score(i, k))
					} else {
						n.nonMated = append(n.nonMated, score(i, k))
					}
				}
			}
		}
		mean := 0.0
		for name, n := range sets {
			s := set(t, got, name)
			if !near(float64(s.EER), n.eer()) || !near(float64(s.FNMRAtFMR["1e-2"]), n.fnmrAt(1e-2)) || s.Mated != len(n.mated) || s.NonMated != len(n.nonMated) {
				t.Errorf("%s: EER %v, naive %v", name, s.EER, n.eer())
			}
			mean += n.eer() / 3
		}
		if !near(float64(got.EER), mean) || !near(float64(got.Pooled.EER), all.eer()) || got.Mated != len(all.mated) {
			t.Errorf("EER %v, pooled %v, naive %v and %v", got.EER, got.Pooled.EER, mean, all.eer())
		}
		if got.EERCI95[0] >= got.EER || got.EERCI95[1] <= got.EER {
			t.Errorf("EER %v in %v", got.EER, got.EERCI95)
		}
	}
}

// TestIdentificationAgreesWithNaive ranks and searches by sorting everything.
func TestIdentificationAgreesWithNaive(t *testing.T) {
	p, score := invention(3, 8, 4)
	p.Captures[0].Failed = "no template" // so that the next is the reference
	for i := 32; i < 36; i++ {
		p.Captures[i].Failed = "no template" // a subject that is not enrolled
	}
	got, err := evaluate.Pairs(context.Background(), p, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	references := map[string]int{}
	for i, c := range p.Captures {
		if _, ok := references[c.Subject]; !ok && c.Failed == "" {
			references[c.Subject] = i
		}
	}
	for _, scope := range []string{"", "set0", "set1", "set2"} {
		in := got.Identification
		if scope != "" {
			in = set(t, got, scope).Identification
		}
		var first, fifth, probes float64
		var best, mates []float64
		gallery := 0
		for _, i := range references {
			if scope == "" || p.Captures[i].Set == scope {
				gallery++
			}
		}
		for i, c := range p.Captures {
			mate, enrolled := references[c.Subject]
			if i == mate || !enrolled || scope != "" && c.Set != scope {
				continue
			}
			probes++
			ahead, top := 0, math.Inf(-1)
			for subject, reference := range references {
				if subject == c.Subject || scope != "" && p.Captures[reference].Set != scope {
					continue
				}
				s := score(i, reference)
				if s >= score(i, mate) {
					ahead++
				}
				top = max(top, s)
			}
			if ahead == 0 {
				first++
			}
			if ahead < 5 {
				fifth++
			}
			best, mates = append(best, top), append(mates, score(i, mate))
		}
		if in.Gallery != gallery || in.Probes != int(probes) || !near(float64(in.Rank["1"]), first/probes) || !near(float64(in.Rank["5"]), fifth/probes) {
			t.Errorf("%q: %d of %d, ranks %v, naive %v and %v of %d", scope, in.Probes, in.Gallery, in.Rank, first/probes, fifth/probes, gallery)
		}
		for _, o := range in.OpenSet {
			n := naive{mated: mates, nonMated: best}
			allowed := map[string]float64{"1e-1": 0.1, "1e-2": 0.01}[o.Allowed]
			if !near(o.FPIR, n.fmr(o.Threshold)) || !near(o.FNIR, n.fnmr(o.Threshold)) || !near(o.FNIR, n.fnmrAt(allowed)) {
				t.Errorf("%q: %+v, naive FPIR %v, FNIR %v", scope, o, n.fmr(o.Threshold), n.fnmr(o.Threshold))
			}
		}
		if len(in.OpenSet) == 0 || in.FNIRAtFPIR["1e-3"].Measured() {
			t.Errorf("%q: open set %v of %d probes", scope, in.FNIRAtFPIR, in.Probes)
		}
	}
	if a := got.Acquisition; a.Samples != 96 || a.Failed != 5 || a.Subjects != 24 || a.NotEnrolled != 1 || a.Reasons["no template"] != 5 {
		t.Errorf("acquisition %+v", a)
	}
}

func TestGroupsAgreeWithNaive(t *testing.T) {
	p, score := invention(2, 10, 4)
	g := evaluate.Grouping{Attribute: "hand", Of: map[string]string{"elsewhere": "third"}}
	for i, c := range p.Captures {
		switch n := i / 4; {
		case n%10 == 9: // in no group
		case n%2 == 0:
			g.Of[c.Subject] = "left"
		default:
			g.Of[c.Subject] = "right"
		}
	}
	got, err := evaluate.Pairs(context.Background(), p, evaluate.Options{Groups: []evaluate.Grouping{g}})
	if err != nil {
		t.Fatal(err)
	}
	d := got.Groups[0]
	if d.Attribute != "hand" || len(d.Groups) != 2 || d.Ungrouped != 2 || d.Unknown != 1 || len(d.Ratios) != len(got.Pooled.OperatingPoints) {
		t.Fatalf("%+v", d)
	}
	for _, group := range d.Groups {
		var n naive
		for i, a := range p.Captures {
			for k, b := range p.Captures[:i] {
				switch {
				case a.Set != b.Set || g.Of[a.Subject] != group.Name || g.Of[b.Subject] != group.Name:
				case a.Subject == b.Subject:
					n.mated = append(n.mated, score(i, k))
				default:
					n.nonMated = append(n.nonMated, score(i, k))
				}
			}
		}
		if group.Mated != len(n.mated) || group.NonMated != len(n.nonMated) {
			t.Errorf("%s: %d and %d, naive %d and %d", group.Name, group.Mated, group.NonMated, len(n.mated), len(n.nonMated))
		}
		for i, point := range group.Points {
			threshold := got.Pooled.OperatingPoints[i].Threshold
			if !near(float64(point.FMR), n.fmr(threshold)) || !near(float64(point.FNMR), n.fnmr(threshold)) {
				t.Errorf("%s at %s: %+v, naive %v and %v", group.Name, point.Allowed, point, n.fmr(threshold), n.fnmr(threshold))
			}
		}
	}
	left, right := d.Groups[0].Points[0].FNMR, d.Groups[1].Points[0].FNMR
	r := d.Ratios[0]
	if want := max(left, right) / min(left, right); !near(float64(r.FNMRWorstToBest), float64(want)) || !near(float64(r.FNMRWorstToMean), math.Sqrt(float64(want))) {
		t.Errorf("%+v of %v and %v", r, left, right)
	}
}

// TestGroupsThatNameNobody: a differential of nobody would look like one without differences.
func TestGroupsThatNameNobody(t *testing.T) {
	p, _ := invention(2, 4, 2)
	nobody := evaluate.Grouping{Attribute: "hand", Of: map[string]string{"set0_0-1": "left"}}
	somebody := evaluate.Grouping{Attribute: "sex", Of: map[string]string{"0-1": "F"}}
	if _, err := evaluate.Pairs(t.Context(), p, evaluate.Options{Groups: []evaluate.Grouping{nobody}}); !errors.Is(err, evaluate.ErrGroups) {
		t.Errorf("pairs: %v, want ErrGroups", err)
	}
	if _, err := evaluate.Signature(t.Context(), inventedSignatures(2, 6, 1), 4, evaluate.Options{Groups: []evaluate.Grouping{nobody}}); !errors.Is(err, evaluate.ErrGroups) {
		t.Errorf("signatures: %v, want ErrGroups", err)
	}
	got, err := evaluate.Pairs(t.Context(), p, evaluate.Options{Groups: []evaluate.Grouping{nobody, somebody}})
	if err != nil {
		t.Fatal(err)
	}
	if d := got.Groups[0]; len(d.Groups) != 0 || d.Ungrouped != 8 || d.Unknown != 1 {
		t.Errorf("%+v", d)
	}
	if d := got.Groups[1]; len(d.Groups) != 1 || d.Ungrouped != 7 || d.Unknown != 0 {
		t.Errorf("%+v", d)
	}
}

// TestMeanOverSetsThatHaveTheFigure: a set of one finger, of one impression each or of one impression alone has no
// rate; the mean is over the others, says so, and its interval is that of the others.
func TestMeanOverSetsThatHaveTheFigure(t *testing.T) {
	whole, _ := invention(3, 8, 4)
	small, _ := invention(2, 8, 4)
	mix := func(p evaluate.Plan, set, subject string, n int, each bool) evaluate.Plan {
		for i := range n {
			c := evaluate.Capture{Set: set, Subject: subject}
			if each {
				c.Subject += fmt.Sprint(i)
			}
			p.Captures = append(p.Captures, c)
		}
		return p
	}
	known, compare := len(small.Captures), small.Compare
	small.Compare = func(i, from int, scores []float64) {
		if max(i, from) < known { // spans end with their set
			compare(i, from, scores)
		}
	}
	odd := mix(small, "w-one-finger", "one", 6, false)
	odd = mix(odd, "x-one-each", "each", 5, true)
	odd = mix(odd, "y-alone", "alone", 1, false)
	got, err := evaluate.Pairs(t.Context(), odd, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := (set(t, got, "set0").EER + set(t, got, "set1").EER) / 2
	if !near(float64(got.EER), float64(want)) || len(got.Sets) != 5 {
		t.Errorf("EER %v of %d sets, want %v of 5", got.EER, len(got.Sets), want)
	}
	if got.EERCI95[0] > got.EER || got.EERCI95[1] < got.EER || got.EERCI95[1] > 0.5 {
		t.Errorf("EER %v in %v", got.EER, got.EERCI95)
	}
	out := []string{"w-one-finger", "x-one-each", "y-alone"}
	if diff := cmp.Diff(map[string][]string{"eer": out, "1e-2": out}, got.MeanLeavesOut); diff != "" {
		t.Error(diff)
	}
	if !got.FNMRAtFMR["1e-2"].Measured() || got.FNMRAtFMR["1e-3"].Measured() || got.NotMeasurable["1e-3"] == "" || got.Support["1e-2"] == "" {
		t.Errorf("FNMR %v, support %v, not measurable %v", got.FNMRAtFMR, got.Support, got.NotMeasurable)
	}
	for _, name := range out {
		if s := set(t, got, name); s.EER.Measured() || s.NotMeasurable["1e-2"] == "" {
			t.Errorf("%s: EER %v, %v", name, s.EER, s.NotMeasurable)
		}
	}
	if all, err := evaluate.Pairs(t.Context(), whole, evaluate.Options{}); err != nil || all.MeanLeavesOut != nil {
		t.Errorf("of sets that are whole: %v, %v", all.MeanLeavesOut, err)
	}
	none := mix(evaluate.Plan{Modality: "finger", Compare: func(int, int, []float64) {}}, "a", "one", 3, false)
	none = mix(none, "b", "each", 3, true)
	if r, err := evaluate.Pairs(t.Context(), none, evaluate.Options{}); err != nil || r.EER.Measured() || r.MeanLeavesOut != nil || r.NotMeasurable["1e-2"] == "" {
		t.Errorf("of sets without rates: EER %v, %v, %v", r.EER, r.MeanLeavesOut, err)
	}
}

// TestPairsInterrupted: the context's end is noticed in the middle.
func TestPairsInterrupted(t *testing.T) {
	p, _ := invention(1, 300, 2)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := evaluate.Pairs(ctx, p, evaluate.Options{Progress: func(done, _ int) {
		if done > 10_000 {
			cancel()
		}
	}})
	if err == nil || ctx.Err() == nil {
		t.Errorf("interrupted: %v", err)
	}
}

// TestPairsSpeed: the meter is read around the comparisons and nothing else.
func TestPairsSpeed(t *testing.T) {
	p, _ := invention(1, 10, 2)
	clock := 10.0
	got, err := evaluate.Pairs(context.Background(), p, evaluate.Options{CPUSeconds: func() float64 { clock += 0.5; return clock }})
	if err != nil {
		t.Fatal(err)
	}
	if want := evaluate.Speed(2 * (20*19/2 + 10*10.0)); got.ComparisonsPerSecondPerCore != want {
		t.Errorf("%v comparisons a second, want %v", got.ComparisonsPerSecondPerCore, want)
	}
}

// TestPairsSpeedOfWhatWasCompared: captures that failed make nothing faster, and
// a report without comparisons has no speed but keeps the member.
func TestPairsSpeedOfWhatWasCompared(t *testing.T) {
	tick := func() func() float64 {
		clock := 10.0
		return func() float64 { clock += 0.5; return clock }
	}
	p, _ := invention(1, 10, 2)
	for i := range p.Captures {
		if i%2 == 1 {
			p.Captures[i].Failed = "test"
		}
	}
	got, err := evaluate.Pairs(context.Background(), p, evaluate.Options{CPUSeconds: tick()})
	if err != nil {
		t.Fatal(err)
	}
	if want := evaluate.Speed(2 * (10 * 9 / 2)); got.ComparisonsPerSecondPerCore != want {
		t.Errorf("%v comparisons a second, want %v", got.ComparisonsPerSecondPerCore, want)
	}
	p.Captures = p.Captures[:1]
	if got, err = evaluate.Pairs(context.Background(), p, evaluate.Options{CPUSeconds: tick()}); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"comparisons_per_second_per_core":null`)) {
		t.Errorf("one capture: %s", b)
	}
	var back evaluate.Report
	if err := json.Unmarshal(b, &back); err != nil || !math.IsNaN(float64(back.ComparisonsPerSecondPerCore)) {
		t.Errorf("read back as %v, %v", back.ComparisonsPerSecondPerCore, err)
	}
}
