package resemblance

import (
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/signature"
)

// Marks are those of a record in one of the formats of PROTOCOL.md section 9, which is only
// read. What is of none of them has its digest alone.
func (m *Marker) Marks(format string, record []byte) []Mark {
	marks := []Mark{m.record(record)}
	switch format {
	case exchange.FormatEmbedding:
		marks = append(marks, m.face(record)...)
	case exchange.FormatFinger2005:
		marks = append(marks, m.fingers(record)...)
	case exchange.FormatIris:
		marks = append(marks, m.iris(record)...)
	case exchange.FormatSignature2007:
		marks = append(marks, m.signature(record)...)
	}
	return marks
}

func (m *Marker) face(record []byte) []Mark {
	t, err := exchange.DecodeEmbedding(record)
	if err != nil {
		return nil
	}
	defer t.Wipe()
	values := make([]int8, t.Dims())
	defer clear(values)
	if t.Quantize(values) != nil {
		return nil
	}
	v := make([]float32, len(values))
	for i, x := range values {
		v[i] = float32(x)
	}
	return []Mark{m.vector(ofVector, "face "+t.Model(), v)}
}

func (m *Marker) iris(record []byte) []Mark {
	c, err := iriscode.Decode(record)
	if err != nil {
		return nil
	}
	defer clear(c.Sample.Code[:])
	for i := range c.Sample.Code {
		c.Sample.Code[i] &= c.Sample.Mask[i]
	}
	return []Mark{m.sampled("iris "+c.Profile, c.Sample.Code[:])}
}

// leastMinutiae are few enough that no decision is made on them, and that others have the same.
const leastMinutiae = 8

func (m *Marker) fingers(record []byte) (out []Mark) {
	r, err := exchange.ParseFinger(record)
	if err != nil {
		return nil
	}
	for _, v := range r.Views {
		clear(v.Extended)
		if len(v.Minutiae) >= leastMinutiae {
			xs, ys := at(v.Minutiae, r.ResX, r.ResY)
			out = append(out, m.set("finger", m.cells(v.Minutiae, xs, ys)))
			toMiddle(xs)
			toMiddle(ys)
			out = append(out, m.set("finger from its middle", m.cells(v.Minutiae, xs, ys)))
			clear(xs)
			clear(ys)
		}
		clear(v.Minutiae)
	}
	return out
}

const (
	cellSize  = 14 // pixels at 500 dpi, about one and a half times the distance of ridges
	cellAngle = 40 // 256ths of a turn
	dpi500    = 197
)

// at is where minutiae are, in 16ths of a pixel at 500 dpi.
func at(minutiae []finger.Minutia, resX, resY uint16) (xs, ys []int) {
	for _, p := range minutiae {
		xs = append(xs, 16*int(p.X)*dpi500/int(resX))
		ys = append(ys, 16*int(p.Y)*dpi500/int(resY))
	}
	return xs, ys
}

// toMiddle has the median be zero, which hardly moves when a few are others.
func toMiddle(v []int) {
	sorted := slices.Sorted(slices.Values(v))
	middle := sorted[len(sorted)/2]
	for i := range v {
		v[i] -= middle
	}
	clear(sorted)
}

// cells are those that minutiae lie in, of two grids.
func (m *Marker) cells(minutiae []finger.Minutia, xs, ys []int) []uint64 {
	s := m.stream("grids")
	const side = 16 * cellSize
	out := make([]uint64, 0, 2*len(minutiae))
	for grid := range uint64(2) {
		// From far outside, so that cells have no negative number.
		x0, y0, a0 := int(s.Uint64()%side)+1<<20, int(s.Uint64()%side)+1<<20, int(s.Uint64()%256)
		for i, p := range minutiae {
			x, y, a := (xs[i]+x0)/side, (ys[i]+y0)/side, (int(p.Angle)+a0)%256/cellAngle
			out = append(out, grid<<60|uint64(a)<<50|uint64(x)<<25|uint64(y))
		}
	}
	return out
}

// timeSteps is into how many equal parts of its time a signature is cut.
const timeSteps = 128

func (m *Marker) signature(record []byte) []Mark {
	r, err := signature2007.Decode(record)
	if err != nil {
		return nil
	}
	defer clear(r.Points)
	if len(r.Points) < 2 {
		return nil
	}
	return []Mark{m.vector(ofPath, "signature", drawn(r.Points))}
}

// drawn is where the pen was, from the middle, at moments that divide its time.
func drawn(points []signature.Point) []float32 {
	out := make([]float32, 2*timeSteps)
	begin, length := points[0].T, points[len(points)-1].T-points[0].T
	at := 0
	for i := range timeSteps {
		t := begin + length*float64(i)/(timeSteps-1)
		for at+2 < len(points) && points[at+1].T < t {
			at++
		}
		a, b := points[at], points[at+1]
		w := 0.0
		if b.T > a.T {
			w = min(max((t-a.T)/(b.T-a.T), 0), 1)
		}
		out[2*i], out[2*i+1] = float32(a.X+w*(b.X-a.X)), float32(a.Y+w*(b.Y-a.Y))
	}
	for axis := range 2 {
		mean := 0.0
		for i := range timeSteps {
			mean += float64(out[2*i+axis]) / timeSteps
		}
		for i := range timeSteps {
			out[2*i+axis] -= float32(mean)
		}
	}
	most := 0.0
	for _, x := range out {
		most = max(most, math.Abs(float64(x)))
	}
	for i := range out {
		out[i] /= float32(max(most, 1)) // so that no sum is out of range
	}
	return out
}
