package finger

import "math"

// Relaxation: every pair is judged by how well its geometry agrees with that
// of the other pairs, after the cylinder-code paper. Unlike there, a
// difference of distances is weighed against the distances themselves. The
// figures were chosen on plateaus of the error rate over FVC2002 set B, two
// extractors, so that error rates measured there flatter this package a little.
const (
	rounds        = 5            // n_rel
	ownWeight     = 0.4          // w_R: share of a pair's own value kept in each round
	distanceMid   = 8.0          // mu_1, pixels, for minutiae 50 pixels apart
	distanceSlope = -0.8         // tau_1
	angleMid      = math.Pi / 12 // mu_2 and mu_3, radians
	angleSlope    = -30.0        // tau_2 and tau_3
	distanceSteps = 8            // table entries for each pixel of difference
	distanceReach = 24           // pixels beyond which two pairs disagree outright
	cosineSteps   = 1024         // table entries for the range of cosines kept
	cosineReach   = 0.15         // 1-cos beyond which they disagree outright
	stretchFloor  = 0.5          // share of the distance tolerance for minutiae side by side
	stretchRate   = 0.005        // ... added by each pixel between either two: skin stretches
)

// distanceAgreement tabulates the sigmoid of a difference of distances.
var distanceAgreement = func() (table [distanceReach * distanceSteps]float32) {
	for i := range table {
		table[i] = sigmoid(float64(i)/distanceSteps, distanceMid, distanceSlope)
	}
	return table
}()

// turnAgreement tabulates the sigmoid of a difference of directions.
var turnAgreement = func() (table [129]float32) {
	for i := range table {
		table[i] = sigmoid(float64(i)*2*math.Pi/256, angleMid, angleSlope)
	}
	return table
}()

// cosineAgreement tabulates the sigmoid of an angle by 1 minus its cosine, so
// that no arc tangent is needed.
var cosineAgreement = func() (table [cosineSteps]float32) {
	for i := range table {
		table[i] = sigmoid(math.Acos(1-(float64(i)+0.5)*cosineReach/cosineSteps), angleMid, angleSlope)
	}
	return table
}()

// sigmoid is Z(v, mu, tau) of the paper.
func sigmoid(v, mid, slope float64) float32 {
	return float32(1 / (1 + math.Exp(-slope*(v-mid))))
}

// relax sets the vote of every pair.
func (s *scratch) relax(a, b *prepared) {
	n := len(s.pairs)
	s.compatibility = grow(s.compatibility, n*n)
	s.votes = grow(s.votes, n)
	for t := range n {
		s.compatibility[t*n+t] = 0
		for k := t + 1; k < n; k++ {
			v := agreement(a, b, &s.pairs[t], &s.pairs[k])
			s.compatibility[t*n+k], s.compatibility[k*n+t] = v, v
		}
		s.pairs[t].vote = s.pairs[t].local
	}
	if n < 2 {
		return
	}
	share := (1 - ownWeight) / float32(n-1)
	for range rounds {
		for t := range n {
			var sum float32
			row := s.compatibility[t*n : t*n+n]
			for k := range row {
				sum += row[k] * s.pairs[k].vote
			}
			s.votes[t] = ownWeight*s.pairs[t].vote + share*sum
		}
		for t := range n {
			s.pairs[t].vote = s.votes[t]
		}
	}
}

// agreement is rho of the paper, made symmetric: how alike the two minutiae of
// the one template and the two of the other lie to each other, in distance,
// in direction and in the direction of the line between them.
func agreement(a, b *prepared, t, k *pair) float32 {
	at, ak := &a.points[t.a], &a.points[k.a]
	bt, bk := &b.points[t.b], &b.points[k.b]
	turned := turn(at.angle-ak.angle, bt.angle-bk.angle)
	if turned > 32 {
		return 0
	}
	ax, ay := ak.x-at.x, ak.y-at.y
	bx, by := bk.x-bt.x, bk.y-bt.y
	da := float32(math.Sqrt(float64(ax*ax + ay*ay)))
	db := float32(math.Sqrt(float64(bx*bx + by*by)))
	stretch := stretchFloor + stretchRate*(da+db)
	d := max(da-db, db-da) / stretch * distanceSteps
	if d >= distanceReach*distanceSteps || da == 0 || db == 0 {
		return 0
	}
	radial := func(p, q *point) float32 {
		// The lines in the frames of p and q, then the cosine between them.
		u, v := ax*p.cos+ay*p.sin, ay*p.cos-ax*p.sin
		w, z := bx*q.cos+by*q.sin, by*q.cos-bx*q.sin
		c := (1 - (u*w+v*z)/(da*db)) * (cosineSteps / cosineReach)
		if c >= cosineSteps {
			return 0
		}
		return cosineAgreement[max(0, int(c))]
	}
	r := radial(at, bt) * radial(ak, bk)
	return distanceAgreement[int(d)] * turnAgreement[turned] * float32(math.Sqrt(float64(r)))
}
