package signature

// Rows are the channels of a template, for comparison with plain computations.
func Rows(t *Template) [][channels]int32 {
	out := make([][channels]int32, 0)
	for _, r := range t.contents().rows {
		var wide [channels]int32
		for c, v := range r {
			wide[c] = int32(v)
		}
		out = append(out, wide)
	}
	return out
}

// Cost is the sum that warp finds for two templates.
func Cost(probe, reference *Template) int32 {
	s := newScratch()
	defer s.release()
	m := newModel(reference.contents().rows)
	cost, _ := s.warp(probe.contents().rows, &m, infinite, nil)
	return cost
}

// Costs are the distances of one probe row to all reference rows, in pure Go
// and as this processor computes them.
func Costs(probe, reference *Template, i int) (plain, fast []uint16) {
	p := &probe.contents().rows[i]
	m := newModel(reference.contents().rows)
	plain = make([]uint16, len(m.rows))
	apartRows(plain, m.rows, p)
	s := newScratch()
	defer s.release()
	return plain, append(fast, s.costs(p, &m, 0, len(m.rows)-1)...)
}

// Bound is the lower bound of Cost.
func Bound(probe, reference *Template) int32 {
	p := probe.contents().rows
	m := newModel(reference.contents().rows)
	return m.bound(p, make([]int32, len(p)))
}

// Channels, the unit of a channel, and where the distance of two ends.
const (
	Channels      = channels
	Unit          = unit
	FurthestApart = furthestApart
	BandShare     = bandShare
)
