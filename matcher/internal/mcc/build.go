package mcc

import (
	"math"
	"math/bits"
)

// Parameters in the symbols of table I of the paper, for 500 dpi.
const (
	radius         = 70.0              // R: how far a minutia looks, in pixels
	cellSize       = 2 * radius / Side // Delta_S
	sigmaS         = 28.0 / 3          // spread of a neighbour's contribution in place
	sigmaD         = 2 * math.Pi / 9   // ... and in direction
	bitLevel       = 0.01              // mu_Psi: density from which a bit is set
	minValid       = 39                // min_VC: cells that must be valid, of DiscCells
	minNeighbours  = 2                 // min_M: contributing minutiae a cylinder needs
	reach          = 3 * sigmaS        // beyond it a neighbour adds nothing to a cell
	spatialSamples = 1024              // resolution of the table of the spatial Gaussian
)

// Minutia is a minutia as cylinders are built from: in pixels at 500 dpi with
// y upwards, its direction both in 256ths of a turn and as cosine and sine.
type Minutia struct {
	X, Y, Cos, Sin float32
	Angle          uint8
}

// disc has a bit for each of the cells whose centre is inside the circle.
var disc = func() (mask uint64) {
	for cell := range Side * Side {
		u, v := cellCentre(cell%Side), cellCentre(cell/Side)
		if u*u+v*v <= radius*radius {
			mask |= 1 << cell
		}
	}
	return mask
}()

// Disc has a bit for each cell of a section that lies inside the circle: no
// other bit of a cylinder is ever set.
func Disc() uint64 { return disc }

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
var directional = func() (table [256][Sections]float32) {
	const width = 2 * math.Pi / Sections
	phi := func(t float64) float64 { return 0.5 * (1 + math.Erf(t/(sigmaD*math.Sqrt2))) }
	for i := range table {
		difference := float64(int8(i)) * 2 * math.Pi / 256
		for k := range Sections {
			alpha := math.Remainder(-math.Pi+(float64(k)+0.5)*width-difference, 2*math.Pi)
			table[i][k] = float32(phi(alpha+width/2) - phi(alpha-width/2))
		}
	}
	return table
}()

// cellCentre is the coordinate of the i-th cell in the minutia's own frame.
func cellCentre(i int) float32 { return (float32(i) - (Side-1)/2.0) * cellSize }

// densities are the sums of contributions to the cells of one cylinder.
type densities [Side * Side][Sections]float32

// Build describes every minutia by its neighbours and returns the cylinders
// with enough valid cells and neighbours to be worth comparing, in the order
// of the minutiae. Near says whether a place is close enough to the minutiae
// for their absence there to mean something. There may be at most 256
// minutiae; the work is quadratic in them.
func Build(minutiae []Minutia, near func(x, y float32) bool) []Cylinder {
	cylinders := make([]Cylinder, 0, len(minutiae))
	var density densities
	for i := range minutiae {
		c := Cylinder{Angle: minutiae[i].Angle, Index: uint8(i)}
		c.Valid = validCells(&minutiae[i], near)
		if bits.OnesCount64(c.Valid) < minValid {
			continue
		}
		clear(density[:])
		if density.accumulate(minutiae, i) < minNeighbours {
			continue
		}
		for left := c.Valid; left != 0; left &= left - 1 {
			cell := bits.TrailingZeros64(left)
			for k, d := range density[cell] {
				if d >= bitLevel {
					c.Bits[k] |= 1 << cell
					c.Ones++
				}
			}
		}
		cylinders = append(cylinders, c)
	}
	clear(density[:])
	return cylinders
}

// accumulate adds the contribution of every neighbour of minutia i to the
// cells of its cylinder and returns how many there were.
func (density *densities) accumulate(minutiae []Minutia, i int) int {
	const far = (radius + reach) * (radius + reach)
	p, neighbours := &minutiae[i], 0
	for j := range minutiae {
		q := &minutiae[j]
		dx, dy := q.X-p.X, q.Y-p.Y
		if j == i || dx*dx+dy*dy > far {
			continue
		}
		neighbours++
		u, v := dx*p.Cos+dy*p.Sin, dy*p.Cos-dx*p.Sin
		mass := &directional[p.Angle-q.Angle]
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
				cell := &density[row*Side+column]
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
	const middle = (Side - 1) / 2.0
	first := int(math.Ceil(float64((u-reach)/cellSize + middle)))
	last := int(math.Floor(float64((u+reach)/cellSize + middle)))
	return max(first, 0), min(last, Side-1)
}

// validCells returns the cells of p's disc that lie near the minutiae: about
// those elsewhere nothing is known, which is not the same as empty.
func validCells(p *Minutia, near func(x, y float32) bool) uint64 {
	var valid uint64
	for left := disc; left != 0; left &= left - 1 {
		cell := bits.TrailingZeros64(left)
		u, v := cellCentre(cell%Side), cellCentre(cell/Side)
		if near(p.X+u*p.Cos-v*p.Sin, p.Y+u*p.Sin+v*p.Cos) {
			valid |= 1 << cell
		}
	}
	return valid
}
