// Package svc2004 reads and writes signatures in the text format of the First
// International Signature Verification Competition (D.-Y. Yeung et al., ICBA
// 2004), in which online signatures are commonly kept for research.
//
// Start with [Decode] and [Encode], which know what package signature takes.
//
// Both tasks of the competition are read: seven columns with pressure and
// slant of the pen, or four without. The package does not compare, and it does
// not look at file names, which say whose a signature is.
//
// Invariants: parsing is strict, bounded by [Max] and by
// signature.MaxPoints; every refusal is an [*Error] that names line and
// column and never a value; on error the result is zero; what was decoded
// encodes to text that decodes to the same.
package svc2004

import (
	"bytes"
	"strconv"

	"github.com/tamga-id/tamga/matcher/signature"
)

// Format is the identifier of the format, for those who enrol; nodes convert it.
const Format = "svc2004"

// Max is the size in octets above which a file is refused unread: some 120
// octets for each of the most points.
const Max = 256 << 10

// Error says where a file breaks a rule of the format. It never carries
// content. Find it with errors.As.
type Error struct {
	Line   int    // from 1
	Column int    // field in the line, from 1; 0 for the line as such
	Rule   string // constant text
}

// Error names line, column and rule.
func (e *Error) Error() string {
	s := "checking svc2004 signature: line " + strconv.Itoa(e.Line)
	if e.Column > 0 {
		s += ": column " + strconv.Itoa(e.Column)
	}
	return s + ": " + e.Rule
}

const (
	ruleSize    = "file exceeds the size limit"
	ruleCount   = "number of points is missing or out of range"
	ruleEarly   = "fewer points than the first line says"
	ruleLate    = "text after the last point"
	ruleColumns = "neither four nor seven columns, or not as many as before"
	ruleNumber  = "not a decimal whole number of at most nine digits"
	ruleButton  = "button is neither 0 nor 1"
)

// Columns of a line.
const (
	colX = iota
	colY
	colTime
	colButton
	colAzimuth
	colAltitude
	colPressure
	wide   = colPressure + 1
	narrow = colButton + 1
)

// Decode reads one signature:
//
//	file   = count eol 1*point
//	count  = number                       ; of points
//	point  = number sp number sp number sp button [sp number sp number sp number] *blank eol
//	         ; x, y, time in ms, button; then azimuth, altitude, pressure
//	button = "0" / "1"                    ; 1 while the tip is down
//	number = ["-"] 1*9DIGIT
//	sp     = 1*blank
//	blank  = " " / %x09
//	eol    = [%x0D] %x0A                  ; may be missing at the end of the file
//
// Blank lines may follow the last point. The sample shares no memory with b.
func Decode(b []byte) (signature.Sample, error) {
	if len(b) > Max {
		return signature.Sample{}, &Error{1, 0, ruleSize}
	}
	first, rest := line(b)
	count, ok := number(bytes.TrimRight(first, " \t"))
	if !ok || count < 1 || count > signature.MaxPoints {
		return signature.Sample{}, &Error{1, 1, ruleCount}
	}
	var s signature.Sample
	columns := 0
	for i := range count {
		if len(rest) == 0 {
			return zero(s, &Error{i + 2, 0, ruleEarly})
		}
		var text []byte
		text, rest = line(rest)
		fields, err := parse(text, i+2)
		if err != nil {
			return zero(s, err)
		}
		if columns == 0 {
			columns = fields.n
			// Nothing is reserved before the rows were seen to be there.
			s.Points = make([]signature.Point, 0, min(count, 1+len(rest)/(2*narrow-1)))
		}
		if fields.n != columns {
			return zero(s, &Error{i + 2, 0, ruleColumns})
		}
		s.Points = append(s.Points, fields.point())
	}
	if len(bytes.TrimRight(rest, " \t\r\n")) > 0 {
		return zero(s, &Error{count + 2, 0, ruleLate})
	}
	s.HasPressure, s.HasAngles = columns == wide, columns == wide
	return s, nil
}

// zero wipes what was read before a fault.
func zero(s signature.Sample, err *Error) (signature.Sample, error) {
	clear(s.Points)
	return signature.Sample{}, err
}

func line(b []byte) (first, rest []byte) {
	first, rest, _ = bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(first, []byte{'\r'}), rest
}

// fields are the numbers of one line.
type fields struct {
	n int
	v [wide]int
}

func parse(text []byte, at int) (f fields, _ *Error) {
	for text = bytes.TrimRight(text, " \t"); len(text) > 0; {
		end := bytes.IndexAny(text, " \t")
		if end < 0 {
			end = len(text)
		}
		if f.n == wide {
			return f, &Error{at, 0, ruleColumns}
		}
		v, ok := number(text[:end])
		if !ok {
			return f, &Error{at, f.n + 1, ruleNumber}
		}
		f.v[f.n] = v
		f.n++
		text = bytes.TrimLeft(text[end:], " \t")
	}
	if f.n != narrow && f.n != wide {
		return f, &Error{at, 0, ruleColumns}
	}
	if f.v[colButton] != 0 && f.v[colButton] != 1 {
		return f, &Error{at, colButton + 1, ruleButton}
	}
	return f, nil
}

func number(b []byte) (int, bool) {
	digits := bytes.TrimPrefix(b, []byte{'-'})
	if len(digits) < 1 || len(digits) > 9 {
		return 0, false
	}
	v := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + int(c-'0')
	}
	if len(digits) < len(b) {
		v = -v
	}
	return v, true
}

func (f *fields) point() signature.Point {
	return signature.Point{
		X: float64(f.v[colX]), Y: float64(f.v[colY]), T: float64(f.v[colTime]), Up: f.v[colButton] == 0,
		Azimuth: float64(f.v[colAzimuth]), Altitude: float64(f.v[colAltitude]), Pressure: float64(f.v[colPressure]),
	}
}

// Encode writes a sample in seven columns when it has pressure and angles,
// and in four when it has neither. Values must be whole and of at most nine
// digits. The error is an [*Error] for the line that cannot be written.
func Encode(s signature.Sample) ([]byte, error) {
	if len(s.Points) < 1 || len(s.Points) > signature.MaxPoints {
		return nil, &Error{1, 1, ruleCount}
	}
	if s.HasPressure != s.HasAngles {
		return nil, &Error{2, 0, ruleColumns}
	}
	out := strconv.AppendInt(nil, int64(len(s.Points)), 10)
	out = append(out, '\n')
	for i, p := range s.Points {
		button := 1.0
		if p.Up {
			button = 0
		}
		values := []float64{p.X, p.Y, p.T, button, p.Azimuth, p.Altitude, p.Pressure}
		if !s.HasPressure {
			values = values[:narrow]
		}
		for k, v := range values {
			whole := int64(v)
			if !(v > -1e9 && v < 1e9) || float64(whole) != v {
				clear(out)
				return nil, &Error{i + 2, k + 1, ruleNumber}
			}
			if k > 0 {
				out = append(out, ' ')
			}
			out = strconv.AppendInt(out, whole, 10)
		}
		out = append(out, '\n')
	}
	return out, nil
}
