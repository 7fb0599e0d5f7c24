package finger

// Work compares and returns how many pairs of minutiae were looked at in aligning, and the most that can be.
func Work(a, b *Template) (met, most int) {
	p, q := a.contents(), b.contents()
	var s scratch
	s.compare(p, q)
	return s.met, (2*hypotheses + 3) * len(p.points) * len(q.points)
}

// Votes relaxes pairs of minutiae lying at a and, turned and moved, at b, in
// portable Go and, where there is one, in assembly.
func Votes(a, b [][2]float32, angleA, angleB []uint8, local []float32) (portable, assembly []float32) {
	s := new(scratch)
	for k := range a {
		t := angleA[k] - angleB[k]
		s.pairs = append(s.pairs, pair{uint8(k), uint8(k), t, local[k], local[k],
			a[k][0], a[k][1], b[k][0], b[k][1], directions[t].x, directions[t].y})
	}
	kept := append([]pair(nil), s.pairs...)
	s.relaxGeneric()
	for _, p := range s.pairs {
		portable = append(portable, p.vote)
	}
	copy(s.pairs, kept)
	s.relax()
	for _, p := range s.pairs {
		assembly = append(assembly, p.vote)
	}
	return portable, assembly
}

// Meetings brings the minutiae of a and b, moved by dx, dy and turned, together
// in portable Go and, where there is one, in assembly.
func Meetings(x, y *Template, dx, dy float32, turned uint8, reach float32) (portable, assembly []candidate) {
	a, b := x.contents(), y.contents()
	d := directions[turned]
	m := motion{d.x, d.y, dx, dy}
	for k, meet := range []func(*scratch){
		func(s *scratch) { s.meetGeneric(a, b, turned, reach) }, func(s *scratch) { s.meet(a, b, turned, reach) }} {
		s := new(scratch)
		s.move(b, m)
		meet(s)
		if k == 0 {
			portable = s.candidates
		} else {
			assembly = s.candidates
		}
	}
	return portable, assembly
}
