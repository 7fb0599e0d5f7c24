package extract

import "math"

// The spectrum of ridge periods, in pixels at workDPI.
const (
	minPeriod    = 5.0
	maxPeriod    = 16.0
	usualPeriod  = 9.0 // of an adult's finger
	periodSteps  = 24
	signatureLen = 40 // samples across the ridges
	signatureWid = 8  // pixels along them, either side
)

// Frequency is looked at every second cell both ways.
const periodStride = 2

// waves holds, for each period, a windowed cosine and sine across the
// signature, both free of a constant part.
var waves = func() (table [periodSteps][2][signatureLen]float32) {
	for i := range table {
		omega := 2 * math.Pi / periodOf(i)
		var mean, total float64
		for k := range signatureLen {
			u := float64(k) - (signatureLen-1)/2.0
			h := 0.5 + 0.5*math.Cos(2*math.Pi*u/(signatureLen+1))
			mean += h * math.Cos(omega*u)
			total += h
		}
		for k := range signatureLen {
			u := float64(k) - (signatureLen-1)/2.0
			h := 0.5 + 0.5*math.Cos(2*math.Pi*u/(signatureLen+1))
			table[i][0][k] = float32(h * (math.Cos(omega*u) - mean/total))
			table[i][1][k] = float32(h * math.Sin(omega*u))
		}
	}
	return table
}()

// periodOf is the i-th period: frequencies are evenly spaced.
func periodOf(i int) float64 {
	const lowest, highest = 1 / maxPeriod, 1 / minPeriod
	return 1 / (lowest + (highest-lowest)*float64(i)/(periodSteps-1))
}

// spectrum is the power at each period.
type spectrum [periodSteps]float32

// measurePeriods estimates the distance of the ridges: the x-signature of
// Hong, Wan and Jain (1998, section 2.4), the mean grey along the ridges as a
// function of the place across them, but read by its power spectrum, averaged
// over the neighbourhood, where they count the peaks: a spectrum still tells
// when single ridges do not show.
func (w *work) measurePeriods(p *plane) {
	f := &w.field
	cols, rows := (f.cols+periodStride-1)/periodStride, (f.rows+periodStride-1)/periodStride
	w.spectra = resize(w.spectra, cols*rows)
	w.blurred = resize(w.blurred, cols*rows)
	for y := range rows {
		for x := range cols {
			s := &w.spectra[y*cols+x]
			clear(s[:])
			cx, cy := min(x*periodStride, f.cols-1), min(y*periodStride, f.rows-1)
			if i := cy*f.cols + cx; f.inside[i] {
				w.signature(p, cx*cell+cell, cy*cell+cell, f.smooth[i], s)
			}
		}
	}
	for range 2 {
		w.blurSpectra(cols, rows)
	}
	var mean spectrum
	for i := range w.spectra {
		for k, v := range w.spectra[i] {
			mean[k] += v
		}
	}
	share := 1 / float32(len(w.spectra))
	for y := range f.rows {
		for x := range f.cols {
			s := w.spectra[y/periodStride*cols+x/periodStride]
			for k := range s {
				s[k] += 0.3 * share * mean[k]
			}
			i := y*f.cols + x
			f.period[i] = s.peak()
		}
	}
}

// signature adds the power spectrum across the ridges at (x, y).
func (w *work) signature(p *plane, x, y int, t tensor, s *spectrum) {
	ny64, nx64 := math.Sincos(t.normal())
	nx, ny := float32(nx64), float32(ny64)
	var line [signatureLen]float32
	for k := range line {
		u := float32(k) - (signatureLen-1)/2.0
		px, py := float32(x)+u*nx, float32(y)+u*ny
		var sum float32
		for v := float32(-signatureWid); v <= signatureWid; v += 2 {
			qx := int(px - v*ny + 0.5)
			qy := int(py + v*nx + 0.5)
			if uint(qx) < uint(p.width) && uint(qy) < uint(p.height) {
				sum += p.pix[p.origin+qy*p.stride+qx]
			}
		}
		line[k] = sum
	}
	for i := range s {
		var c, d float32
		for k, v := range line {
			c += v * waves[i][0][k]
			d += v * waves[i][1][k]
		}
		s[i] = c*c + d*d
	}
}

// blurSpectra averages each spectrum with its neighbours', 1 2 1 both ways.
func (w *work) blurSpectra(cols, rows int) {
	mix := func(dst, a, b, c *spectrum) {
		for k := range dst {
			dst[k] = 0.25*a[k] + 0.5*b[k] + 0.25*c[k]
		}
	}
	for y := range rows {
		row := w.spectra[y*cols:][:cols]
		for x := range row {
			mix(&w.blurred[y*cols+x], &row[max(0, x-1)], &row[x], &row[min(cols-1, x+1)])
		}
	}
	for y := range rows {
		up, down := max(0, y-1)*cols, min(rows-1, y+1)*cols
		for x := range cols {
			mix(&w.spectra[y*cols+x], &w.blurred[up+x], &w.blurred[y*cols+x], &w.blurred[down+x])
		}
	}
}

// peak is the dominant period, refined between the samples.
func (s *spectrum) peak() float32 {
	best := 0
	for k, v := range s {
		if v > s[best] {
			best = k
		}
	}
	var sum, moment float32
	for k := max(0, best-2); k <= min(periodSteps-1, best+2); k++ {
		sum += s[k]
		moment += s[k] * float32(k)
	}
	if sum <= 0 {
		return usualPeriod
	}
	const lowest, highest = 1 / maxPeriod, 1 / minPeriod
	return 1 / (lowest + (highest-lowest)*(moment/sum)/(periodSteps-1))
}
