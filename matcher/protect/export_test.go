package protect

// Invert lets tests see that nothing is lost on the way.
func (t *Transform) Invert(dst, src []float32) error { return t.invert(dst, src) }

// Columns turns the unit vectors in float64, where orthogonality can be held to rounding.
func (t *Transform) Columns() [][]float64 {
	out := make([][]float64, t.dims)
	for i := range out {
		out[i] = make([]float64, t.dims)
		out[i][i] = 1
		t.parts().forward(out[i])
	}
	return out
}

// Wiped says whether nothing is left of the parts that the closure taken before Wipe holds.
func Wiped(t *Transform, wipe func()) bool {
	p := t.parts()
	wipe()
	for _, s := range [][]float64{p.signs, p.vectors} {
		for _, x := range s {
			if x != 0 {
				return false
			}
		}
	}
	return true
}
