package extract

import "math"

// Windows of the local normalisation, in pixels either side of the middle, and
// the grey levels of noise below which contrast is not amplified further.
const ( // tuned
	meanReach     = 12
	contrastReach = 20
	noiseFloor    = float32(8)
	clip          = float32(2) // local standard deviations beyond which a pixel is an outlier
)

// normalise brings the picture to local mean 0 and local deviation 1, after L.
// Hong, Y. Wan, A. Jain, "Fingerprint Image Enhancement: Algorithm and
// Performance Evaluation", IEEE TPAMI 20(8), 1998, section 2.2, but against
// the surroundings of each pixel where they take the whole picture: a finger
// is rarely pressed evenly. Ridges become positive.
func (w *work) normalise() {
	g := &w.grey
	w.level.shape(g.width, g.height)
	w.flat.shape(g.width, g.height)
	w.boxMean(g, &w.level, meanReach)
	for y := range g.height {
		src, mean := g.row(y), w.level.row(y)
		dst := w.flat.row(y)
		for x := range dst {
			dst[x] = mean[x] - src[x]
			src[x] = dst[x] * dst[x]
		}
	}
	w.boxMean(g, &w.level, contrastReach)
	for y := range g.height {
		dst, power := w.flat.row(y), w.level.row(y)
		for x := range dst {
			d := dst[x] / (float32(math.Sqrt(float64(power[x]))) + noiseFloor)
			dst[x] = max(-clip, min(clip, d))
		}
	}
	w.flat.extend()
}

// boxMean sets each pixel of dst to the mean of src over the square of that
// reach round it, as much of it as lies inside. Running sums make the cost
// independent of the reach.
func (w *work) boxMean(src, dst *plane, reach int) {
	w.columns = resize(w.columns, src.width)
	sums := w.columns
	clear(sums)
	for y := range min(reach, src.height) {
		for x, v := range src.row(y) {
			sums[x] += v
		}
	}
	for y := range src.height {
		if y+reach < src.height {
			for x, v := range src.row(y + reach) {
				sums[x] += v
			}
		}
		if y-reach-1 >= 0 {
			for x, v := range src.row(y - reach - 1) {
				sums[x] -= v
			}
		}
		rows := min(src.height-1, y+reach) - max(0, y-reach) + 1
		boxRow(sums, dst.row(y), reach, rows)
	}
}

// boxRow turns the sums of columns into means along one row.
func boxRow(sums, dst []float32, reach, rows int) {
	n := len(sums)
	var sum float32
	for x := range min(reach, n) {
		sum += sums[x]
	}
	for x := range dst {
		if x+reach < n {
			sum += sums[x+reach]
		}
		if x-reach-1 >= 0 {
			sum -= sums[x-reach-1]
		}
		dst[x] = max(0, sum) / float32(rows*(min(n-1, x+reach)-max(0, x-reach)+1))
	}
}
