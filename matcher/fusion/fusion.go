// Package fusion joins the comparisons of several fingers, impressions and modalities into one decision.
//
// It adds log-likelihood ratios: for independent sources the likelihood-ratio rule is the most powerful there is at any
// false match rate (J. Neyman, E. Pearson, 1933; for biometrics K. Nandakumar, Y. Chen, S. Dass, A. Jain, "Likelihood
// Ratio-Based Biometric Score Fusion", IEEE TPAMI 30(2), 2008). Start with [Decide] when all samples are at hand, or
// with a [Sequence] when they come one by one and the person should be let go as soon as the answer is sure.
//
// Rules:
//
//   - A [Source] is one finger, one face, one eye or one hand. Sources are taken as independent; several impressions of
//     one source are not, so they count once, by the best of them, charged with their number (union bound).
//   - A source of which nothing could be compared is missing: it is left out, it does not count as zero.
//   - No decision is made at a false match rate that the calibrations do not support: [calibration.ErrUnsupported].
//   - Several sources must on the whole speak for one person, however lax the rate: a sum below zero is no match.
//   - Several sources may support a lower rate together than any alone. Of one source the decision is exactly that of
//     [calibration.Calibration.Threshold].
//
// It reads no templates and holds no state but a Sequence's sum.
package fusion

import (
	"math"

	"github.com/tamga-id/tamga/matcher/calibration"
)

// Verdict is what the comparisons say. The zero value says nothing and accepts nobody.
type Verdict int

// The verdicts.
const (
	Undecided  Verdict = iota // nothing could be compared, or a Sequence needs more
	Matched                   // of one person, at the false match rate asked for
	NotMatched                // not shown to be of one person
)

// Source is one finger, face, eye or hand, with the scores of every comparison made of it.
type Source struct {
	Calibration *calibration.Calibration
	Scores      []float64 // one for each pair of impressions compared; none: the source is missing
	// Also is what other comparators make of the same finger, face, eye or hand, such as the templates of a second
	// model. It is the same evidence seen again: not added up, but counted as so many more chances.
	Also []Source
}

// measures lists the source as each comparator sees it, without those that compared nothing.
func (s Source) measures() []Source {
	var out []Source
	if len(s.Scores) > 0 {
		out = append(out, Source{Calibration: s.Calibration, Scores: s.Scores})
	}
	for _, m := range s.Also {
		out = append(out, m.measures()...)
	}
	return out
}

// chances is how many comparisons were made of the source.
func (s Source) chances() int {
	n := 0
	for _, m := range s.measures() {
		n += len(m.Scores)
	}
	return n
}

// best is the highest score; one that is not a finite number is never it.
func (s Source) best() float64 {
	best := math.Inf(-1)
	for _, v := range s.Scores {
		if v > best && !math.IsInf(v, 1) {
			best = v
		}
	}
	return best
}

// evidence is the source's share of the sum: the best ratio, divided by the number of chances it had.
func (s Source) evidence() float64 {
	best := math.Inf(-1)
	for _, m := range s.measures() {
		best = max(best, m.Calibration.LLR(m.best()))
	}
	return best - math.Log(float64(s.chances()))
}

// Affordable is how many comparisons of one source, at least one, may be made so that the best of them can still be
// decided at a false match rate of 1/fmrOneIn. Whoever has more impressions compares the best ones.
func Affordable(c *calibration.Calibration, fmrOneIn uint32) int {
	if fmrOneIn == 0 {
		return 1
	}
	return max(1, int(c.Strictest()/fmrOneIn))
}

// Decide says whether the sources together are of one person at a false match rate of at most 1/fmrOneIn. The order
// of sources and of scores does not matter. Without any comparison the verdict is Undecided and no error. The error is
// calibration.ErrUnsupported when the calibrations do not carry the rate for this many comparisons.
func Decide(sources []Source, fmrOneIn uint32) (Verdict, error) {
	var present []Source
	for _, s := range sources {
		if s.chances() > 0 {
			present = append(present, s)
		}
	}
	switch len(present) {
	case 0:
		return Undecided, nil
	case 1:
		return decideOne(present[0], fmrOneIn)
	}
	limit, err := limit(present, fmrOneIn)
	if err != nil {
		return Undecided, err
	}
	sum := 0.0
	for _, s := range present {
		sum += s.evidence()
	}
	return verdict(sum >= max(limit, 0)), nil
}

func decideOne(s Source, fmrOneIn uint32) (Verdict, error) {
	strict := min(uint64(fmrOneIn)*uint64(s.chances()), math.MaxUint32)
	matched := false
	for _, m := range s.measures() {
		claim, err := m.Calibration.Threshold(uint32(strict))
		if err != nil {
			return Undecided, err
		}
		matched = matched || m.best() >= claim.Score
	}
	return verdict(matched), nil
}

func verdict(matched bool) Verdict {
	if matched {
		return Matched
	}
	return NotMatched
}
