package finger39794

import (
	"fmt"
	"io"
	"log/slog"
	"math"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// Max is the size in octets above which a record is refused unread. 176 full representations of
// minutiae of 24 octets, more than their five fields take, have 1,077,120.
const Max = 5 << 18

// Limits of a record, those of 19794-2:2011.
const (
	maxRepresentations = 176
	maxMinutiae        = finger.MaxMinutiae
	maxSide            = 1<<14 - 1
	minSamplingRate    = 98 // pixels per centimetre
)

// Rules of the record, in the words of a FormatError.
const (
	ruleSize        = "record exceeds the size limit"
	ruleShort       = "record ends early"
	ruleLength      = "length is indefinite or too long"
	ruleTag         = "element has another tag than its place allows"
	ruleTrailing    = "octets after the record"
	ruleConstructed = "element that holds others is primitive"
	ruleTwice       = "field is there twice"
	ruleCode        = "code is of an extension that is not known"
	ruleInteger     = "number is negative, too long or not in its shortest form"
	ruleRange       = "number out of range"
	ruleVersion     = "version block is missing or of another generation"
	ruleMissing     = "required field is missing"
	ruleMany        = "too many representations"
	ruleNone        = "there is no representation"
	ruleMinutiae    = "too many minutiae"
	ruleImage       = "image has no width or no height"
	ruleOutside     = "minutia outside the image"
	ruleSampling    = "sampling rate out of range"
	ruleUnit        = "unit is not known"
	ruleReason      = "reason for a missing finger is not known, or stands beside minutiae"
)

// Record is what is read of a record. It prints and logs as a constant.
type Record struct {
	Generation, Year int // of the format, from the version block
	Samples          []finger.Sample
}

const redacted = "finger record(redacted)"

// LogValue keeps the minutiae out of logs.
func (Record) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the minutiae out of everything that package fmt prints.
func (Record) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// generation is that of the series 39794; the two before were of 19794.
const generation = 3

// Parse reads one record with a layout, also in the element [1] in which Doc 9303 wraps records of
// the series. The error is [ErrLayout] or an *exchange.FormatError. The
// samples own their memory; a finger without minutiae is an absent one.
func Parse(b []byte, l Layout) (Record, error) {
	if err := l.check(); err != nil {
		return Record{}, err
	}
	r, f := parse(b, &l)
	if f.rule != "" {
		for _, s := range r.Samples {
			clear(s.Minutiae)
		}
		return Record{}, &exchange.FormatError{Format: exchange.FormatFinger39794, Offset: f.offset, Rule: f.rule}
	}
	return r, nil
}

func parse(b []byte, l *Layout) (r Record, f fault) {
	if len(b) > Max {
		return r, fault{0, ruleSize}
	}
	root, f := next(b, 0, len(b))
	if f.rule == "" && root.tag == tagWrapper && root.end == len(b) {
		root, f = next(b, root.at, root.end)
	}
	switch {
	case f.rule != "":
		return r, f
	case root.tag != tagRecord:
		return r, fault{root.start, ruleTag}
	case root.end != len(b):
		return r, fault{root.end, ruleTrailing}
	}
	if f := r.version(root); f.rule != "" {
		return r, f
	}
	blocks, ok, f := root.field(1)
	switch {
	case f.rule != "":
		return r, f
	case !ok:
		return r, fault{root.start, ruleNone}
	}
	children, f := blocks.children(maxRepresentations, ruleMany)
	if f.rule != "" {
		return r, f
	}
	if len(children) == 0 {
		return r, fault{blocks.start, ruleNone}
	}
	for _, c := range children {
		s, f := l.sample(c)
		r.Samples = append(r.Samples, s)
		if f.rule != "" {
			return r, f
		}
	}
	return r, fault{}
}

func (r *Record) version(root element) fault {
	v, ok, f := root.field(0)
	if f.rule != "" {
		return f
	}
	if !ok {
		return fault{root.start, ruleVersion}
	}
	if r.Generation, f = number(v, Path{0}, generation); f.rule != "" {
		return f
	}
	if r.Generation != generation {
		return fault{v.start, ruleVersion}
	}
	r.Year, f = number(v, Path{1}, 9999)
	return f
}

// number reads a required field.
func number(e element, p Path, most int) (int, fault) {
	found, ok, f := e.follow(p)
	switch {
	case f.rule != "":
		return 0, f
	case !ok:
		return 0, fault{e.start, ruleMissing}
	}
	return found.integer(most)
}

// optional reads a field that may be missing, or that the layout does not have.
func optional(e element, p Path, most, without int) (int, fault) {
	found, ok, f := e.follow(p)
	if !ok || f.rule != "" {
		return without, f
	}
	return found.integer(most)
}

func (l *Layout) sample(e element) (s finger.Sample, f fault) {
	set := func(v int, g fault) int {
		if f.rule == "" {
			f = g
		}
		return v
	}
	s.Position = uint8(set(number(e, l.Position, 10)))
	s.Impression = uint8(set(optional(e, l.Impression, 255, 0)))
	s.Quality = uint8(set(optional(e, l.Quality, 100, 0)))
	s.Width, s.Height = uint16(set(number(e, l.Width, maxSide))), uint16(set(number(e, l.Height, maxSide)))
	x, y := set(number(e, l.ResX, 65535)), set(number(e, l.ResY, 65535))
	unit := set(optional(e, l.Unit, 255, 1))
	if f.rule != "" {
		return s, f
	}
	if s.Width < 1 || s.Height < 1 {
		return s, fault{e.start, ruleImage}
	}
	if s.ResX, s.ResY, f = perCentimetre(x, y, unit, e); f.rule != "" {
		return s, f
	}
	list, ok, f := e.follow(l.Minutiae)
	if f.rule != "" {
		return s, f
	}
	if ok {
		if s.Minutiae, f = l.minutiae(list, &s); f.rule != "" {
			return s, f
		}
	}
	s.Absent, f = l.absence(e, &s)
	return s, f
}

func perCentimetre(x, y, unit int, e element) (rx, ry uint16, f fault) {
	const inch, centimetre = 0, 1
	switch unit {
	case inch:
		x, y = int(math.Round(float64(x)/2.54)), int(math.Round(float64(y)/2.54))
	case centimetre:
	default:
		return 0, 0, fault{e.start, ruleUnit}
	}
	if x < minSamplingRate || y < minSamplingRate {
		return 0, 0, fault{e.start, ruleSampling}
	}
	return uint16(x), uint16(y), fault{}
}

func (l *Layout) minutiae(list element, s *finger.Sample) ([]finger.Minutia, fault) {
	children, f := list.children(maxMinutiae, ruleMinutiae)
	if f.rule != "" {
		return nil, f
	}
	out := make([]finger.Minutia, len(children))
	for i, c := range children {
		if out[i], f = l.minutia(c, s); f.rule != "" {
			clear(out)
			return nil, f
		}
	}
	return out, fault{}
}

func (l *Layout) minutia(e element, s *finger.Sample) (m finger.Minutia, f fault) {
	set := func(v int, g fault) int {
		if f.rule == "" {
			f = g
		}
		return v
	}
	x, y := set(number(e, l.X, maxSide)), set(number(e, l.Y, maxSide))
	angle := set(number(e, l.Angle, l.Turn-1))
	kind := set(optional(e, l.Type, 255, -1))
	quality := set(optional(e, l.MinutiaQuality, 100, -1))
	switch {
	case f.rule != "":
		return m, f
	case x >= int(s.Width) || y >= int(s.Height):
		return m, fault{e.start, ruleOutside}
	}
	m = finger.Minutia{X: uint16(x), Y: uint16(y), Angle: uint8((angle*256 + l.Turn/2) / l.Turn)}
	switch {
	case kind < 0:
	case kind == l.Ending:
		m.Type = 1
	case kind == l.Bifurcation:
		m.Type = 2
	}
	if quality >= 0 {
		m.Quality = uint8(max(1, quality)) // a sample's 0 is "not reported"
	}
	return m, fault{}
}

// absence says why a representation has no minutiae.
func (l *Layout) absence(e element, s *finger.Sample) (finger.Absence, fault) {
	// The reasons of annotation blocks: unknown, other, amputated, unable to print, bandaged,
	// physically challenged, diseased.
	reasons := [...]finger.Absence{finger.NotCaptured, finger.NotCaptured, finger.Amputated,
		finger.UnableToPrint, finger.UnableToPrint, finger.UnableToPrint, finger.UnableToPrint}
	code, f := optional(e, l.Absence, 255, -1)
	switch {
	case f.rule != "":
		return finger.Present, f
	case code >= len(reasons), code >= 0 && len(s.Minutiae) > 0:
		return finger.Present, fault{e.start, ruleReason}
	case code >= 0:
		return reasons[code], fault{}
	case len(s.Minutiae) > 0:
		return finger.Present, fault{}
	case s.Quality > 0:
		return finger.NotExtracted, fault{}
	}
	return finger.NotCaptured, fault{}
}
