package signature2007

import (
	"math"

	"github.com/tamga-id/tamga/matcher/signature"
)

// Decode gives the sample of a record: position, time, force as pressure, tip
// switch, and azimuth with elevation where both are there. The other channels
// and extended data are checked and then dropped; [Parse] keeps them. A time
// channel without a scaling value counts milliseconds, as devices do.
func Decode(b []byte) (signature.Sample, error) {
	r, err := Parse(b)
	if err != nil {
		return signature.Sample{}, err
	}
	defer clear(r.Values)
	return r.Sample()
}

// Sample converts as Decode does. The error is an *exchange.FormatError at the
// inclusion field when the record has no time, or positions that cannot be
// restored.
func (r Record) Sample() (signature.Sample, error) {
	in := r.lookup()
	if in[T] == nil && in[DT] == nil {
		return signature.Sample{}, fault(offsetInclusion, ruleTime)
	}
	for _, c := range []Channel{X, Y} {
		if in[c] == nil || in[c].d.Attributes&LinearRemoved != 0 {
			return signature.Sample{}, fault(offsetInclusion, ruleLinear)
		}
	}
	s := signature.Sample{HasPressure: in[F] != nil, HasAngles: in[Az] != nil && in[El] != nil}
	stride := len(r.varying())
	s.Points = make([]signature.Point, r.Points())
	elapsed := 0.0
	for i := range s.Points {
		row := r.Values[i*stride:][:stride]
		p := &s.Points[i]
		p.X, p.Y = in[X].at(row), in[Y].at(row)
		if in[T] != nil {
			p.T = in[T].milliseconds(row)
		} else {
			if i > 0 {
				elapsed += in[DT].milliseconds(row)
			}
			p.T = elapsed
		}
		if s.HasPressure {
			p.Pressure = in[F].at(row)
			p.Up = p.Pressure == 0
		}
		if in[S] != nil {
			p.Up = in[S].at(row) == 0
		}
		if s.HasAngles {
			p.Azimuth, p.Altitude = in[Az].at(row), in[El].at(row)
		}
	}
	return s, nil
}

// source is where a channel's value is found.
type source struct {
	d     Description
	place int // in a sample point; -1 for a constant
	scale float64
}

func (r *Record) lookup() (in [channels]*source) {
	place := 0
	for _, d := range r.Channels {
		s := &source{d: d, place: -1, scale: 1}
		if d.Attributes&HasScaling != 0 {
			s.scale = d.Scaling.Value()
		}
		if d.Attributes&Constant == 0 {
			s.place = place
			place++
		}
		in[d.Channel] = s
	}
	return in
}

// at is the channel's value in a sample point, in its unit.
func (s *source) at(row []int32) float64 { return s.number(row) / s.scale }

// milliseconds multiplies first, so that whole ones come out whole.
func (s *source) milliseconds(row []int32) float64 {
	if s.d.Attributes&HasScaling == 0 {
		return s.number(row)
	}
	return 1000 * s.number(row) / s.scale
}

func (s *source) number(row []int32) float64 {
	if s.place < 0 {
		return 1
	}
	return float64(row[s.place])
}

// Encode writes a sample as channels X, Y, T and S, and F, Az and El where it
// has them. Values that are whole and in range are written as they are,
// without scaling; others with the power of two that uses the range best. Times
// become milliseconds from the first point. Errors are *exchange.FormatError.
func Encode(s signature.Sample) ([]byte, error) {
	r, err := FromSample(s)
	if err != nil {
		return nil, err
	}
	defer clear(r.Values)
	return r.Encode()
}

// FromSample makes the record that Encode writes.
func FromSample(s signature.Sample) (Record, error) {
	if len(s.Points) < 1 || len(s.Points) > signature.MaxPoints {
		return Record{}, fault(offsetInclusion, ruleCount)
	}
	start := s.Points[0].T
	type column struct {
		c  Channel
		of func(*signature.Point) float64
	}
	columns := []column{
		{X, func(p *signature.Point) float64 { return p.X }},
		{Y, func(p *signature.Point) float64 { return p.Y }},
		{T, func(p *signature.Point) float64 { return math.Round(p.T - start) }},
	}
	if s.HasPressure {
		columns = append(columns, column{F, func(p *signature.Point) float64 { return p.Pressure }})
	}
	columns = append(columns, column{S, func(p *signature.Point) float64 {
		if p.Up {
			return 0
		}
		return 1
	}})
	if s.HasAngles {
		columns = append(columns,
			column{Az, func(p *signature.Point) float64 { return p.Azimuth }},
			column{El, func(p *signature.Point) float64 { return p.Altitude }})
	}
	r := Record{Values: make([]int32, len(columns)*len(s.Points))}
	for k, col := range columns {
		d := Description{Channel: col.c}
		scale, rule := scaling(s.Points, col.c, col.of)
		if rule != "" {
			clear(r.Values)
			return Record{}, fault(offsetInclusion, rule)
		}
		if scale != 1 {
			d.Attributes, d.Scaling = HasScaling, Scale(scale)
		}
		for i := range s.Points {
			r.Values[i*len(columns)+k] = int32(math.Round(scale * col.of(&s.Points[i])))
		}
		if col.c == T { // whole milliseconds, of which there are 1000 to the unit
			d.Attributes, d.Scaling = HasScaling, Scale(1000)
		}
		r.Channels = append(r.Channels, d)
	}
	return r, nil
}

// scaling chooses the power of two by which a channel is multiplied: 1 if that
// loses nothing, or else the greatest that fits.
func scaling(points []signature.Point, c Channel, of func(*signature.Point) float64) (float64, string) {
	least, most := float64(c.least()), float64(c.most())
	whole, fits, largest := true, true, 0.0
	for i := range points {
		v := of(&points[i])
		switch {
		case !(math.Abs(v) <= 1e9):
			return 0, ruleSampleValues
		case v < 0 && least == 0 && c == T:
			return 0, ruleFirst
		case v < 0 && least == 0:
			return 0, ruleNegative
		}
		whole = whole && v == math.Trunc(v)
		fits = fits && v >= least && v <= most
		largest = max(largest, math.Abs(v))
	}
	if whole && fits {
		return 1, ""
	}
	if c == T {
		return 0, ruleFirst
	}
	scale := 0x1p15
	for scale*largest > most-1 && scale > 0x1p-16 {
		scale /= 2
	}
	return scale, ""
}
