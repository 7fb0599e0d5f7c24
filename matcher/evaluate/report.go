package evaluate

import "math"

// Scores are the comparison scores of an evaluation, in any order.
type Scores struct {
	Mated    []float64 // of one source with itself, two captures
	NonMated []float64 // of two different sources
}

// Point is one operating point of a comparator.
type Point struct {
	FMR       float64 `json:"fmr"`       // fraction of non-mated comparisons at or above Threshold
	FNMR      float64 `json:"fnmr"`      // fraction of mated comparisons below it
	Threshold float64 `json:"threshold"` // comparison score
}

// Report is what an evaluation found. Rates are fractions. Its JSON names are
// a contract: figures may be added, none is renamed or changes its meaning.
//
// With Sets, the rates at the top are means over the sets, while DET, the
// counts and Pooled are of all comparisons together under one threshold: a
// mean of curves has no threshold to print. The zero Report stands for nothing
// measured; so does one whose Mated or NonMated is 0, whatever its rates say.
type Report struct {
	// EER is the equal error rate, or the mean of those of the sets.
	EER float64 `json:"eer"`
	// EERCI95 is a 95 % confidence interval of EER. From [Finger] and [Face]
	// it is a bootstrap over subjects; from [Evaluate], which does not know
	// subjects, a normal approximation that takes comparisons as independent
	// and is therefore too narrow where subjects occur in many of them.
	EERCI95 [2]float64 `json:"eer_ci95"`
	// FNMRAtFMR has the FNMR by the FMR allowed: "0.01", "0.001", "0.0001".
	FNMRAtFMR map[string]float64 `json:"fnmr_at_fmr"`
	// DET has at most 200 operating points by ascending threshold.
	DET []Point `json:"det"`
	// Mated and NonMated count the comparisons made.
	Mated    int `json:"mated"`
	NonMated int `json:"non_mated"`
	// Failures counts the templates that could not be made ready; their
	// comparisons are among those counted, at the lowest score.
	Failures int `json:"failures"`
	// Sets has a report for each set of a collection; nil when there is one.
	Sets map[string]Report `json:"sets,omitempty"`
	// Pooled treats the comparisons of all sets as one; nil without Sets.
	Pooled *Report `json:"pooled,omitempty"`
}

const detPoints = 200

// bounds are the false match rates at which FNMR is reported, by JSON name.
var bounds = [...]struct {
	name string
	fmr  float64
}{{"0.01", 1e-2}, {"0.001", 1e-3}, {"0.0001", 1e-4}}

// Evaluate reports on scores whose subjects are not known. It does not change
// or keep s. Values that are not numbers count as the lowest score. Without
// mated or without non-mated scores there are no rates, only counts.
func Evaluate(s Scores) Report {
	c := curveOf(s)
	r := c.report()
	r.EERCI95 = approximateInterval(r.EER, c.mated, c.nonMated)
	return r
}

// report has everything a curve tells, which leaves out the interval.
func (c curve) report() Report {
	r := Report{
		EER:       c.eer(),
		FNMRAtFMR: make(map[string]float64, len(bounds)),
		DET:       c.det(detPoints),
		Mated:     int(math.Round(c.mated)),
		NonMated:  int(math.Round(c.nonMated)),
	}
	for _, b := range bounds {
		r.FNMRAtFMR[b.name], _ = c.fnmrAt(b.fmr)
	}
	return r
}

// approximateInterval is the normal approximation of S. Bengio and J.
// Mariethoz, "A Statistical Significance Test for Person Authentication"
// (Odyssey 2004), at FMR = FNMR. When no error was seen it falls back to the
// rule of three on the scarcer kind.
func approximateInterval(eer, mated, nonMated float64) [2]float64 {
	if mated == 0 || nonMated == 0 {
		return [2]float64{}
	}
	if eer == 0 {
		return [2]float64{0, min(1, 3/min(mated, nonMated))}
	}
	sigma := math.Sqrt(eer * (1 - eer) / 4 * (1/mated + 1/nonMated))
	return [2]float64{max(0, eer-1.96*sigma), min(1, eer+1.96*sigma)}
}
