package cputime

import (
	"slices"
)

// Median is that of v, which is not empty, and which it sorts.
func Median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
