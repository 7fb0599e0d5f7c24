package finger

import (
	"math"
	"math/bits"
)

// Shape of the cylinders, in the symbols of Cappelli, Ferrara and Maltoni,
// table I, for 500 dpi. Six sections of 8x8 cells fill six 64-bit words, one
// word for each section, so that one further word says for all of them which
// cells are valid.
const (
	radius         = 70.0              // R: how far a minutia looks, in pixels
	side           = 8                 // N_S: cells across
	sections       = 6                 // N_D: cells along the turn of direction
	cellSize       = 2 * radius / side // Delta_S
	sigmaS         = 28.0 / 3          // spread of a neighbour's contribution in place
	sigmaD         = 2 * math.Pi / 9   // ... and in direction
	hullMargin     = 50                // Omega: how far outside the hull a cell may lie
	bitLevel       = 0.01              // mu_Psi: density from which a bit is set
	minValid       = 0.75              // min_VC: share of the cells that must be valid
	minNeighbours  = 2                 // min_M: contributing minutiae a cylinder needs
	minShared      = 0.60              // min_ME: share of cells valid in both of a pair
	reach          = 3 * sigmaS        // beyond it a neighbour adds nothing to a cell
	spatialSamples = 1024              // resolution of the table of the spatial Gaussian
)

// cylinder describes the surroundings of one minutia: bit 8*row+column of word
// k says that neighbours lie about that cell turned by about section k.
type cylinder struct {
	bits  [sections]uint64
	valid uint64 // cells inside the circle and near the hull
	used  bool   // enough cells and neighbours to be worth comparing
}

// disc has a bit for each of the cells whose centre is inside the circle.
var disc = func() (mask uint64) {
	for cell := range side * side {
		u, v := cellCentre(cell%side), cellCentre(cell/side)
		if u*u+v*v <= radius*radius {
			mask |= 1 << cell
		}
	}
	return mask
}()

// spatial tabulates the Gaussian of the distance, by squared distance.
var spatial = func() (table [spatialSamples + 1]float32) {
	for i := range table {
		d2 := float64(i) * reach * reach / spatialSamples
		table[i] = float32(math.Exp(-d2/(2*sigmaS*sigmaS)) / (sigmaS * math.Sqrt(2*math.Pi)))
	}
	return table
}()

// directional tabulates, for each difference of direction, the mass that a
// normal distribution about it has in each section.
var directional = func() (table [256][sections]float32) {
	const width = 2 * math.Pi / sections
	phi := func(t float64) float64 { return 0.5 * (1 + math.Erf(t/(sigmaD*math.Sqrt2))) }
	for i := range table {
		difference := float64(int8(i)) * 2 * math.Pi / 256
		for k := range sections {
			alpha := math.Remainder(-math.Pi+(float64(k)+0.5)*width-difference, 2*math.Pi)
			table[i][k] = float32(phi(alpha+width/2) - phi(alpha-width/2))
		}
	}
	return table
}()

// cellCentre is the coordinate of the i-th cell in the minutia's own frame.
func cellCentre(i int) float32 { return (float32(i) - (side-1)/2.0) * cellSize }

// buildCylinders describes every minutia by its neighbours.
func buildCylinders(points []point, hull []vec) []cylinder {
	cylinders := make([]cylinder, len(points))
	var density [side * side][sections]float32
	for i := range points {
		clear(density[:])
		neighbours := accumulate(&density, points, i)
		c := &cylinders[i]
		c.valid = validCells(points[i], hull)
		for cell := range density {
			if c.valid>>cell&1 == 0 {
				continue
			}
			for k, d := range density[cell] {
				if d >= bitLevel {
					c.bits[k] |= 1 << cell
				}
			}
		}
		enough := float32(bits.OnesCount64(disc)) * minValid
		c.used = neighbours >= minNeighbours && float32(bits.OnesCount64(c.valid)) >= enough
	}
	clear(density[:])
	return cylinders
}

// accumulate adds the contribution of every neighbour of point i to the cells
// of its cylinder and returns how many there were.
func accumulate(density *[side * side][sections]float32, points []point, i int) int {
	const far = (radius + reach) * (radius + reach)
	p, neighbours := &points[i], 0
	for j := range points {
		q := &points[j]
		dx, dy := q.x-p.x, q.y-p.y
		if j == i || dx*dx+dy*dy > far {
			continue
		}
		neighbours++
		u, v := dx*p.cos+dy*p.sin, dy*p.cos-dx*p.sin
		mass := &directional[p.angle-q.angle]
		u0, u1 := cellRange(u)
		v0, v1 := cellRange(v)
		for row := v0; row <= v1; row++ {
			b := v - cellCentre(row)
			for column := u0; column <= u1; column++ {
				a := u - cellCentre(column)
				t := (a*a + b*b) * (spatialSamples / (reach * reach))
				if t >= spatialSamples {
					continue
				}
				s := spatial[int(t)]
				cell := &density[row*side+column]
				for k, m := range mass {
					cell[k] += s * m
				}
			}
		}
	}
	return neighbours
}

// cellRange returns the first and last cell within reach of a coordinate.
func cellRange(u float32) (int, int) {
	const middle = (side - 1) / 2.0
	first := int(math.Ceil(float64((u-reach)/cellSize + middle)))
	last := int(math.Floor(float64((u+reach)/cellSize + middle)))
	return max(first, 0), min(last, side-1)
}

// validCells returns the cells of p's disc that lie in or near the hull:
// about those outside it nothing is known, which is not the same as empty.
func validCells(p point, hull []vec) uint64 {
	var valid uint64
	for left := disc; left != 0; left &= left - 1 {
		cell := bits.TrailingZeros64(left)
		u, v := cellCentre(cell%side), cellCentre(cell/side)
		place := vec{p.x + u*p.cos - v*p.sin, p.y + u*p.sin + v*p.cos}
		if within(hull, place, hullMargin) {
			valid |= 1 << cell
		}
	}
	return valid
}

// roots holds the square roots of all possible bit counts.
var roots = func() (table [sections*side*side + 1]float32) {
	for i := range table {
		table[i] = float32(math.Sqrt(float64(i)))
	}
	return table
}()

// similarity is the local similarity of two cylinders, 0 to 1: one less the
// distance of the bit vectors over the sum of their lengths, on the cells
// valid in both.
func similarity(a, b *cylinder) float32 {
	const enough = minShared
	shared := a.valid & b.valid
	if float32(bits.OnesCount64(shared)) < enough*discCells {
		return 0
	}
	ones, differing := 0, 0
	for k := range sections {
		x, y := a.bits[k]&shared, b.bits[k]&shared
		ones += bits.OnesCount64(x) + bits.OnesCount64(y)<<16
		differing += bits.OnesCount64(x ^ y)
	}
	length := roots[ones&0xffff] + roots[ones>>16]
	if length == 0 {
		return 0
	}
	return 1 - roots[differing]/length
}

// discCells is the number of bits of disc.
const discCells = 52
