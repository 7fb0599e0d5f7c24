package search

import "github.com/tamga-id/tamga/matcher/internal/scan"

// SetShares makes the cascade as strict on a small gallery as it is on a large one.
func (f *Fingers) SetShares(relaxed float64, relaxedLeast int, full float64, fullLeast int) {
	f.relaxed, f.full = share{relaxed, relaxedLeast}, share{full, fullLeast}
}

// Kept is the working memory that idle searches keep.
func (f *Faces) Kept() (out [][]int32) {
	for _, r := range f.idle {
		for _, w := range r.workers {
			out = append(out, w.memory.dots)
		}
	}
	return out
}

// Kept is the working memory that idle searches keep, of both kinds of loops.
func (x *Irises) Kept() (least [][]uint16, counts [][]scan.Rotations) {
	for _, r := range x.idle {
		for _, w := range r.workers {
			least, counts = append(least, w.memory.least), append(counts, w.memory.counts)
		}
	}
	return least, counts
}

// Hold makes a search be under way until release is called.
func (f *Faces) Hold() (release func(), err error) {
	r, err := f.begin(1, Options{Most: 1})
	if err != nil {
		return nil, err
	}
	return func() { f.end(r) }, nil
}
