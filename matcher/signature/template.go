package signature

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
)

// Limits on one sample. Fewer points than MinPoints, a sixth of a second, are
// no signature; the time of a comparison grows with the square of the points,
// and MaxPoints at the usual 100 a second are 20 seconds.
const (
	MinPoints = 16
	MaxPoints = 2048
	maxValue  = 1e9 // of any coordinate, so that squares stay exact enough
	jitter    = 50  // milliseconds by which a clock may step back: SVC2004's tablet did by 9
)

// Errors that [Prepare] returns, to be tested for with errors.Is.
var (
	ErrTooFewPoints = errors.New("too few points")
	ErrTooMany      = errors.New("too many points")
	ErrValue        = errors.New("value is not finite or out of range")
	ErrTime         = errors.New("time goes backwards or stands still")
	ErrStill        = errors.New("pen does not move")
)

// Point is where the pen was at one moment.
type Point struct {
	X, Y     float64 // in any unit, the same for both; y upwards
	T        float64 // milliseconds from any start, rising but for jitter
	Pressure float64 // in any unit
	Azimuth  float64 // of the pen, in any unit, the same throughout
	Altitude float64 // of the pen over the tablet, likewise
	Up       bool    // the tip is off the paper; kept for exchange, not compared
}

// Sample is one signature as decoded, before any work is spent on it. It is
// biometric data in clear: keep it for as short a time as possible.
type Sample struct {
	Points []Point
	// HasPressure and HasAngles say that the device measured pressure, and
	// azimuth and altitude. Samples compare only with samples that agree in both.
	HasPressure, HasAngles bool
}

const redacted = "template(redacted)"

// LogValue keeps the points out of logs.
func (Sample) LogValue() slog.Value { return slog.StringValue("signature sample(redacted)") }

// Format keeps the points out of anything printed, whatever the verb.
func (Sample) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "signature sample(redacted)") }

// Template is a sample made ready for comparison. It is immutable, safe for
// concurrent use, and prints as "template(redacted)" whatever the verb. The
// zero value and a nil pointer hold nothing.
//
// The contents sit behind a closure so that no formatter or encoder that walks
// structures by reflection can reach them.
type Template struct{ open func() *prepared }

// prepared is what a Template holds.
type prepared struct {
	rows []row
	kind kind
}

// kind says which channels were measured.
type kind struct{ pressure, angles bool }

// Prepare makes a template of s. The errors are [ErrTooFewPoints],
// [ErrTooMany], [ErrValue], [ErrTime] and [ErrStill], wrapped with the index
// of the point at fault; s is not kept.
func Prepare(s Sample) (*Template, error) {
	if err := check(s.Points); err != nil {
		return nil, fmt.Errorf("preparing signature template: %w", err)
	}
	points := regular(s.Points)
	defer clear(points)
	if len(points) < MinPoints {
		return nil, fmt.Errorf("preparing signature template: %w", ErrTooFewPoints)
	}
	if len(points) > MaxPoints {
		return nil, fmt.Errorf("preparing signature template: %w", ErrTooMany)
	}
	k := measured(s)
	p := &prepared{rows: features(points, k.pressure, k.angles), kind: k}
	return &Template{open: func() *prepared { return p }}, nil
}

// measured is what the sample really has: a channel that never varies says nothing, however it was declared, and the
// distances over the others must not be read as if it had agreed.
func measured(s Sample) kind {
	varies := func(of func(Point) float64) bool {
		return slices.ContainsFunc(s.Points, func(p Point) bool { return of(p) != of(s.Points[0]) })
	}
	return kind{
		pressure: s.HasPressure && varies(func(p Point) float64 { return p.Pressure }),
		angles: s.HasAngles && (varies(func(p Point) float64 { return p.Azimuth }) ||
			varies(func(p Point) float64 { return p.Altitude })),
	}
}

// SameChannels reports that both templates hold something and that the same was measured of both, so that they can be
// compared with one another.
func SameChannels(a, b *Template) bool {
	p, q := a.contents(), b.contents()
	return p != nil && q != nil && p.kind == q.kind
}

// check finds the first rule that the points break.
func check(points []Point) error {
	switch {
	case len(points) < MinPoints:
		return ErrTooFewPoints
	case len(points) > MaxPoints:
		return ErrTooMany
	}
	first := points[0]
	moved := false
	for i, p := range points {
		for _, v := range [...]float64{p.X, p.Y, p.T, p.Pressure, p.Azimuth, p.Altitude} {
			if !(math.Abs(v) <= maxValue) { // written so that NaN fails too
				return fmt.Errorf("point %d: %w", i, ErrValue)
			}
		}
		if i > 0 && p.T < points[i-1].T-jitter {
			return fmt.Errorf("point %d: %w", i, ErrTime)
		}
		moved = moved || p.X != first.X || p.Y != first.Y
	}
	if points[len(points)-1].T <= first.T {
		return fmt.Errorf("point %d: %w", len(points)-1, ErrTime)
	}
	if !moved {
		return ErrStill
	}
	return nil
}

// Len is the number of points compared, 0 for a nil, zero or wiped template.
func (t *Template) Len() int {
	if p := t.contents(); p != nil {
		return len(p.rows)
	}
	return 0
}

// Wipe overwrites what the template holds; afterwards it compares with
// nothing. It must not run at the same time as a comparison of the template.
// It does nothing to a nil or zero template. A [Reference] made from the
// template has a copy of its own.
func (t *Template) Wipe() {
	if p := t.contents(); p != nil {
		clear(p.rows)
		*p = prepared{}
		t.open = nil
	}
}

// LogValue keeps the contents out of logs.
func (Template) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the contents out of anything printed, whatever the verb.
func (Template) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// contents returns what t holds, or nil.
func (t *Template) contents() *prepared {
	if t == nil || t.open == nil {
		return nil
	}
	return t.open()
}
