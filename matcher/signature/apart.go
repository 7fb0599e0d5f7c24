package signature

// lanes is how many reference rows the fast way takes at once.
const lanes = 16

// columns lays rows out a channel after the other, each with lanes of padding,
// so that blocks of lanes may be read from any row on.
func columns(rows []row) []int16 {
	stride := len(rows) + lanes
	out := make([]int16, channels*stride)
	for i, r := range rows {
		for c, v := range r {
			out[c*stride+i] = v
		}
	}
	return out
}

// costs returns the distances of a probe row to the reference rows lo to hi,
// valid until the next call. Both ways give the same numbers.
func (s *scratch) costs(p *row, m *model, lo, hi int) []uint16 {
	n := hi - lo + 1
	blocks := (n + lanes - 1) / lanes
	if len(s.cost) < blocks*lanes {
		s.cost = make([]uint16, 2*blocks*lanes)
	}
	if fast {
		stride := len(m.rows) + lanes
		_ = m.columns[(channels-1)*stride+lo+blocks*lanes-1]
		apartColumns(&s.cost[0], &m.columns[lo], 2*stride, p, blocks)
	} else {
		apartRows(s.cost, m.rows[lo:hi+1], p)
	}
	return s.cost[:n]
}

// apartRows is the fast way's definition.
func apartRows(out []uint16, rows []row, p *row) {
	out = out[:len(rows)]
	for i := range rows {
		out[i] = uint16(apart(p, &rows[i]))
	}
}

// distance is that of two channel values: how far apart, to a limit.
func distance(a, b int16) int32 {
	d := int32(a) - int32(b)
	sign := d >> 31
	return min((d^sign)-sign, furthestApart)
}

// apart is the distance of two rows. Written out because the compiler does
// not unroll, and most of the time of a comparison is spent here.
func apart(a, b *row) int32 {
	return distance(a[0], b[0]) + distance(a[1], b[1]) + distance(a[2], b[2]) + distance(a[3], b[3]) +
		distance(a[4], b[4]) + distance(a[5], b[5]) + distance(a[6], b[6]) + distance(a[7], b[7]) +
		distance(a[8], b[8]) + distance(a[9], b[9])
}
