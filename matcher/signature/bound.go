package signature

// newModel computes the envelope of a reference signature: for each row the
// least and greatest value of every channel within the band and one row more,
// for the rounding of the diagonal.
func newModel(rows []row) model {
	m := model{rows: rows, columns: columns(rows), lower: make([]row, len(rows)), upper: make([]row, len(rows))}
	reach := baseRadius(len(rows)) + 1
	for i := range rows {
		lo, hi := rows[i], rows[i]
		for k := max(0, i-reach); k <= min(len(rows)-1, i+reach); k++ {
			for c, v := range rows[k] {
				lo[c], hi[c] = min(lo[c], v), max(hi[c], v)
			}
		}
		m.lower[i], m.upper[i] = lo, hi
	}
	return m
}

// bound fills rest with, for each probe row, a lower bound of what the rows
// after it add to any path (LB_Keogh, in sums from the end), and returns the
// bound of the whole. A path meets each probe row at least once, within the
// band, so it pays at least the distance to the envelope there.
//
// For a probe so short that the band had to be widened the envelope does not
// hold, and the bound is 0.
func (m *model) bound(probe []row, rest []int32) int32 {
	n, length := len(probe), len(m.rows)
	if radius(n, length) != baseRadius(length) {
		clear(rest)
		return 0
	}
	var sum int32
	for i := n - 1; i >= 0; i-- {
		rest[i] = sum
		lo, hi := band(i, n, length, 0)
		_ = hi // of radius 0 the band is its centre
		sum += outside(&probe[i], &m.lower[lo], &m.upper[lo])
	}
	return sum
}

// outside is the distance of a row to an envelope.
func outside(p, lower, upper *row) int32 {
	var sum int32
	for c, v := range p {
		sum += int32(min(furthestApart, max(0, lower[c]-v, v-upper[c])))
	}
	return sum
}
