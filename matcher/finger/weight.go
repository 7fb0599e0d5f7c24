package finger

import "slices"

// leastWeight is what a minutia of the worst quality counts for: not nothing,
// lest a template of many such be compared for free.
const leastWeight = 0.3

// weigher turns the quality of a minutia into its weight among those of its
// template. Extractors disagree on the scale, so that only how it compares
// with the good ones of the same template is used: full weight at the upper
// quartile and above, the least at half of that and below.
type weigher struct{ good uint8 }

func newWeigher(ms []Minutia) weigher {
	reported := make([]uint8, 0, MaxMinutiae)
	for _, m := range ms {
		if m.Quality != 0 {
			reported = append(reported, m.Quality)
		}
	}
	if len(reported) == 0 {
		return weigher{}
	}
	slices.Sort(reported)
	return weigher{reported[len(reported)*3/4]}
}

// of is the weight at a quality; one not reported has full weight.
func (w weigher) of(quality uint8) float32 {
	if quality == 0 || quality >= w.good {
		return 1
	}
	half := float32(w.good) / 2
	return leastWeight + (1-leastWeight)*max(0, float32(quality)-half)/half
}
