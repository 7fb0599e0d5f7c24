package wsq

// Subbands of the decomposition; the last four, the diagonal detail of the first level, are
// never coded.
const (
	subbands = 64
	coded    = 60
)

// area is a rectangle of the transformed picture.
type area struct{ x, y, width, height int }

// split is an interval of coefficients along one axis. Downsampling a high-pass band turns its
// spectrum round, so there the high half comes first: subbands stand in order of frequency
// (clause A.2.2, figure A.2).
type split struct {
	from, n  int
	inverted bool
}

func (s split) halves() (split, split) {
	first := (s.n + 1) / 2
	if s.inverted {
		first = s.n / 2
	}
	return split{s.from, first, false}, split{s.from + first, s.n - first, true}
}

// node is a rectangle that one step of the transform made or splits.
type node struct{ x, y split }

func (n node) area() area { return area{n.x.from, n.y.from, n.x.n, n.y.n} }

// children in the order of subband numbers: along x first.
func (n node) children() [4]node {
	x0, x1 := n.x.halves()
	y0, y1 := n.y.halves()
	return [4]node{{x0, y0}, {x1, y0}, {x0, y1}, {x1, y1}}
}

// nodes returns the twenty rectangles that are split, each after the one that it came from.
func nodes(width, height int) []node {
	root := node{split{0, width, false}, split{0, height, false}}
	one := root.children()
	two := one[0].children()
	out := []node{root, one[0], one[1], one[2], two[0], two[1], two[2]}
	for _, n := range two[:3] {
		children := n.children()
		out = append(out, children[:]...)
	}
	return append(out, two[0].children()[0].children()[0])
}

// subbandAreas numbers the rectangles as figure A.2 does.
func subbandAreas(width, height int) [subbands]area {
	var out [subbands]area
	sixteen := func(n node, at int) {
		for i, c := range n.children() {
			for k, g := range c.children() {
				out[at+4*i+k] = g.area()
			}
		}
	}
	root := node{split{0, width, false}, split{0, height, false}}
	two := root.children()[0].children()
	sixteen(root, 48) // 51 to 63; what it says of 48 to 50 is overwritten
	sixteen(two[2], 35)
	sixteen(two[1], 19)
	sixteen(two[0], 3)
	deepest := two[0].children()[0].children()[0]
	for i, c := range deepest.children() {
		out[i] = c.area()
	}
	return out
}

// dequantise places the coefficients in the transformed picture (clause A.3.2).
func (d *decoder) dequantise() []float32 {
	out := make([]float32, d.width*d.height)
	values := d.values
	for k := range coded {
		bin, zero := d.bins[k], d.zeros[k]/2
		if bin == 0 {
			continue
		}
		a := d.bands[k]
		for y := a.y; y < a.y+a.height; y++ {
			row := out[y*d.width+a.x:][:a.width]
			for x, v := range values[:a.width] {
				switch {
				case v > 0:
					row[x] = (float32(v)-d.centre)*bin + zero
				case v < 0:
					row[x] = (float32(v)+d.centre)*bin - zero
				}
			}
			values = values[a.width:]
		}
	}
	return out
}

// reconstruct undoes the transform in place.
func reconstruct(pix []float32, width, height int, lowpass, highpass []float32) {
	all := nodes(width, height)
	reach := max(len(lowpass), len(highpass))
	j := joiner{
		even: filter(lowpass, highpass, reach), odd: filter(highpass, lowpass, reach),
		reach: reach, line: make([]float32, width+2*reach), old: make([]float32, width*height),
	}
	for i := len(all) - 1; i >= 0; i-- {
		n := all[i]
		j.joinRows(pix[n.y.from*width+n.x.from:], width, n)
		for y := n.y.from; y < n.y.from+n.y.n; y++ {
			j.joinAlong(pix[y*width+n.x.from:][:n.x.n], n.x)
		}
	}
}

// filter interleaves two symmetric filters into the one that a coefficient of that parity sees:
// its own parity's samples at even distances, the other's at odd ones.
func filter(same, other []float32, reach int) []float32 {
	out := make([]float32, reach)
	for d := range out {
		f := same
		if d%2 == 1 {
			f = other
		}
		if d < len(f) {
			out[d] = f[d]
		}
	}
	return out
}

// joiner joins the halves of an interval: low-pass samples at even places, high-pass ones at odd,
// all of it mirrored about its first and last sample (clause A.2.1).
type joiner struct {
	even, odd []float32
	reach     int
	line, old []float32
}

// place is where the i-th sample stands before the halves are joined.
func (s split) place(i int) int {
	low, high := 0, (s.n+1)/2
	if s.inverted {
		low, high = s.n/2, 0
	}
	if i%2 == 1 {
		return high + i/2
	}
	return low + i/2
}

// mirror brings the number of a sample into the interval.
func (s split) mirror(i int) int {
	period := max(1, 2*(s.n-1))
	i = ((i % period) + period) % period
	if i >= s.n {
		i = period - i
	}
	return i
}

// joinAlong joins one line.
func (j *joiner) joinAlong(pix []float32, s split) {
	line := j.line[:s.n+2*j.reach]
	for i := range s.n {
		line[j.reach+i] = pix[s.place(i)]
	}
	for d := 1; d <= j.reach; d++ {
		line[j.reach-d] = line[j.reach+s.mirror(-d)]
		line[j.reach+s.n-1+d] = line[j.reach+s.mirror(s.n-1+d)]
	}
	for i := range s.n {
		f := j.even
		if i%2 == 1 {
			f = j.odd
		}
		sum := f[0] * line[j.reach+i]
		for d := 1; d < len(f); d++ {
			sum += f[d] * (line[j.reach+i-d] + line[j.reach+i+d])
		}
		pix[i] = sum
	}
}

// joinRows joins all columns of a node at once, row by row, because columns are far apart in
// memory.
func (j *joiner) joinRows(pix []float32, stride int, n node) {
	s, width := n.y, n.x.n
	for i := range s.n {
		copy(j.old[i*width:(i+1)*width], pix[s.place(i)*stride:])
	}
	row := func(i int) []float32 { return j.old[s.mirror(i)*width:][:width] }
	for i := range s.n {
		f := j.even
		if i%2 == 1 {
			f = j.odd
		}
		out := pix[i*stride:][:width]
		for x, v := range row(i) {
			out[x] = f[0] * v
		}
		for d := 1; d < len(f); d++ {
			before, after := row(i-d), row(i+d)
			for x := range out {
				out[x] += f[d] * (before[x] + after[x])
			}
		}
	}
}
