package extract

import (
	"math"
	"sync"
)

// Quantisation of the oriented filters.
const (
	directions   = 64 // of half a turn
	shortest     = 5  // period of the first bin, in pixels
	periodBins   = 12 // to 16 pixels
	alongReach   = 12
	acrossReach  = 16
	leastWeight  = 1e-4 // share below which an interpolated pixel is left out
	acrossWindow = 2.2  // standard deviations at which the Gabor filter is cut off
)

const ( // tuned
	alongSigma  = 3.5  // pixels
	acrossSigma = 0.45 // periods
)

// sample is a pixel beside the middle one with its weights in an even and an odd filter; the
// pixel opposite has the same even and the opposite odd weight.
type sample struct {
	dx, dy    int
	even, odd float32
}

// kernel is a one-dimensional filter laid over the grid of pixels.
type kernel struct {
	middle  float32
	samples []sample
}

// bank has the filters for every direction of the normal and every period. They are separable:
// first a Gaussian along the ridges, then a Gabor filter across them, 60 multiplications a pixel
// where the filter in the plane takes 500; and the first follows ridges that bend.
type bank struct {
	along  [directions]kernel
	across [directions][periodBins]kernel
}

// theBank is built at first use: a program that extracts nothing need not pay for it.
var theBank = sync.OnceValue(func() *bank {
	b := &bank{}
	for d := range directions {
		normal := float64(d) * math.Pi / directions
		b.along[d] = alongKernel(normal + math.Pi/2)
		for k := range periodBins {
			b.across[d][k] = acrossKernel(normal, float64(k+shortest))
		}
	}
	return b
})

// alongKernel is a Gaussian.
func alongKernel(angle float64) kernel {
	step, count := steps(angle, alongReach)
	weights := make([]float64, count)
	sum := 1.0
	for k := range weights {
		u := float64(k+1) * step / alongSigma
		weights[k] = math.Exp(-u * u / 2)
		sum += 2 * weights[k]
	}
	for k := range weights {
		weights[k] /= sum
	}
	return lay(angle, 1/sum, weights, make([]float64, count))
}

// acrossKernel has the even and the odd part of a Gabor filter, the even one freed of its
// constant part, each of gain 1 at its own period. The odd part has the sign that makes the
// phase grow along the normal.
func acrossKernel(angle, period float64) kernel {
	omega, sigma := 2*math.Pi/period, acrossSigma*period
	step, count := steps(angle, min(acrossReach, math.Ceil(acrossWindow*sigma)))
	window := func(u float64) float64 { return math.Exp(-u * u / (2 * sigma * sigma)) }
	sum, mass := 1.0, 1.0
	for k := range count {
		u := float64(k+1) * step
		sum += 2 * window(u) * math.Cos(omega*u)
		mass += 2 * window(u)
	}
	mean := sum / mass
	even, odd := make([]float64, count), make([]float64, count)
	evenGain, oddGain := 1-mean, 0.0
	for k := range count {
		u := float64(k+1) * step
		even[k] = window(u) * (math.Cos(omega*u) - mean)
		odd[k] = -window(u) * math.Sin(omega*u)
		evenGain += 2 * even[k] * math.Cos(omega*u)
		oddGain -= 2 * odd[k] * math.Sin(omega*u)
	}
	for k := range count {
		even[k] /= evenGain
		odd[k] /= oddGain
	}
	return lay(angle, (1-mean)/evenGain, even, odd)
}

// steps tells how long one step of a line is that moves by whole pixels on the axis it is nearer
// to, and how many there are up to the reach.
func steps(angle, reach float64) (length float64, count int) {
	sin, cos := math.Sincos(angle)
	length = 1 / max(math.Abs(cos), math.Abs(sin))
	return length, int(reach / length)
}

// lay puts the taps of a line on pixels, each shared by the two that it falls between.
func lay(angle, middle float64, even, odd []float64) kernel {
	sin, cos := math.Sincos(angle)
	major := max(math.Abs(cos), math.Abs(sin))
	k := kernel{middle: float32(middle)}
	for i := range even {
		x, y := float64(i+1)*cos/major, float64(i+1)*sin/major
		add := func(dx, dy, share float64) {
			if share > leastWeight {
				k.samples = append(k.samples, sample{int(dx), int(dy), float32(share * even[i]), float32(share * odd[i])})
			}
		}
		if math.Abs(cos) >= math.Abs(sin) {
			floor := math.Floor(y)
			add(math.Round(x), floor, 1-(y-floor))
			add(math.Round(x), floor+1, y-floor)
		} else {
			floor := math.Floor(x)
			add(floor, math.Round(y), 1-(x-floor))
			add(floor+1, math.Round(y), x-floor)
		}
	}
	return k
}

// filter is a kernel made ready for planes of one stride.
type filter struct {
	middle float32
	offset []int32
	even   []float32
	odd    []float32
}

func (f *filter) fit(k kernel, stride int) {
	f.middle = k.middle
	f.offset, f.even, f.odd = f.offset[:0], f.even[:0], f.odd[:0]
	for _, s := range k.samples {
		f.offset = append(f.offset, int32(s.dy*stride+s.dx))
		f.even = append(f.even, s.even)
		f.odd = append(f.odd, s.odd)
	}
}

// four is a run of pixels that share a filter. Filtering them together takes one bounds check and
// one weight for four multiplications.
type four = [patch]float32

// evenAt applies the even filter to the four pixels from at.
func (f *filter) evenAt(pix []float32, at int, out *four) {
	c := (*four)(pix[at:])
	s0, s1, s2, s3 := f.middle*c[0], f.middle*c[1], f.middle*c[2], f.middle*c[3]
	even := f.even[:len(f.offset)]
	for i, d := range f.offset {
		p, q := (*four)(pix[at+int(d):]), (*four)(pix[at-int(d):])
		e := even[i]
		s0 += e * (p[0] + q[0])
		s1 += e * (p[1] + q[1])
		s2 += e * (p[2] + q[2])
		s3 += e * (p[3] + q[3])
	}
	out[0], out[1], out[2], out[3] = s0, s1, s2, s3
}

// bothAt applies both filters.
func (f *filter) bothAt(pix []float32, at int, outE, outO *four) {
	c := (*four)(pix[at:])
	e0, e1, e2, e3 := f.middle*c[0], f.middle*c[1], f.middle*c[2], f.middle*c[3]
	var o0, o1, o2, o3 float32
	even, odd := f.even[:len(f.offset)], f.odd[:len(f.offset)]
	for i, d := range f.offset {
		p, q := (*four)(pix[at+int(d):]), (*four)(pix[at-int(d):])
		e, o := even[i], odd[i]
		e0 += e * (p[0] + q[0])
		e1 += e * (p[1] + q[1])
		e2 += e * (p[2] + q[2])
		e3 += e * (p[3] + q[3])
		o0 += o * (p[0] - q[0])
		o1 += o * (p[1] - q[1])
		o2 += o * (p[2] - q[2])
		o3 += o * (p[3] - q[3])
	}
	outE[0], outE[1], outE[2], outE[3] = e0, e1, e2, e3
	outO[0], outO[1], outO[2], outO[3] = o0, o1, o2, o3
}

// filters is the bank at one stride.
type filters struct {
	stride int
	along  [directions]filter
	across [directions][periodBins]filter
}

func (f *filters) prepare(stride int) {
	if f.stride == stride {
		return
	}
	f.stride = stride
	b := theBank()
	for d := range directions {
		f.along[d].fit(b.along[d], stride)
		for k := range periodBins {
			f.across[d][k].fit(b.across[d][k], stride)
		}
	}
}
