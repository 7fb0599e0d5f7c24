package calibration

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Scores are the comparison scores of one group, in any order.
type Scores struct {
	Name            string
	Sources         int // how many fingers, faces, eyes or writers they come from
	Mated, NonMated []float64
}

// Input is what [Fit] needs to know.
type Input struct {
	Modality   string
	Comparator string // name and version of what computed the scores
	Data       string // where they came from, in words
	Groups     []Scores
}

// Limits of [Fit] and [Parse].
const (
	maxGroups = 16
	maxKnots  = 1024 // a little over maxGroups times bins
	maxPoints = 256
	// leastScores is the least number of comparisons of either kind in a group from which anything may be concluded.
	leastScores = 100
)

// ErrTooFew says that a group has too few comparisons to calibrate anything.
var ErrTooFew = errors.New("too few comparisons to calibrate")

// Fit makes a calibration. It does not keep or change the scores. A score that is not a number counts as the lowest of
// its group: a comparison that could not be made is no match. Errors are [ErrTooFew] and those of the texts.
func Fit(in Input) (*Calibration, error) {
	if len(in.Groups) == 0 || len(in.Groups) > maxGroups {
		return nil, fmt.Errorf("fitting calibration: %d groups, want 1 to %d", len(in.Groups), maxGroups)
	}
	c := &Calibration{modality: in.Modality, comparator: in.Comparator, data: in.Data}
	sorted := make([]Scores, len(in.Groups))
	for i, g := range in.Groups {
		if min(len(g.Mated), len(g.NonMated)) < leastScores {
			return nil, fmt.Errorf("fitting calibration: group %d: %w: %d mated, %d non-mated", i, ErrTooFew, len(g.Mated), len(g.NonMated))
		}
		sorted[i] = Scores{Name: g.Name, Sources: g.Sources, Mated: ordered(g.Mated), NonMated: ordered(g.NonMated)}
		c.groups = append(c.groups, Group{Name: g.Name, Sources: g.Sources, Mated: len(g.Mated), NonMated: len(g.NonMated)})
	}
	c.points = operatingPoints(sorted)
	c.knots = lowest(sorted)
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("fitting calibration: %w", err)
	}
	return c, nil
}

// ordered copies and sorts, with what is not a finite number at the ends.
func ordered(v []float64) []float64 {
	out := slices.Clone(v)
	for i, s := range out {
		if math.IsNaN(s) {
			s = math.Inf(-1)
		}
		out[i] = max(-1e300, min(1e300, s)) // a threshold just above must be finite, and so must differences
	}
	slices.Sort(out)
	return out
}

// operatingPoints takes, for each rate, the highest of the thresholds that the groups need.
func operatingPoints(groups []Scores) []Point {
	var out []Point
	for _, oneIn := range rates() {
		p := Point{OneIn: oneIn, Score: math.Inf(-1)}
		for _, g := range groups {
			most := allowed(len(g.NonMated), oneIn)
			if most < 0 {
				return out
			}
			s, seen := threshold(g.NonMated, most)
			if s > p.Score {
				p.Score, p.FalseMatches = s, seen
			}
		}
		out = append(out, p)
	}
	return out
}

// rates are ten a decade, so that a rate between two costs at most a quarter of itself.
func rates() []uint32 {
	var out []uint32
	for tenths := 3; ; tenths++ {
		n := math.Round(math.Pow(10, float64(tenths)/10))
		if n > 1e9 {
			return slices.Compact(out)
		}
		// Two significant digits from 100 on, where a person reads them.
		if n >= 100 {
			unit := math.Pow(10, math.Floor(math.Log10(n)+1e-9)-1)
			n = math.Round(n/unit) * unit
		}
		out = append(out, uint32(n))
	}
}

// threshold is the least score with at most so many of the sorted scores at or above it, and how many there are.
func threshold(sorted []float64, most int) (score float64, seen int) {
	n := len(sorted)
	if most >= n {
		return sorted[0], n
	}
	score = math.Nextafter(sorted[n-1-most], math.Inf(1))
	at, _ := slices.BinarySearch(sorted, score)
	return score, n - at
}

// allowed returns how many false matches among n comparisons still show, with 95 % confidence, a rate of at most one
// in oneIn: the most with a Poisson probability of at most 5 % of so few. Less than none means that n is too few.
func allowed(n int, oneIn uint32) int {
	mean := float64(n) / float64(oneIn)
	sum, logMean := 0.0, math.Log(mean)
	// So far below the mean no probability adds up to anything, and summing it takes seconds for millions of comparisons.
	for k := max(0, int(mean-10*math.Sqrt(mean))-10); k <= n; k++ {
		logFactorial, _ := math.Lgamma(float64(k + 1)) // in logarithms: exp(-mean) may be 0
		sum += math.Exp(float64(k)*logMean - mean - logFactorial)
		if sum > 0.05 {
			return k - 1
		}
	}
	return n
}
