package extract

import "math"

// cell is the side of the squares for which ridges are described, in pixels.
const cell = 8

// Smoothing of the field of ridge directions.
const ( // tuned
	nearRounds    = 1              // binomial smoothings
	wideRounds    = 5              // ... more for what the surroundings add
	wideShare     = float32(0.2)   // weight of that: it decides where the ridges themselves do not
	strengthFloor = float32(0.005) // power of gradients that noise alone may have, for each pixel
)

// tensor sums products of gradients: the two components of twice the angle of
// the gradient, and its power.
type tensor struct{ a, b, e float32 }

// add adds a multiple of another tensor.
func (t *tensor) add(o tensor, share float32) {
	t.a += share * o.a
	t.b += share * o.b
	t.e += share * o.e
}

// normal is the direction across the ridges, -pi/2 to pi/2.
func (t tensor) normal() float64 { return 0.5 * math.Atan2(float64(t.b), float64(t.a)) }

// field describes the ridges in each cell of the picture.
type field struct {
	cols, rows          int
	smooth, wide, spare []tensor
	coherence           []float32
	inside              []bool
	was                 []bool
	period              []float32 // pixels from ridge to ridge
}

func (f *field) shape(width, height int) {
	f.cols, f.rows = (width+cell-1)/cell, (height+cell-1)/cell
	n := f.cols * f.rows
	f.wide, f.spare, f.smooth = resize(f.wide, n), resize(f.spare, n), resize(f.smooth, n)
	f.coherence, f.period = resize(f.coherence, n), resize(f.period, n)
	f.inside, f.was = resize(f.inside, n), resize(f.was, n)
	clear(f.smooth)
}

// orient estimates the direction of the ridges by averaging squared gradients
// (M. Kass, A. Witkin, CVGIP 37, 1987; A. Bazen, S. Gerez, "Systematic Methods
// for the Computation of the Directional Fields and Singular Points of
// Fingerprints", IEEE TPAMI 24(7), 2002), the angle doubled so that opposite
// gradients agree.
func (w *work) orient(p *plane) {
	f := &w.field
	f.shape(p.width, p.height)
	for y := range p.height {
		at := p.origin + y*p.stride
		up, mid, down := p.pix[at-p.stride-1:], p.pix[at-1:], p.pix[at+p.stride-1:]
		n := p.width + 2
		up, mid, down = up[:n], mid[:n], down[:n]
		cells := f.smooth[y/cell*f.cols:][:f.cols]
		for c := range cells {
			t := &cells[c]
			for x := c*cell + 1; x < min(c*cell+cell, p.width)+1; x++ {
				l := 3*up[x-1] + 10*mid[x-1] + 3*down[x-1]
				r := 3*up[x+1] + 10*mid[x+1] + 3*down[x+1]
				u := 3*up[x-1] + 10*up[x] + 3*up[x+1]
				d := 3*down[x-1] + 10*down[x] + 3*down[x+1]
				gx, gy := (r-l)/32, (d-u)/32
				t.a += gx*gx - gy*gy
				t.b += 2 * gx * gy
				t.e += gx*gx + gy*gy
			}
		}
	}
	for range nearRounds {
		f.blur(f.smooth)
	}
	copy(f.wide, f.smooth)
	for range wideRounds {
		f.blur(f.wide)
	}
	for i := range f.smooth {
		t := &f.smooth[i]
		t.add(f.wide[i], wideShare)
		power := t.e + strengthFloor*cell*cell
		f.coherence[i] = float32(math.Sqrt(float64(t.a*t.a+t.b*t.b))) / power
	}
}

// blur is one binomial smoothing, 1 2 1 both ways.
func (f *field) blur(v []tensor) {
	for y := range f.rows {
		row := v[y*f.cols:][:f.cols]
		for x := range row {
			var t tensor
			t.add(row[max(0, x-1)], 0.25)
			t.add(row[x], 0.5)
			t.add(row[min(f.cols-1, x+1)], 0.25)
			f.spare[y*f.cols+x] = t
		}
	}
	for y := range f.rows {
		up, mid, down := f.spare[max(0, y-1)*f.cols:], f.spare[y*f.cols:], f.spare[min(f.rows-1, y+1)*f.cols:]
		for x := range f.cols {
			var t tensor
			t.add(up[x], 0.25)
			t.add(mid[x], 0.5)
			t.add(down[x], 0.25)
			v[y*f.cols+x] = t
		}
	}
}
