package finger

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/mcc"
)

// Limits on the minutiae of one view. Fewer than three fix no position;
// ISO/IEC 19794-2:2005 counts them in one byte.
const (
	MinMinutiae = 3
	MaxMinutiae = 255
)

// Errors that [Prepare] returns, to be tested for with errors.Is.
var (
	ErrTooFewMinutiae = errors.New("too few minutiae")
	ErrTooMany        = errors.New("too many minutiae")
)

// Minutia is one ridge ending or bifurcation, in the units of
// ISO/IEC 19794-2:2005 clause 7.4.2.
type Minutia struct {
	X, Y    uint16 // pixels from the upper left corner, y downwards
	Angle   uint8  // 256ths of a turn, counter-clockwise from the +x axis
	Type    uint8  // 0 other, 1 ridge ending, 2 ridge bifurcation
	Quality uint8  // 1 (worst) to 100 (best); 0 when not reported
}

// Sample is one finger view as decoded, before any work is spent on it. It is
// biometric data in clear: keep it for as short a time as possible.
type Sample struct {
	Position      uint8  // finger position code, 0 unknown, 1 right thumb ... 10 left little
	Impression    uint8  // impression type code
	Quality       uint8  // 0 to 100
	Width, Height uint16 // of the image, in pixels; 0 when not reported
	ResX, ResY    uint16 // pixels per cm; 197 is 500 dpi, and 0 is taken as that
	Minutiae      []Minutia
	Absent        Absence // why there are no minutiae; Present when there is a finger
}

// Template is a sample made ready for comparison. It is immutable, safe for
// concurrent use, and prints as "template(redacted)" whatever the verb. The
// zero value and a nil pointer hold nothing: they compare to 0 with anything.
// It takes some 120 bytes for each minutia, and as much again once it has been
// compared with one whose image had another size.
//
// The contents sit behind a closure so that no formatter or encoder that walks
// structures by reflection can reach them.
type Template struct{ open func() *prepared }

// prepared is what a Template holds. Minutiae are in canonical order, free of
// duplicates, in pixels at 500 dpi with y upwards.
type prepared struct {
	points    []point
	cylinders []mcc.Cylinder
	angles    []uint8 // of the cylinders, side by side
	hull      []vec
	order     uint64 // digest by which Compare orders its two arguments
	frame     frame
}

// point is a minutia in the package's own coordinates.
type point struct {
	x, y     float32
	cos, sin float32
	angle    uint8
	kind     uint8
	weight   float32 // 1, or less for a minutia of low quality
}

// referenceResolution is 500 dpi in the standard's pixels per centimetre.
const referenceResolution = 197

// Prepare makes a template of s: it scales the minutiae to 500 dpi, sorts
// them, drops repeated records and builds their cylinders. The work and memory
// are quadratic and linear in the minutiae, which are bounded. Errors are
// [ErrTooFewMinutiae] and [ErrTooMany]; s is not kept.
func Prepare(s Sample) (*Template, error) {
	if len(s.Minutiae) < MinMinutiae {
		return nil, fmt.Errorf("preparing finger template: %w", ErrTooFewMinutiae)
	}
	if len(s.Minutiae) > MaxMinutiae {
		return nil, fmt.Errorf("preparing finger template: %w", ErrTooMany)
	}
	p := newPrepared(canonical(s))
	p.frame.width, p.frame.height = float32(s.Width)*scale(s.ResX), float32(s.Height)*scale(s.ResY)
	// Two that differ in their frames alone need an order, too.
	p.order ^= uint64(math.Float32bits(p.frame.width))<<32 | uint64(math.Float32bits(p.frame.height))
	return &Template{open: func() *prepared { return p }}, nil
}

// newPrepared derives the rest from points in canonical order.
func newPrepared(points []point) *prepared {
	p := &prepared{points: points, hull: convexHull(points), order: digest(points)}
	p.cylinders = buildCylinders(p.points, p.hull)
	p.angles = mcc.Angles(p.cylinders)
	return p
}

// Wipe overwrites what the template holds; afterwards it compares to 0 with
// anything. It must not run at the same time as a comparison of the template.
// It does nothing to a nil or zero template.
func (t *Template) Wipe() {
	p := t.contents()
	if p == nil {
		return
	}
	p.wipe()
}

func (p *prepared) wipe() {
	if p.frame.stretched != nil {
		p.frame.stretched.wipe()
	}
	clear(p.points)
	clear(p.cylinders)
	clear(p.angles)
	clear(p.hull)
	p.points, p.cylinders, p.angles, p.hull, p.order = nil, nil, nil, nil, 0
	p.frame.width, p.frame.height = 0, 0
}

// LogValue keeps the contents out of logs.
func (Template) LogValue() slog.Value { return slog.StringValue("template(redacted)") }

// Format keeps the contents out of anything printed, whatever the verb.
func (Template) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "template(redacted)") }

// Cylinders gives the packed cylinders of the minutiae that have one, for
// matcher/search to copy; nil for a template that is nil, zero or wiped. They
// belong to the template, are not to be written to, and are gone when it is
// wiped.
func (t *Template) Cylinders() []mcc.Cylinder {
	p := t.contents()
	if p == nil {
		return nil
	}
	return p.cylinders
}

// hullMargin is how far outside the hull of the minutiae a place may lie for
// the absence of minutiae there to mean something, in pixels: Omega of the
// cylinder-code paper.
const hullMargin = 50

// Low-quality minutiae get no cylinder of their own where there are enough
// others: they would propose false pairs more often than true ones. They still
// show in the cylinders around them and are matched.
const (
	poorWeight      = 0.5
	enoughCylinders = 24
)

func buildCylinders(points []point, hull []vec) []mcc.Cylinder {
	ms := make([]mcc.Minutia, len(points))
	defer clear(ms)
	for i, p := range points {
		ms[i] = mcc.Minutia{X: p.x, Y: p.y, Cos: p.cos, Sin: p.sin, Angle: p.angle}
	}
	all := mcc.Build(ms, func(x, y float32) bool { return within(hull, vec{x, y}, hullMargin) })
	good := make([]mcc.Cylinder, 0, len(all))
	for _, c := range all {
		if points[c.Index].weight >= poorWeight {
			good = append(good, c)
		}
	}
	if len(good) < enoughCylinders {
		return all
	}
	clear(all)
	return good
}

// contents returns what t holds, or nil.
func (t *Template) contents() *prepared {
	if t == nil || t.open == nil {
		return nil
	}
	return t.open()
}

// canonical converts to the package's coordinates, in an order that depends on
// the set of minutiae alone, each of them once.
func canonical(s Sample) []point {
	ms := slices.Clone(s.Minutiae)
	defer clear(ms)
	slices.SortFunc(ms, func(a, b Minutia) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X),
			cmp.Compare(a.Angle, b.Angle), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Quality, b.Quality))
	})
	unique := slices.CompactFunc(ms, func(a, b Minutia) bool {
		return a.X == b.X && a.Y == b.Y && a.Angle == b.Angle
	})
	sx, sy := scale(s.ResX), scale(s.ResY)
	points := make([]point, len(unique))
	weigher := newWeigher(unique)
	for i, m := range unique {
		d := directions[m.Angle]
		points[i] = point{
			x: float32(m.X) * sx, y: -float32(m.Y) * sy,
			cos: d.x, sin: d.y, angle: m.Angle, kind: m.Type, weight: weigher.of(m.Quality),
		}
	}
	return points
}

func scale(pixelsPerCm uint16) float32 {
	if pixelsPerCm == 0 {
		return 1
	}
	return referenceResolution / float32(pixelsPerCm)
}
