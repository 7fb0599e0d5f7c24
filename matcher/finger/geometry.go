package finger

import (
	"cmp"
	"math"
	"slices"
)

// vec is a place or a direction in the plane, pixels at 500 dpi, y upwards.
type vec struct{ x, y float32 }

// directions holds the unit vector of each of the 256 angles of the standard.
var directions = func() (d [256]vec) {
	for i := range d {
		sin, cos := math.Sincos(float64(i) * 2 * math.Pi / 256)
		d[i] = vec{float32(cos), float32(sin)}
	}
	return d
}()

// turn is the size of the angle between two directions, 0 to 128.
func turn(a, b uint8) uint8 {
	d := a - b
	if d > 128 {
		d = -d
	}
	return d
}

// convexHull returns the corners of the smallest convex polygon round the
// points, counter-clockwise (A. M. Andrew's monotone chain, 1979). Collinear
// points give two corners, coinciding ones give one.
func convexHull(points []point) []vec {
	vs := make([]vec, len(points))
	for i, p := range points {
		vs[i] = vec{p.x, p.y}
	}
	slices.SortFunc(vs, func(a, b vec) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	vs = slices.Compact(vs)
	if len(vs) < 3 {
		return vs
	}
	hull := make([]vec, 0, len(vs)+1)
	half := func(next func(i int) vec) {
		floor := len(hull)
		for i := range vs {
			v := next(i)
			for len(hull) >= floor+2 && cross(hull[len(hull)-2], hull[len(hull)-1], v) <= 0 {
				hull = hull[:len(hull)-1]
			}
			hull = append(hull, v)
		}
		hull = hull[:len(hull)-1] // the last is the first of the other half
	}
	half(func(i int) vec { return vs[i] })
	half(func(i int) vec { return vs[len(vs)-1-i] })
	return hull
}

// cross is twice the signed area of the triangle a, b, c.
func cross(a, b, c vec) float32 {
	return (b.x-a.x)*(c.y-a.y) - (b.y-a.y)*(c.x-a.x)
}

// within reports whether v lies inside the hull or no further than margin
// from it.
func within(hull []vec, v vec, margin float32) bool {
	if len(hull) == 0 {
		return false
	}
	inside := len(hull) >= 3
	a := hull[len(hull)-1]
	for _, b := range hull {
		if c := cross(a, b, v); c < 0 {
			inside = false
			dx, dy := b.x-a.x, b.y-a.y
			if c*c > 1.001*margin*margin*(dx*dx+dy*dy) {
				return false // the whole hull lies on the other side of the line
			}
			if squaredDistance(a, b, v) <= margin*margin {
				return true
			}
		}
		a = b
	}
	if inside {
		return true
	}
	return len(hull) < 3 && squaredDistance(hull[0], hull[len(hull)-1], v) <= margin*margin
}

// squaredDistance is that of v from the segment a to b.
func squaredDistance(a, b, v vec) float32 {
	dx, dy := b.x-a.x, b.y-a.y
	px, py := v.x-a.x, v.y-a.y
	if length := dx*dx + dy*dy; length > 0 {
		t := min(1, max(0, (px*dx+py*dy)/length))
		px, py = px-t*dx, py-t*dy
	}
	return px*px + py*py
}

// area is that of a convex polygon whose corners run counter-clockwise.
func area(hull []vec) float32 {
	var twice float32
	for i := 2; i < len(hull); i++ {
		twice += cross(hull[0], hull[i-1], hull[i])
	}
	return twice / 2
}

// intersect cuts the convex polygon b to what lies in the convex polygon a
// (I. Sutherland, G. Hodgman, Comm. ACM 17(1), 1974). It works in the memory of
// two slices, which it returns; the first is the result.
func intersect(a, b, result, other []vec) ([]vec, []vec) {
	result = append(result[:0], b...)
	for i := range a {
		from, to := a[i], a[(i+1)%len(a)]
		other = other[:0]
		for k := range result {
			p, q := result[k], result[(k+1)%len(result)]
			d, e := cross(from, to, p), cross(from, to, q)
			if d >= 0 {
				other = append(other, p)
			}
			if d >= 0 != (e >= 0) {
				t := d / (d - e)
				other = append(other, vec{p.x + t*(q.x-p.x), p.y + t*(q.y-p.y)})
			}
		}
		result, other = other, result
	}
	return result, other
}

// digest mixes the points into 64 bits (FNV-1a). It is not a secret or a
// fingerprint of a person beyond this process: it only orders two templates.
func digest(points []point) uint64 {
	h := uint64(14695981039346656037)
	mix := func(v uint32) { h = (h ^ uint64(v)) * 1099511628211 }
	for _, p := range points {
		mix(math.Float32bits(p.x))
		mix(math.Float32bits(p.y))
		mix(uint32(p.angle)<<8 | uint32(p.kind))
		mix(math.Float32bits(p.weight))
	}
	return h
}
