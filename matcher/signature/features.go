package signature

import (
	"math"
	"slices"
)

// Channels of a row: functions of time, each with mean 0 and deviation 1 times
// its weight in units of 1/unit, but for the direction, which is of length 1.
const (
	chX = iota
	chY
	chDX
	chDY
	chPressure
	chDPressure
	chCos
	chSin
	chAzimuth
	chAltitude
	channels
)

// unit is the resolution of a channel: whole numbers, so that distances add up
// exactly and alike on every processor.
const unit = 64

// row is one moment of a signature.
type row [channels]int16

// weights of the channels. They are round figures on a plateau: over four
// disjoint choices of five references among SVC2004's first twenty users, error
// rates moved by less than they did from choice to choice when a weight was
// changed by a third. The slant of the pen says much about a writer and
// also about his chair; hence its low weight.
var weights = [channels]float64{
	chX: 1, chY: 1, chDX: 1, chDY: 1, chPressure: 1.25, chDPressure: 1.25,
	chCos: 0.75, chSin: 0.75, chAzimuth: 0.3, chAltitude: 0.3,
}

// furthest is how far from its mean a value counts, in deviations.
const furthest = 16

// Sampling that is taken as it comes, and what other sampling is brought to.
const (
	fastest  = 8.0  // milliseconds between points
	slowest  = 13.0 //
	interval = 10.0
	gap      = 50.0 // milliseconds from which on the pen was away, not slow
)

// regular returns a copy of the points, resampled by linear interpolation to
// one in 10 ms when the device's interval is far from that, because the first
// differences would otherwise mean another stretch of time. Times when
// the pen was out of sight stay jumps.
func regular(points []Point) []Point {
	steps := make([]float64, 0, len(points))
	for i := 1; i < len(points); i++ {
		if d := points[i].T - points[i-1].T; d > 0 {
			steps = append(steps, d)
		}
	}
	slices.Sort(steps)
	if m := steps[len(steps)/2]; m >= fastest && m <= slowest {
		return slices.Clone(points)
	}
	away := max(gap, 4*steps[len(steps)/2])
	out := []Point{points[0]}
	next := points[0].T + interval
	for i := 1; i < len(points) && len(out) <= MaxPoints; i++ {
		a, b := points[i-1], points[i]
		if b.T-a.T > away {
			out = append(out, b)
			next = b.T + interval
			continue
		}
		for ; next <= b.T && len(out) <= MaxPoints; next += interval {
			out = append(out, between(a, b, next))
		}
	}
	return out
}

// between interpolates at time t, where a.T < t <= b.T.
func between(a, b Point, t float64) Point {
	f := (t - a.T) / (b.T - a.T)
	mix := func(x, y float64) float64 { return x + float64(f*(y-x)) }
	return Point{
		X: mix(a.X, b.X), Y: mix(a.Y, b.Y), T: t, Pressure: mix(a.Pressure, b.Pressure),
		Azimuth: mix(a.Azimuth, b.Azimuth), Altitude: mix(a.Altitude, b.Altitude), Up: a.Up || b.Up,
	}
}

// features computes the rows. A channel that was not measured is 0 throughout
// and takes no part in a distance.
func features(points []Point, pressure, angles bool) []row {
	rows := make([]row, len(points))
	work := make([]float64, 3*len(points))
	defer clear(work)
	values, dx, dy := work[:len(points)], work[len(points):2*len(points)], work[2*len(points):]
	channel := func(ch int, of func(*Point) float64) {
		for i := range points {
			values[i] = of(&points[i])
		}
		set(rows, ch, values)
	}
	channel(chX, func(p *Point) float64 { return p.X })
	slopes(dx, values)
	channel(chY, func(p *Point) float64 { return p.Y })
	slopes(dy, values)
	for i := range rows {
		// Without movement there is no direction, and neither sign is right.
		if length := math.Hypot(dx[i], dy[i]); length > 0 {
			rows[i][chCos] = int16(math.Round(unit * weights[chCos] * dx[i] / length))
			rows[i][chSin] = int16(math.Round(unit * weights[chSin] * dy[i] / length))
		}
	}
	set(rows, chDX, dx)
	set(rows, chDY, dy)
	if pressure {
		channel(chPressure, func(p *Point) float64 { return p.Pressure })
		slopes(dx, values)
		set(rows, chDPressure, dx)
	}
	if angles {
		channel(chAzimuth, func(p *Point) float64 { return p.Azimuth })
		channel(chAltitude, func(p *Point) float64 { return p.Altitude })
	}
	return rows
}

// set standardises the values and puts them into a channel. Values that hardly
// differ carry no information but the device's noise: they become 0.
func set(rows []row, ch int, values []float64) {
	var sum, squares, largest float64
	for _, v := range values {
		sum += v
		largest = max(largest, math.Abs(v))
	}
	mean := sum / float64(len(values))
	for _, v := range values {
		squares += float64((v - mean) * (v - mean))
	}
	deviation := math.Sqrt(squares / float64(len(values)))
	if deviation <= 1e-9*largest || deviation == 0 {
		return
	}
	for i, v := range values {
		z := min(furthest, max(-furthest, (v-mean)/deviation))
		rows[i][ch] = int16(math.Round(unit * weights[ch] * z))
	}
}

// slopes writes first differences by regression over five points (the delta
// coefficients of S. Furui, IEEE Trans. ASSP 34(1), 1986); at the ends the last
// point is repeated.
func slopes(into, values []float64) {
	last := len(values) - 1
	for i := range values {
		near := values[min(last, i+1)] - values[max(0, i-1)]
		far := values[min(last, i+2)] - values[max(0, i-2)]
		into[i] = (near + 2*far) / 10
	}
}
