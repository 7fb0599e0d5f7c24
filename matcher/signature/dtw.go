package signature

// Dynamic time warping of a probe against one reference signature.
const (
	// bandShare is the radius of the Sakoe-Chiba band as a share of the
	// reference: 0.08 to 0.2 made no difference to error rates.
	bandShare = 0.12
	// furthestApart is the distance of two channels beyond which it does not
	// matter how far: a place that the writer made differently counts once.
	furthestApart = 51 // 0.8 deviations
)

const infinite = int32(1) << 30

// radius of the band in reference rows, for a probe of n rows. The slope of
// the diagonal is m/n: a band narrower than that would have holes.
func radius(n, m int) int {
	return max(baseRadius(m), m/n+1)
}

func baseRadius(m int) int { return int(bandShare*float64(m)) + 1 }

// band returns the first and last reference row that probe row i may pair with.
func band(i, n, m, r int) (lo, hi int) {
	centre := (2*i + 1) * m / (2 * n)
	if i == 0 {
		centre = 0
	}
	if i == n-1 {
		centre = m - 1
	}
	return max(0, centre-r), min(m-1, centre+r)
}

// warp returns the least sum of row distances over the paths from the first
// pair of rows to the last that stay within the band and go on by one row on
// one side or on both. It gives up and returns false as soon as the sum must
// exceed limit. rest, when not nil, has for each probe row a lower bound of
// what the rows after it still cost.
//
// The greatest possible sum, 4096 pairs at 510, is far from overflow.
func (s *scratch) warp(probe []row, reference *model, limit int32, rest []int32) (int32, bool) {
	n, m := len(probe), len(reference.rows)
	r := radius(n, m)
	// before[j+1] is the cost of the cheapest path to (row-1, j).
	before, now := s.rows(m + 2)
	for j := range before {
		before[j], now[j] = infinite, infinite
	}
	before[0] = 0
	for i := range probe {
		lo, hi := band(i, n, m, r)
		costs := s.costs(&probe[i], reference, lo, hi)
		// What lies left of the band must not be read as a path from two rows ago.
		now[lo] = infinite
		above, into := before[lo:hi+2], now[lo+1:hi+2]
		left, diagonal, least := infinite, above[0], infinite
		above = above[1:][:len(costs)]
		into = into[:len(costs)]
		for k, cost := range costs {
			up := above[k]
			left = min(min(diagonal, up), left) + int32(cost)
			diagonal = up
			into[k] = left
			least = min(least, left)
		}
		if hi+2 < len(now) {
			now[hi+2] = infinite
		}
		if rest != nil {
			least += rest[i]
		}
		if least > limit {
			return 0, false
		}
		before, now = now, before
	}
	return before[m], true
}
