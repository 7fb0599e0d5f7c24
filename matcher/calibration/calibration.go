package calibration

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrUnsupported says that no comparison behind the calibration vouches for so low a false match rate. It means
// "could not tell": nothing may be decided at that rate.
var ErrUnsupported = errors.New("false match rate beyond calibration")

// Group is one population of scores, such as the templates of one extractor.
type Group struct {
	Name     string `json:"name"`
	Sources  int    `json:"sources"`   // fingers, faces, eyes or writers that the scores come from
	Mated    int    `json:"mated"`     // comparisons of one source with itself
	NonMated int    `json:"non_mated"` // comparisons of two sources
}

// Point is one operating point: scores of at least Score are matches at an FMR of at most 1/OneIn in every group.
type Point struct {
	OneIn        uint32  `json:"one_in"`
	Score        float64 `json:"score"`
	FalseMatches int     `json:"false_matches"` // seen in the group that sets Score
}

// Knot is one corner of the score-to-ratio map.
type Knot struct {
	Score float64 `json:"score"`
	LLR   float64 `json:"llr"` // natural logarithm
}

// Calibration is the calibration of one comparator. It is immutable and safe for concurrent use. The nil Calibration
// supports no rate and gives every score a ratio that accepts nobody.
type Calibration struct {
	modality, comparator, data string
	groups                     []Group
	knots                      []Knot  // rising in Score, not falling in LLR; flat beyond the outer ones
	points                     []Point // rising in OneIn, not falling in Score
}

// Modality is what is compared: "finger", "face", "iris" or "signature".
func (c *Calibration) Modality() string { return c.modality }

// Comparator is the name and version of what computed the scores. Scores of any other have no meaning here.
func (c *Calibration) Comparator() string { return c.comparator }

// Data says in words where the scores came from.
func (c *Calibration) Data() string { return c.data }

// Groups lists the populations of scores; the caller owns the slice.
func (c *Calibration) Groups() []Group { return slices.Clone(c.groups) }

// LLR is the log-likelihood ratio of a score: above 0 the score speaks for one source, below for two. It never falls
// with the score, and ends where the comparisons end that support it. A score that is not a finite number gets negative
// infinity.
func (c *Calibration) LLR(score float64) float64 {
	if c == nil || math.IsNaN(score) || math.IsInf(score, 1) {
		return math.Inf(-1)
	}
	first, last := c.knots[0], c.knots[len(c.knots)-1]
	switch {
	case score <= first.Score:
		return first.LLR
	case score >= last.Score:
		return last.LLR
	}
	at, _ := slices.BinarySearchFunc(c.knots, score, func(k Knot, s float64) int {
		if k.Score <= s {
			return -1
		}
		return 1
	})
	a, b := c.knots[at-1], c.knots[at]
	return a.LLR + (b.LLR-a.LLR)*(score-a.Score)/(b.Score-a.Score)
}

// Bounds are the least and the greatest ratio that LLR gives.
func (c *Calibration) Bounds() (least, greatest float64) {
	if c == nil {
		return math.Inf(-1), math.Inf(-1)
	}
	return c.knots[0].LLR, c.knots[len(c.knots)-1].LLR
}

// Claim is a threshold with what stands behind it.
type Claim struct {
	Score        float64 // least score that is a match
	LLR          float64 // its log-likelihood ratio
	OneIn        uint32  // the rate vouched for, at least as strict as the one asked for
	FalseMatches int     // seen at the threshold: 30 or more make a measurement, fewer a bound
}

// Threshold returns from which score on a single comparison is a match at an FMR of at most 1/fmrOneIn.
// Between two operating points it takes the stricter. The error is [ErrUnsupported] when fmrOneIn is 0 or asks for
// more than the comparisons support.
func (c *Calibration) Threshold(fmrOneIn uint32) (Claim, error) {
	if c == nil || fmrOneIn == 0 {
		return Claim{}, ErrUnsupported
	}
	at, _ := slices.BinarySearchFunc(c.points, fmrOneIn, func(p Point, n uint32) int {
		if p.OneIn < n {
			return -1
		}
		return 1
	})
	if at == len(c.points) {
		return Claim{}, fmt.Errorf("%w: 1 in %d", ErrUnsupported, fmrOneIn)
	}
	p := c.points[at]
	return Claim{LLR: c.LLR(p.Score), Score: p.Score, OneIn: p.OneIn, FalseMatches: p.FalseMatches}, nil
}

// Strictest is the lowest rate, one in how many, that Threshold answers for; 0 for nil.
func (c *Calibration) Strictest() uint32 {
	if c == nil {
		return 0
	}
	return c.points[len(c.points)-1].OneIn
}

// Mass is a share of the non-mated comparisons and a ratio that none of them exceeds.
type Mass struct {
	LLR   float64
	Share float64
}

// NonMated bounds the distribution of the ratio of a non-mated comparison from above, by rising ratio: for any t, the
// shares at ratios of at least t sum to no less than the share of non-mated comparisons with a ratio of at least t,
// as far as the comparisons can tell. Shares sum to one. The caller owns the slice.
func (c *Calibration) NonMated() []Mass {
	if c == nil {
		return nil
	}
	out := make([]Mass, 0, len(c.points)+1)
	above := 1.0 // share of non-mated comparisons not yet placed
	for _, p := range c.points {
		rate := 1 / float64(p.OneIn)
		if above > rate {
			// All that lies between the point before and this one is taken to lie at this one.
			out = append(out, Mass{c.LLR(p.Score), above - rate})
			above = rate
		}
	}
	_, greatest := c.Bounds()
	return append(out, Mass{greatest, above})
}
