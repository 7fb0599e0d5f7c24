package extract

import "slices"

// Segmentation.
const ( // tuned
	energyLevel   = float32(0.15) // share of the median ridge strength that still is finger
	coherentLevel = float32(0.12) // coherence that still is ridges; with 0.15 noise of 40 grey levels hid half of a faint finger
)

// segment marks the cells that show ridges: strong and coherent gradients,
// holes filled and islands dropped.
func (w *work) segment() {
	f := &w.field
	w.energies = w.energies[:0]
	for i := range f.smooth {
		if f.coherence[i] > coherentLevel {
			w.energies = append(w.energies, f.smooth[i].e)
		}
	}
	level := energyLevel * quantile(w.energies, 0.5)
	for i := range f.smooth {
		f.inside[i] = f.smooth[i].e > level && f.coherence[i] > coherentLevel
	}
	f.grow(3, true)
	f.grow(3, false)
	f.grow(2, false)
	f.grow(2, true)
	w.keepLargest()
	w.fillHoles()
	w.clarity = append(w.clarity[:0], f.coherence...)
}

// grow widens the inside by n cells, or the outside. Beyond the picture lies neither: a finger that
// reaches its rim does not end there.
func (f *field) grow(n int, inside bool) {
	for range n {
		copy(f.was, f.inside)
		at := func(x, y int) bool { return f.was[y*f.cols+x] }
		for y := range f.rows {
			for x := range f.cols {
				l, r := at(max(0, x-1), y), at(min(f.cols-1, x+1), y)
				u, d := at(x, max(0, y-1)), at(x, min(f.rows-1, y+1))
				if i := y*f.cols + x; inside {
					f.inside[i] = f.inside[i] || l || r || u || d
				} else {
					f.inside[i] = f.inside[i] && l && r && u && d
				}
			}
		}
	}
}

// keepLargest drops every connected part of the inside but the largest.
func (w *work) keepLargest() {
	f := &w.field
	best, bestSize := -1, 0
	w.labels = resize(w.labels, len(f.inside))
	clear(w.labels)
	for i := range f.inside {
		if f.inside[i] && w.labels[i] == 0 {
			if n := w.flood(i, int32(i+1)); n > bestSize {
				best, bestSize = i, n
			}
		}
	}
	for i := range f.inside {
		f.inside[i] = best >= 0 && w.labels[i] == int32(best+1)
	}
}

// flood labels the part of the inside that holds i and returns its cells.
func (w *work) flood(i int, label int32) int {
	f := &w.field
	stack := append(w.stack[:0], int32(i))
	w.labels[i] = label
	n := 0
	for len(stack) > 0 {
		at := int(stack[len(stack)-1])
		stack = stack[:len(stack)-1]
		n++
		x, y := at%f.cols, at/f.cols
		for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			u, v := x+d[0], y+d[1]
			if u < 0 || v < 0 || u >= f.cols || v >= f.rows {
				continue
			}
			if k := v*f.cols + u; f.inside[k] == f.inside[i] && w.labels[k] == 0 {
				w.labels[k] = label
				stack = append(stack, int32(k))
			}
		}
	}
	w.stack = stack[:0]
	return n
}

// fillHoles takes every part of the outside that does not reach the rim of
// the picture into the inside.
func (w *work) fillHoles() {
	f := &w.field
	clear(w.labels)
	for y := range f.rows {
		for x := range f.cols {
			i := y*f.cols + x
			rim := x == 0 || y == 0 || x == f.cols-1 || y == f.rows-1
			if rim && !f.inside[i] && w.labels[i] == 0 {
				w.flood(i, 1)
			}
		}
	}
	for i := range f.inside {
		f.inside[i] = w.labels[i] == 0
	}
}

// quantile sorts v and returns the value below which a share q of it lies, 0
// of nothing.
func quantile(v []float32, q float32) float32 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[min(len(v)-1, int(q*float32(len(v))))]
}
