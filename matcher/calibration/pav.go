package calibration

import (
	"math"
	"slices"
)

// bins is into how many parts of equal weight the scores of a group are cut, mated and non-mated counting half each.
// They must be wide enough for a ratio of counts to mean something.
const bins = 60

// block is a run of scores with one ratio.
type block struct {
	from, to        float64 // first and last score
	mated, nonMated float64 // counts
}

// lowest fits each group and takes, at every corner of any, the least of the ratios: a mean of at most one over the
// non-mated comparisons of each group is then kept in all.
func lowest(groups []Scores) []Knot {
	maps := make([][]Knot, len(groups))
	var corners []float64
	for i, g := range groups {
		maps[i] = fitGroup(g)
		for _, k := range maps[i] {
			corners = append(corners, k.Score)
		}
	}
	slices.Sort(corners)
	corners = slices.Compact(corners)
	out := make([]Knot, 0, len(corners))
	for _, s := range corners {
		k := Knot{s, math.Inf(1)}
		for _, m := range maps {
			k.LLR = min(k.LLR, interpolate(m, s))
		}
		if n := len(out); n > 0 {
			k.LLR = max(k.LLR, out[n-1].LLR) // it never falls, but for rounding
		}
		// Where the map is flat, because the least one has not begun to rise or rises no more, both ends of the run
		// stay: without the far one the line to the next corner would lie above the map.
		if n := len(out); n > 1 && k.LLR == out[n-1].LLR && k.LLR == out[n-2].LLR {
			out[n-1] = k
			continue
		}
		out = append(out, k)
	}
	return out
}

// atLeastTwo lets a map that tells nothing apart have a beginning and an end.
func atLeastTwo(knots []Knot) []Knot {
	if len(knots) == 1 {
		knots = append(knots, Knot{math.Nextafter(knots[0].Score, math.Inf(1)), knots[0].LLR + 2e-6})
	}
	return knots
}

func interpolate(knots []Knot, s float64) float64 {
	if s <= knots[0].Score {
		return knots[0].LLR
	}
	for i := 1; i < len(knots); i++ {
		if a, b := knots[i-1], knots[i]; s <= b.Score {
			return a.LLR + (b.LLR-a.LLR)*(s-a.Score)/(b.Score-a.Score)
		}
	}
	return knots[len(knots)-1].LLR
}

// fitGroup pools adjacent violators over the bins and joins the middles of the blocks.
func fitGroup(g Scores) []Knot {
	m, n := float64(len(g.Mated)), float64(len(g.NonMated))
	var stack []block
	for _, b := range cut(g) {
		stack = append(stack, b)
		for len(stack) > 1 && !rises(stack[len(stack)-2], stack[len(stack)-1], m, n) {
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			below := &stack[len(stack)-1]
			below.to, below.mated, below.nonMated = top.to, below.mated+top.mated, below.nonMated+top.nonMated
		}
	}
	knots, most := make([]Knot, 0, len(stack)), ceiling(g)
	for i, b := range stack {
		k := Knot{b.from + (b.to-b.from)/2, math.Log(ratio(b, m, n))}
		if b.nonMated < 3 {
			k.LLR = min(k.LLR, most)
		}
		switch i {
		case 0:
			k.Score = b.to // no score earns less than the lowest block
		case len(stack) - 1:
			k.Score = b.from // and none more than the highest
		}
		if l := len(knots); l > 0 && (k.Score <= knots[l-1].Score || k.LLR <= knots[l-1].LLR) {
			continue
		}
		knots = append(knots, k)
	}
	return honest(atLeastTwo(knots), g.NonMated)
}

// ratio is how much likelier the block's scores are for mated comparisons. Half a comparison is added to each count,
// so that none seen does not read as none possible.
func ratio(b block, mated, nonMated float64) float64 {
	return (b.mated + 0.5) / mated / ((b.nonMated + 0.5) / nonMated)
}

// ceiling is the highest ratio that the counts support: that of all scores above every non-mated one, where the rule
// of three still allows for three.
func ceiling(g Scores) float64 {
	at, _ := slices.BinarySearch(g.Mated, math.Nextafter(g.NonMated[len(g.NonMated)-1], math.Inf(1)))
	above := float64(len(g.Mated)-at) + 0.5
	return math.Log(above / float64(len(g.Mated)) / (3 / float64(len(g.NonMated))))
}

func rises(a, b block, mated, nonMated float64) bool {
	return ratio(a, mated, nonMated) < ratio(b, mated, nonMated)
}

// cut makes the bins: by weight, but with the highest non-mated score as an edge, above which the ratio is bounded by
// the rule of three alone. Equal scores stay together.
func cut(g Scores) []block {
	wm, wn := 0.5/float64(len(g.Mated)), 0.5/float64(len(g.NonMated))
	top := g.NonMated[len(g.NonMated)-1]
	var out []block
	var b block
	weight := 0.0
	i, j := 0, 0
	for i < len(g.Mated) || j < len(g.NonMated) {
		s := math.Inf(1)
		if i < len(g.Mated) {
			s = g.Mated[i]
		}
		if j < len(g.NonMated) {
			s = min(s, g.NonMated[j])
		}
		if b.mated+b.nonMated == 0 {
			b.from = s
		}
		b.to = s
		for ; i < len(g.Mated) && g.Mated[i] == s; i++ {
			b.mated++
			weight += wm
		}
		for ; j < len(g.NonMated) && g.NonMated[j] == s; j++ {
			b.nonMated++
			weight += wn
		}
		if weight >= 1.0/bins || s == top {
			out = append(out, b)
			b, weight = block{}, 0
		}
	}
	if b.mated+b.nonMated > 0 {
		out = append(out, b)
	}
	return out
}

// honest shifts the map down until the mean ratio of the non-mated comparisons, with three more at the highest ratio,
// is at most one.
func honest(knots []Knot, nonMated []float64) []Knot {
	mean := 3 * math.Exp(knots[len(knots)-1].LLR)
	at := 0
	for _, s := range nonMated {
		for at < len(knots) && knots[at].Score < s {
			at++
		}
		switch {
		case at == 0:
			mean += math.Exp(knots[0].LLR)
		case at == len(knots):
			mean += math.Exp(knots[at-1].LLR)
		default:
			a, b := knots[at-1], knots[at]
			mean += math.Exp(a.LLR + (b.LLR-a.LLR)*(s-a.Score)/(b.Score-a.Score))
		}
	}
	if shift := math.Log(mean / float64(len(nonMated))); shift > 0 {
		for i := range knots {
			knots[i].LLR -= shift
		}
	}
	return knots
}
