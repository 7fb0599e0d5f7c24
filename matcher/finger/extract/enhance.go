package extract

import "math"

const (
	patch   = 4   // side of the squares that share one filter, in pixels
	outside = 255 // direction of a patch where there is no finger
)

// enhance filters the picture by the field as it stands: contextual filtering after Hong, Wan and
// Jain (1998, section 2.6).
func (w *work) enhance() {
	w.filters.prepare(w.grey.stride)
	w.assignFilters()
	w.smoothAlong(&w.flat, &w.lined)
	w.respond(&w.lined)
}

// assignFilters chooses direction and period of each patch, interpolating the field between the
// middles of its cells.
func (w *work) assignFilters() {
	f := &w.field
	w.patchCols, w.patchRows = (w.grey.width+patch-1)/patch, (w.grey.height+patch-1)/patch
	n := w.patchCols * w.patchRows
	w.direction, w.periodBin = resize(w.direction, n), resize(w.periodBin, n)
	for y := range w.patchRows {
		for x := range w.patchCols {
			i := y*w.patchCols + x
			if !f.inside[(y*patch/cell)*f.cols+x*patch/cell] {
				w.direction[i] = outside
				continue
			}
			const middle = patch / 2
			t, period := f.at(float32(x*patch+middle), float32(y*patch+middle))
			w.direction[i] = directionBin(t)
			w.periodBin[i] = uint8(max(0, min(periodBins-1, int(period-shortest+0.5))))
		}
	}
}

// at interpolates the field.
func (f *field) at(x, y float32) (tensor, float32) {
	cx, ax := between(x, f.cols)
	cy, ay := between(y, f.rows)
	x1, y1 := min(cx+1, f.cols-1), min(cy+1, f.rows-1)
	p, q, r, s := cy*f.cols+cx, cy*f.cols+x1, y1*f.cols+cx, y1*f.cols+x1
	wp, wq, wr, ws := (1-ay)*(1-ax), (1-ay)*ax, ay*(1-ax), ay*ax
	var t tensor
	t.add(f.smooth[p], wp)
	t.add(f.smooth[q], wq)
	t.add(f.smooth[r], wr)
	t.add(f.smooth[s], ws)
	return t, wp*f.period[p] + wq*f.period[q] + wr*f.period[r] + ws*f.period[s]
}

// between gives the cell whose middle is at or before a coordinate, and how far towards the next
// that lies.
func between(v float32, cells int) (int, float32) {
	v = (v - cell/2) / cell
	if v <= 0 {
		return 0, 0
	}
	c := min(int(v), cells-1)
	return c, min(1, v-float32(c))
}

// directionBin is the bin of a tensor's normal.
func directionBin(t tensor) uint8 {
	return uint8((int(math.Round(t.normal()*directions/math.Pi)) + directions) % directions)
}

// smoothAlong averages the picture along the ridges.
func (w *work) smoothAlong(src, dst *plane) {
	dst.shape(src.width, src.height)
	for y := range src.height {
		at := src.origin + y*src.stride
		for _, d := range w.patchRow(w.direction, y) {
			to := (*four)(dst.pix[at:])
			if d == outside {
				*to = *(*four)(src.pix[at:]) // filters near the rim still look here
			} else {
				w.filters.along[d].evenAt(src.pix, at, to)
			}
			at += patch
		}
	}
	dst.extend()
}

// respond computes the real and the imaginary part of the ridges.
func (w *work) respond(src *plane) {
	w.even.shape(src.width, src.height)
	w.odd.shape(src.width, src.height)
	for y := range src.height {
		at := src.origin + y*src.stride
		periods := w.patchRow(w.periodBin, y)
		for i, d := range w.patchRow(w.direction, y) {
			e, o := (*four)(w.even.pix[at:]), (*four)(w.odd.pix[at:])
			if d == outside {
				*e, *o = four{}, four{}
			} else {
				w.filters.across[d][periods[i]].bothAt(src.pix, at, e, o)
			}
			at += patch
		}
	}
}

// patchRow is what v says of the patches that row y runs through. The last of them may reach into
// the margin, which is wide enough.
func (w *work) patchRow(v []uint8, y int) []uint8 {
	return v[y/patch*w.patchCols:][:w.patchCols]
}
