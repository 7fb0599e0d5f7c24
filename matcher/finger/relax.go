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
	mostTurned    = 32           // 256ths of a turn beyond which they do
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

// link says how well two pairs agree.
type link struct {
	t, k  uint8
	value float32
}

// lanes are the pairs side by side, as assembly wants them.
type lanes struct {
	ax, ay, bx, by, cos, sin [mostPairs]float32
	turn                     [mostPairs]int32
	votes, sums              [mostPairs]float32
}

// relax sets the vote of every pair.
func (s *scratch) relax() {
	if useAVX2 && len(s.pairs) > 1 {
		s.relaxAVX2()
		return
	}
	s.relaxGeneric()
}

func (s *scratch) relaxGeneric() {
	n := len(s.pairs)
	s.links = s.links[:0]
	for t := range n {
		p := &s.pairs[t]
		for k := t + 1; k < n; k++ {
			q := &s.pairs[k]
			if turn(p.turn, q.turn) > mostTurned {
				continue
			}
			if v := agreement(p, q); v > 0 {
				s.links = append(s.links, link{uint8(t), uint8(k), v})
			}
		}
	}
	if n < 2 {
		return
	}
	share := (1 - ownWeight) / float32(n-1)
	for range rounds {
		var sums [mostPairs]float32
		for _, l := range s.links {
			sums[l.t] += float32(l.value * s.pairs[l.k].vote)
			sums[l.k] += float32(l.value * s.pairs[l.t].vote)
		}
		for t := range n {
			s.pairs[t].vote = float32(ownWeight*s.pairs[t].vote) + float32(share*sums[t])
		}
	}
}

// agreement is rho of the paper, made symmetric: how alike the two minutiae of
// the one template and the two of the other lie to each other, in distance,
// in direction and in the direction of the line between them.
//
// The conversions keep compilers from fusing multiplications with additions, which
// assembly does not.
func agreement(t, k *pair) float32 {
	turned := turn(t.turn, k.turn)
	if turned > mostTurned {
		return 0
	}
	ax, ay := k.ax-t.ax, k.ay-t.ay
	bx, by := k.bx-t.bx, k.by-t.by
	a2, b2 := float32(ax*ax)+float32(ay*ay), float32(bx*bx)+float32(by*by)
	dot, det := float32(ax*bx)+float32(ay*by), float32(ay*bx)-float32(ax*by)
	if a2 == 0 || b2 == 0 {
		return 0
	}
	da, db := float32(math.Sqrt(float64(a2))), float32(math.Sqrt(float64(b2)))
	stretch := stretchFloor + float32(stretchRate*(da+db))
	d := max(da-db, db-da) / stretch * distanceSteps
	if d >= distanceReach*distanceSteps {
		return 0
	}
	scale := 1 / (da * db)
	c := (1 - float32((float32(dot*t.cos)+float32(det*t.sin))*scale)) * (cosineSteps / cosineReach)
	e := (1 - float32((float32(dot*k.cos)+float32(det*k.sin))*scale)) * (cosineSteps / cosineReach)
	if c >= cosineSteps || e >= cosineSteps {
		return 0
	}
	r := cosineAgreement[max(0, int(c))] * cosineAgreement[max(0, int(e))]
	return distanceAgreement[int(d)] * turnAgreement[turned] * float32(math.Sqrt(float64(r)))
}
