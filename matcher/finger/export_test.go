package finger

// Work compares and returns how many pairs of minutiae were looked at in aligning, and the most that can be.
func Work(a, b *Template) (met, most int) {
	p, q := a.contents(), b.contents()
	var s scratch
	s.compare(p, q)
	return s.met, (2*hypotheses + 2) * len(p.points) * len(q.points)
}
