package extract

import "math"

// workDPI is the resolution at which ridges are looked at.
const workDPI = 500

// plane is a float picture with a margin all round, so that no filter needs to
// look where it stands. Pixel (x, y) is at origin + y*stride + x.
type plane struct {
	pix           []float32
	width, height int
	stride        int
	origin        int
}

// margin is what the widest filter reaches.
const margin = 32

func (p *plane) shape(width, height int) {
	p.width, p.height = width, height
	p.stride = width + 2*margin
	p.origin = margin*p.stride + margin
	p.pix = resize(p.pix, p.stride*(height+2*margin))
}

// resize gives v the length n; what it holds is unspecified.
func resize[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}

// row is the inner part of one row.
func (p *plane) row(y int) []float32 {
	at := p.origin + y*p.stride
	return p.pix[at : at+p.width]
}

// extend fills the margin with the nearest inner pixels.
func (p *plane) extend() {
	for y := range p.height {
		at := p.origin + y*p.stride
		first, last := p.pix[at], p.pix[at+p.width-1]
		for i := 1; i <= margin; i++ {
			p.pix[at-i] = first
			p.pix[at+p.width-1+i] = last
		}
	}
	top := p.pix[margin*p.stride : (margin+1)*p.stride]
	end := (margin + p.height) * p.stride
	bottom := p.pix[end-p.stride : end]
	for i := range margin {
		copy(p.pix[i*p.stride:], top)
		copy(p.pix[end+i*p.stride:], bottom)
	}
}

// load brings the image to workDPI, in grey levels.
func (w *work) load(m Image) {
	w.scale = float32(m.DPI) / workDPI
	if m.DPI == workDPI {
		w.grey.shape(m.Width, m.Height)
		for y := range m.Height {
			src := m.Pix[y*m.Width : (y+1)*m.Width]
			dst := w.grey.row(y)[:len(src)]
			for x, v := range src {
				dst[x] = float32(v)
			}
		}
		return
	}
	w.resample(m)
}

// tap is the weighted run of source pixels that a resampled pixel is made of.
type tap struct {
	first, count int
	at           int // of the first weight
}

// taps are those of a tent filter that is as wide as the coarser of the two grids: linear
// interpolation upwards, and no aliasing downwards. Weights are appended to those given.
func taps(weights []float32, from, to int, scale float64) ([]float32, []tap) {
	reach := max(1, scale)
	out := make([]tap, to)
	for i := range out {
		centre := (float64(i)+0.5)*scale - 0.5
		first := max(0, min(from-1, int(math.Ceil(centre-reach))))
		last := max(first, min(from-1, int(math.Floor(centre+reach))))
		out[i] = tap{first, last - first + 1, len(weights)}
		sum := 0.0
		for k := first; k <= last; k++ {
			sum += tent(centre, reach, k)
		}
		for k := first; k <= last; k++ {
			weights = append(weights, float32(tent(centre, reach, k)/sum))
		}
	}
	return weights, out
}

// tent never quite vanishes, so that a sum of it may be divided by.
func tent(centre, reach float64, k int) float64 {
	return max(1e-3, 1-math.Abs(float64(k)-centre)/reach)
}

// resample scales m by separable filters, rows first.
func (w *work) resample(m Image) {
	scale := float64(m.DPI) / workDPI
	width := max(1, int(math.Round(float64(m.Width)/scale)))
	height := max(1, int(math.Round(float64(m.Height)/scale)))
	weights, across := taps(nil, m.Width, width, scale)
	weights, down := taps(weights, m.Height, height, scale)
	w.scaled = resize(w.scaled, width*m.Height)
	for y := range m.Height {
		src, dst := m.Pix[y*m.Width:(y+1)*m.Width], w.scaled[y*width:(y+1)*width]
		for x, t := range across {
			var sum float32
			run := src[t.first : t.first+t.count]
			for k, v := range weights[t.at:][:len(run)] {
				sum += v * float32(run[k])
			}
			dst[x] = sum
		}
	}
	w.grey.shape(width, height)
	for y, t := range down {
		dst := w.grey.row(y)
		clear(dst)
		for k, v := range weights[t.at:][:t.count] {
			src := w.scaled[(t.first+k)*width:][:len(dst)]
			for x := range dst {
				dst[x] += v * src[x]
			}
		}
	}
}
