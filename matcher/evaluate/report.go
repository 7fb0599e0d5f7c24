package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

// Rate is a fraction of comparisons or people. One that was not measured is
// NaN, and null in JSON: never a 0 that could be taken for a result.
type Rate float64

// Unmeasured is the rate of what the data cannot tell.
func Unmeasured() Rate { return Rate(math.NaN()) }

// Measured reports whether there is a rate at all.
func (r Rate) Measured() bool { return !math.IsNaN(float64(r)) }

// Equal takes two rates that were not measured for equal.
func (r Rate) Equal(other Rate) bool { return r == other || !r.Measured() && !other.Measured() }

// MarshalJSON writes null for a rate that was not measured.
func (r Rate) MarshalJSON() ([]byte, error) {
	if !r.Measured() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(r))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Rate) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*r = Unmeasured()
		return nil
	}
	return json.Unmarshal(b, (*float64)(r))
}

// Speed is a number of comparisons a second of one core, or NaN and null in
// JSON when it was not measured: programs find the member in any case. The zero
// value is that of a report within another, which has none.
type Speed float64

// Measured reports whether there is a speed at all.
func (s Speed) Measured() bool { return s > 0 }

// Equal takes two speeds that were not measured for equal.
func (s Speed) Equal(other Speed) bool { return Rate(s).Equal(Rate(other)) }

// MarshalJSON writes null for a speed that was not measured.
func (s Speed) MarshalJSON() ([]byte, error) { return Rate(s).MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Speed) UnmarshalJSON(b []byte) error { return (*Rate)(s).UnmarshalJSON(b) }

// Interval is a 95 % confidence interval, lower bound first.
type Interval [2]Rate

// Point is one operating point of a comparator: FMR, FNMR and the threshold.
type Point = errorrate.Point

// Support says how much stands behind a false match rate that was asked for.
type Support string

// What n non-mated comparisons can say about an FMR of x. See A. J. Mansfield,
// J. L. Wayman, "Best Practices in Testing and Reporting Performance of
// Biometric Devices" (2002), and ISO/IEC 19795-1:2021 on test size, for both
// rules.
const (
	// RuleOf30: at least 30 false matches were seen, so that the true rate is
	// within 30 % of x with 90 % confidence.
	RuleOf30 Support = "rule_of_30"
	// RuleOf3: n >= 3/x, so that seeing none would have meant a rate below x
	// with 95 % confidence.
	RuleOf3 Support = "rule_of_3"
	// Indicative: 1/x <= n < 3/x. The rate was attained on these comparisons,
	// and no claim about others follows. Below n = 1/x there is no figure.
	Indicative Support = "indicative"
)

// OperatingPoint is the lowest threshold whose FMR is at most what is allowed.
type OperatingPoint struct {
	Allowed         string   `json:"fmr_allowed"` // key of FNMRAtFMR
	Threshold       float64  `json:"threshold"`   // the lowest score that is accepted
	FMR             float64  `json:"fmr"`         // as seen
	FMRCI95         Interval `json:"fmr_ci95"`
	FalseMatches    int      `json:"false_matches"`
	FNMR            float64  `json:"fnmr"`
	FNMRCI95        Interval `json:"fnmr_ci95"`
	FalseNonMatches int      `json:"false_non_matches"`
	Support         Support  `json:"support"`
}

// Report is what an evaluation found. Rates are fractions. Its JSON names are
// a contract: figures may be added, none is renamed or changes its meaning.
//
// With Sets, the rates at the top are means over the sets that have the figure,
// while DET, the counts and Pooled are of all comparisons together under one
// threshold: a mean of curves has no threshold to print. The zero Report stands for nothing
// measured; so does one whose Mated or NonMated is 0.
type Report struct {
	// Name is that of the set, in Sets.
	Name string `json:"name,omitempty"`
	// Modality is finger, face, iris or signature.
	Modality string `json:"modality,omitempty"`
	// Protocol says in words which pairs were compared.
	Protocol string `json:"protocol,omitempty"`
	// Mated and NonMated count the comparisons made.
	Mated    int `json:"mated"`
	NonMated int `json:"non_mated"`
	// EER is the equal error rate, or the mean of those of the sets.
	EER Rate `json:"eer"`
	// EERCI95 is a bootstrap over subjects, but from [Evaluate], which does not
	// know subjects, a normal approximation that takes comparisons as
	// independent and is too narrow where subjects occur in many of them.
	EERCI95 Interval `json:"eer_ci95"`
	// FNMRAtFMR has the lowest FNMR among thresholds whose FMR is at most the
	// key: 1e-2 to 1e-6, all five always present. It is null where fewer than
	// 1/FMR non-mated comparisons were made, for then no threshold can be told
	// from one that is merely above everything seen.
	FNMRAtFMR map[string]Rate `json:"fnmr_at_fmr"`
	// FNMRCI95 are intervals of FNMRAtFMR; null bounds where it is null.
	FNMRCI95 map[string]Interval `json:"fnmr_ci95"`
	// NotMeasurable gives the reason for each null of FNMRAtFMR.
	NotMeasurable map[string]string `json:"not_measurable,omitempty"`
	// MeanLeavesOut names, for "eer" and the keys of FNMRAtFMR, the sets that
	// lack a figure of which there is a mean: sets of one finger or of one
	// impression each, or with too few comparisons to show the rate.
	MeanLeavesOut map[string][]string `json:"mean_leaves_out,omitempty"`
	// Support says what stands behind each figure of FNMRAtFMR.
	Support map[string]Support `json:"support,omitempty"`
	// OperatingPoints has thresholds and counts for each figure of FNMRAtFMR;
	// none at the top of a report with Sets.
	OperatingPoints []OperatingPoint `json:"operating_points,omitempty"`
	// DET has at most 200 operating points by ascending threshold.
	DET []Point `json:"det"`
	// Acquisition counts samples and subjects; nil where they are not known.
	Acquisition *Acquisition `json:"acquisition,omitempty"`
	// Identification is about searches of a gallery; nil where none can be.
	// With Sets, the one at the top searches the references of all sets.
	Identification *Identification `json:"identification,omitempty"`
	// Groups has differentials at the thresholds of all comparisons together.
	Groups []Differential `json:"groups,omitempty"`
	// Failures counts the templates that could not be made ready; their
	// comparisons are among those counted, at the lowest score.
	Failures int `json:"failures"`
	// Sets has a report for each set of a collection, by name. At the top of a
	// report it is always there, if empty; within one it is nil.
	Sets []Report `json:"sets,omitzero"`
	// Pooled treats the comparisons of all sets as one; nil without Sets.
	Pooled *Report `json:"pooled,omitempty"`
	// ComparisonsPerSecondPerCore counts comparisons, of templates made ready
	// before, by seconds of processor time. At the top of a report it is always
	// there, null when nothing was compared or measured; within one it is absent.
	ComparisonsPerSecondPerCore Speed `json:"comparisons_per_second_per_core,omitzero"`
}

// Options are what an evaluation may be given besides its data. The zero value
// is good.
type Options struct {
	// Progress, when not nil, is called with the comparisons made so far out
	// of all, never from two goroutines at once.
	Progress func(done, total int)
	// CPUSeconds, when not nil, reads the processor time this process has
	// used, for [Report.ComparisonsPerSecondPerCore]. The package itself has
	// no clock.
	CPUSeconds func() float64
	// Groups divide the subjects: for fingers these are SET_FINGER.
	Groups []Grouping
}

// measure does work that makes n comparisons and returns how many of them a
// second of one core makes. A meter that did not move measured nothing.
func (o Options) measure(n int, work func() error) (Speed, error) {
	unmeasured := Speed(Unmeasured())
	if o.CPUSeconds == nil {
		return unmeasured, work()
	}
	start := o.CPUSeconds()
	if err := work(); err != nil {
		return unmeasured, err
	}
	if used := o.CPUSeconds() - start; used > 0 && n > 0 {
		return Speed(float64(n) / used), nil
	}
	return unmeasured, nil
}

// Scores are the comparison scores of an evaluation, in any order.
type Scores struct {
	Mated    []float64 // of one source with itself, two captures
	NonMated []float64 // of two different sources
}

// Evaluate reports on scores whose subjects are not known; where they are, use
// [Trials]. It does not change or keep s. Values that are not numbers count as
// the lowest score.
func Evaluate(s Scores) Report {
	c := errorrate.Of(s.Mated, s.NonMated)
	r := reportOf(c)
	if !c.Complete() {
		return r
	}
	r.EERCI95 = approximateInterval(float64(r.EER), c.Mated, c.NonMated)
	for i, p := range r.OperatingPoints {
		r.OperatingPoints[i].FNMRCI95 = wilson(p.FNMR, c.Mated)
		r.FNMRCI95[p.Allowed] = r.OperatingPoints[i].FNMRCI95
	}
	return r
}

const detPoints = 200

// bounds are the false match rates at which FNMR is reported, by JSON name.
var bounds = [...]struct {
	name string
	fmr  float64
}{{"1e-2", 1e-2}, {"1e-3", 1e-3}, {"1e-4", 1e-4}, {"1e-5", 1e-5}, {"1e-6", 1e-6}}

// boundRates are the rates of bounds.
func boundRates() []float64 {
	rates := make([]float64, len(bounds))
	for i, b := range bounds {
		rates[i] = b.fmr
	}
	return rates
}

// reportOf has everything a curve tells, which leaves out what depends on who
// was compared.
func reportOf(c errorrate.Curve) Report {
	r := blank()
	r.Mated, r.NonMated = int(math.Round(c.Mated)), int(math.Round(c.NonMated))
	for _, b := range bounds {
		switch {
		case !c.Complete():
			r.NotMeasurable[b.name] = "mated and non-mated comparisons are needed, and one kind is missing"
		case c.NonMated*b.fmr < 1-1e-9:
			r.NotMeasurable[b.name] = fmt.Sprintf("%d non-mated comparisons cannot show an FMR of %s: at least %.0f are needed, and %.0f to claim it",
				r.NonMated, b.name, 1/b.fmr, 3/b.fmr)
		default:
			p := operatingPoint(c, b.name, b.fmr)
			r.OperatingPoints = append(r.OperatingPoints, p)
			r.FNMRAtFMR[b.name] = Rate(p.FNMR)
			r.Support[b.name] = p.Support
		}
	}
	if c.Complete() {
		r.EER = Rate(c.EER())
		r.DET = c.DET(detPoints)
	}
	return r
}

// blank is a report without figures.
func blank() Report {
	r := Report{
		EER: Unmeasured(), DET: []Point{},
		EERCI95:       Interval{Unmeasured(), Unmeasured()},
		FNMRAtFMR:     make(map[string]Rate, len(bounds)),
		FNMRCI95:      make(map[string]Interval, len(bounds)),
		NotMeasurable: map[string]string{},
		Support:       map[string]Support{},
	}
	for _, b := range bounds {
		r.FNMRAtFMR[b.name] = Unmeasured()
		r.FNMRCI95[b.name] = Interval{Unmeasured(), Unmeasured()}
	}
	return r
}

func operatingPoint(c errorrate.Curve, name string, allowed float64) OperatingPoint {
	missed, matched, threshold := c.At(allowed)
	p := OperatingPoint{
		Allowed: name, Threshold: threshold,
		FMR: matched / c.NonMated, FNMR: missed / c.Mated,
		FalseMatches: int(math.Round(matched)), FalseNonMatches: int(math.Round(missed)),
		Support: Indicative,
	}
	p.FMRCI95 = wilson(p.FMR, c.NonMated)
	switch {
	case p.FalseMatches >= 30:
		p.Support = RuleOf30
	case c.NonMated*allowed >= 3-1e-9:
		p.Support = RuleOf3
	}
	return p
}

// approximateInterval is the normal approximation of S. Bengio and J.
// Mariethoz, "A Statistical Significance Test for Person Authentication"
// (Odyssey 2004), at FMR = FNMR. When no error was seen it falls back to the
// rule of three on the scarcer kind.
func approximateInterval(eer, mated, nonMated float64) Interval {
	if eer == 0 {
		return Interval{0, Rate(min(1, 3/min(mated, nonMated)))}
	}
	sigma := math.Sqrt(eer * (1 - eer) / 4 * (1/mated + 1/nonMated))
	return Interval{Rate(max(0, eer-1.96*sigma)), Rate(min(1, eer+1.96*sigma))}
}

// wilson is the score interval of a proportion of n independent trials (E. B.
// Wilson, JASA 22, 1927), which holds its coverage for small counts.
func wilson(rate, n float64) Interval {
	const z = 1.959964
	if n == 0 {
		return Interval{Unmeasured(), Unmeasured()}
	}
	centre := (rate + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(rate*(1-rate)/n+z*z/(4*n*n))
	// Rounding must not push a bound past a rate of exactly 0 or 1.
	return Interval{Rate(min(rate, max(0, centre-half))), Rate(max(rate, min(1, centre+half)))}
}

// meanOf is the report of a collection: means over the sets that have the
// figure, and the counts and the curve of the pool.
func meanOf(sets []Report, pooled Report, mean intervals) Report {
	r := blank()
	r.Sets, r.Pooled = sets, &pooled
	r.Mated, r.NonMated, r.DET, r.Failures = pooled.Mated, pooled.NonMated, pooled.DET, pooled.Failures
	r.Acquisition, r.Identification, r.Groups = pooled.Acquisition, pooled.Identification, pooled.Groups
	if len(sets) == 0 {
		r.Sets = []Report{}
	}
	r.EER = r.average("eer", eerOf)
	for _, b := range bounds {
		r.FNMRAtFMR[b.name] = r.average(b.name, fnmrOf(b.name))
		if !r.FNMRAtFMR[b.name].Measured() {
			r.NotMeasurable[b.name] = "this is a mean over sets, and none has the figure; pooled has one threshold over all"
			continue
		}
		r.Support[b.name] = weakest(sets, b.name)
	}
	r.setIntervals(mean)
	return r
}

// average is over the sets that have the rate, and notes which others there are.
func (r *Report) average(figure string, rate func(Report) Rate) Rate {
	sum, n := Rate(0), 0
	var without []string
	for _, s := range r.Sets {
		if v := rate(s); v.Measured() {
			sum += v
			n++
		} else {
			without = append(without, s.Name)
		}
	}
	if n == 0 {
		return Unmeasured()
	}
	if without != nil {
		if r.MeanLeavesOut == nil {
			r.MeanLeavesOut = map[string][]string{}
		}
		r.MeanLeavesOut[figure] = without
	}
	return sum / Rate(n)
}

// weakest is of the sets that have the figure.
func weakest(sets []Report, bound string) Support {
	order := []Support{Indicative, RuleOf3, RuleOf30}
	least := len(order) - 1
	for _, s := range sets {
		if i := slices.Index(order, s.Support[bound]); i >= 0 {
			least = min(least, i)
		}
	}
	return order[least]
}
