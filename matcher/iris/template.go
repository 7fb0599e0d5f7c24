package iris

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/scan"
)

// Layout of a code.
const (
	Angles = 128
	Bands  = 8
	Bits   = Angles * Bands * 2
	Size   = Bits / 8 // octets of a code, and of a mask

	words        = Bits / 64
	anglesInWord = 4
	angleBits    = Bands * 2
)

// MaxRotation is how many angle steps, of 2.8 degrees, a comparison turns the
// probe either way: heads tilt by no more than 22 degrees at a camera.
const MaxRotation = 8

const rotations = 2*MaxRotation + 1

// MinBits is the least number of unmasked bits of a sample, and of common
// unmasked bits of a comparison at its best rotation. Independent codes have
// about 249 degrees of freedom in 2,048 bits (Daugman 2004); a quarter of the
// bits leaves some 60, with which a distance strays by 0.06 by chance alone.
const MinBits = Bits / 4

// Errors of this package, to be tested for with errors.Is.
var (
	// ErrTooFewBits says that a sample's mask admits fewer than MinBits.
	ErrTooFewBits = errors.New("too few unmasked bits")
	// ErrUndecidable says that two templates have fewer than MinBits in common,
	// or that one is nil, zero or wiped. It means "could not tell", not "no".
	ErrUndecidable = errors.New("too few common bits")
)

// Sample is one iris as decoded, before any work is spent on it. It is
// biometric data in clear: keep it for as short a time as possible.
type Sample struct {
	Code [Size]byte
	Mask [Size]byte // 1 where the bit of Code may be used
}

const redacted = "template(redacted)"

// LogValue keeps the code out of logs.
func (Sample) LogValue() slog.Value { return slog.StringValue("iris sample(redacted)") }

// Format keeps the code out of anything printed, whatever the verb.
func (Sample) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "iris sample(redacted)") }

// block is a code or mask as words: the angle that comes first stands highest.
type block [words]uint64

// turned is a code and its mask under one rotation and band shift. Bits
// outside the mask are 0.
type turned struct{ code, mask block }

// prepared is what a Template holds: itself under every rotation in each band
// shift, and in the forms that [Unmasked] compares.
type prepared struct {
	turns [bandShifts][rotations]turned
	probe scan.Probe
	row   [scan.IrisRow]byte
}

// Template is a sample made ready for comparison. It is immutable, safe for
// concurrent use, takes 36 KiB for the rotations it holds ready, and prints as
// "template(redacted)" whatever the verb. The zero value and a nil pointer
// hold nothing: comparing them is [ErrUndecidable].
//
// The contents sit behind a closure so that no formatter or encoder that walks
// structures by reflection can reach them.
type Template struct{ open func() *prepared }

// Prepare makes a template of s. The error is [ErrTooFewBits] when the mask
// admits fewer than MinBits; s is not kept.
func Prepare(s Sample) (*Template, error) {
	code, mask := load(&s.Code), load(&s.Mask)
	if n := ones(&mask); n < MinBits {
		return nil, fmt.Errorf("preparing iris template: %w: %d of %d", ErrTooFewBits, n, MinBits)
	}
	p := new(prepared)
	for shift := range bandShifts {
		c, m := shiftBands(&code, shift-1), shiftBands(&mask, shift-1)
		for i := range c {
			c[i] &= m[i]
		}
		for r := range rotations {
			p.turns[shift][r] = turned{rotate(&c, r-MaxRotation), rotate(&m, r-MaxRotation)}
		}
	}
	p.probe.Set(s.Code[:], s.Mask[:])
	copy(p.row[:], s.Code[:])
	copy(p.row[Size:], s.Mask[:])
	return &Template{open: func() *prepared { return p }}, nil
}

// Wipe overwrites what the template holds; afterwards comparing it is
// [ErrUndecidable]. It must not run at the same time as a comparison of the
// template. It does nothing to a nil or zero template.
func (t *Template) Wipe() {
	if p := t.contents(); p != nil {
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

// upright is the code as it was given.
func (p *prepared) upright() *turned { return &p.turns[1][MaxRotation] }

// after orders two templates by their bits, whatever these mean.
func (p *prepared) after(q *prepared) bool {
	a, b := p.upright(), q.upright()
	return slices.Compare(a.code[:], b.code[:]) > 0 ||
		a.code == b.code && slices.Compare(a.mask[:], b.mask[:]) > 0
}

func load(b *[Size]byte) (w block) {
	for i := range w {
		w[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return w
}

func ones(w *block) (n int) {
	for _, x := range w {
		n += bits.OnesCount64(x)
	}
	return n
}

// rotate gives the code whose angle a is that of w at a+steps.
func rotate(w *block, steps int) (out block) {
	for a := range Angles {
		from := (a + steps + Angles) % Angles
		v := w[from/anglesInWord] >> (angleBits * uint(anglesInWord-1-from%anglesInWord)) & (1<<angleBits - 1)
		out[a/anglesInWord] |= v << (angleBits * uint(anglesInWord-1-a%anglesInWord))
	}
	return out
}

// shiftBands moves every angle's bands inwards (steps 1) or outwards (-1);
// the band that falls in is empty.
func shiftBands(w *block, steps int) (out block) {
	const (
		notLast  = 0xfffcfffcfffcfffc
		notFirst = 0x3fff3fff3fff3fff
	)
	for i, x := range w {
		switch steps {
		case 1:
			out[i] = x << 2 & notLast
		case -1:
			out[i] = x >> 2 & notFirst
		default:
			out[i] = x
		}
	}
	return out
}
