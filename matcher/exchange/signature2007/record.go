package signature2007

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/signature"
)

// Format is the identifier of the format, as it travels in queries and stands
// in the gallery.
const Format = exchange.FormatSignature2007

// Max is the size in octets above which a record is refused unread: the most
// points in all channels, with the most extended data, and the header.
const Max = 8 + 2 + int(channels)*11 + 1 + 4 + signature.MaxPoints*(2*int(channels)-1) + 2 + math.MaxUint16

// Channel is one function of time.
type Channel uint8

// Channels in the order of the standard. Values are whole numbers that are
// divided by the channel's scaling value to give SI units and degrees.
const (
	X  Channel = iota // position, in m
	Y                 // upwards
	Z                 // height over the writing plane, in m
	VX                // velocity, in m/s
	VY
	AX // acceleration, in m/s^2
	AY
	T  // time since the first sample point, in s
	DT // time since the sample point before
	F  // force of the tip, in N
	S  // tip switch: 1 while it touches
	TX // tilt along the axes, in degrees
	TY
	Az // azimuth of the pen, in degrees
	El // elevation of the pen, in degrees
	R  // rotation about its own axis, in degrees
	channels
)

var names = [channels]string{"X", "Y", "Z", "VX", "VY", "AX", "AY", "T", "DT", "F", "S", "TX", "TY", "Az", "El", "R"}

// String is the standard's name of the channel.
func (c Channel) String() string {
	if c < channels {
		return names[c]
	}
	return "reserved"
}

// bit of a channel in the inclusion field.
func (c Channel) bit() uint16 { return 1 << (channels - 1 - c) }

// least is the smallest value a channel can have; its numbers are written with
// this subtracted.
func (c Channel) least() int32 {
	switch c {
	case X, Y, VX, VY, AX, AY, TX, TY:
		return math.MinInt16
	}
	return 0
}

// most is the greatest value in a sample point.
func (c Channel) most() int32 {
	if c == S {
		return 1
	}
	return c.least() + math.MaxUint16
}

// width is the number of octets in a sample point.
func (c Channel) width() int {
	if c == S {
		return 1
	}
	return 2
}

// Attributes says what a channel's description has: the preamble of clause
// 7.3.4. The lowest bit is reserved.
type Attributes uint8

// Attributes in the order of the standard.
const (
	HasScaling    Attributes = 0x80
	HasMin        Attributes = 0x40
	HasMax        Attributes = 0x20
	HasMean       Attributes = 0x10
	HasStd        Attributes = 0x08
	Constant      Attributes = 0x04 // the value is 1 throughout and not in the sample points
	LinearRemoved Attributes = 0x02 // a linear component was subtracted
	reserved      Attributes = 0x01
)

// Scaling is a scaling value: five bits of exponent, with 16 added, and eleven
// of fraction.
type Scaling uint16

// Value is (1 + fraction/2^11) 2^(exponent-16), from 2^-16 to nearly 2^16.
func (s Scaling) Value() float64 {
	return math.Ldexp(1+float64(s&0x7ff)/(1<<11), int(s>>11)-16)
}

// Scale returns the scaling value nearest below v, which is clamped to the range.
func Scale(v float64) Scaling {
	switch {
	case !(v > 0x1p-16):
		return 0
	case v >= Scaling(math.MaxUint16).Value():
		return math.MaxUint16
	}
	fraction, exponent := math.Frexp(v) // v = fraction 2^exponent, fraction in [1/2, 1)
	return Scaling(exponent-1+16)<<11 | Scaling((2*fraction-1)*(1<<11))
}

// Description is one channel's.
type Description struct {
	Channel        Channel
	Attributes     Attributes
	Scaling        Scaling // 0 without HasScaling, and so on
	Min, Max, Mean int32
	Std            uint16
}

// Record is everything the format can say. It prints and logs as a constant.
type Record struct {
	Channels []Description // ascending; X and Y are always there
	// Values are those of the channels without Constant, a sample point after
	// the other.
	Values []int32
	// Extended is opaque data; nil when there is no such field.
	Extended []byte
}

const redacted = "signature record(redacted)"

// LogValue keeps the values out of logs.
func (Record) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the values out of everything that package fmt prints.
func (Record) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// varying lists the channels that sample points have.
func (r *Record) varying() []Channel {
	out := make([]Channel, 0, channels)
	for _, d := range r.Channels {
		if d.Attributes&Constant == 0 {
			out = append(out, d.Channel)
		}
	}
	return out
}

// Points is the number of sample points.
func (r Record) Points() int {
	if n := len(r.varying()); n > 0 {
		return len(r.Values) / n
	}
	return 0
}

// Encode writes the record (big-endian throughout):
//
//	record      = "SDI" %x00 " 10" %x00 inclusion 2*16description %x00 body
//	inclusion   = 2OCTET                ; X in the highest bit ... R in the lowest
//	description = preamble [scaling] [number] [number] [number] [std]
//	preamble    = OCTET                 ; which follow, then constant, linear, 0
//	scaling     = 2OCTET                ; exponent in the upper five bits
//	number      = 2OCTET                ; minimum, maximum, mean
//	std         = 2OCTET
//	body        = (%x00 / %x80) 3OCTET *point [2OCTET *OCTET]
//	            ; number of points; length and octets of extended data with %x80
//	point       = *(2OCTET)             ; of each channel that varies; 1OCTET for S
//
// Numbers of channels that can be negative have 32,768 added. The error is an
// *exchange.FormatError whose offset is where the field at fault would stand.
func (r Record) Encode() ([]byte, error) {
	out := append(make([]byte, 0, 64+2*len(r.Values)), "SDI\x00 10\x00\x00\x00"...)
	var inclusion uint16
	for i, d := range r.Channels {
		if i > 0 && d.Channel <= r.Channels[i-1].Channel || d.Channel >= channels {
			return nil, fault(offsetInclusion, ruleOrder)
		}
		inclusion |= d.Channel.bit()
		if rule := d.rule(); rule != "" {
			return nil, fault(len(out), rule)
		}
		out = d.append(out)
	}
	if inclusion&X.bit() == 0 || inclusion&Y.bit() == 0 {
		return nil, fault(offsetInclusion, ruleMandatory)
	}
	binary.BigEndian.PutUint16(out[offsetInclusion:], inclusion)
	present := r.varying()
	if len(present) == 0 {
		return nil, fault(offsetInclusion, ruleStill)
	}
	n := len(r.Values) / len(present)
	if n < 1 || n > signature.MaxPoints || n*len(present) != len(r.Values) {
		return nil, fault(len(out)+2, ruleCount)
	}
	if len(r.Extended) > math.MaxUint16 {
		return nil, fault(len(out)+1, ruleExtended)
	}
	flags := byte(0)
	if r.Extended != nil {
		flags = hasExtended
	}
	out = append(out, 0, flags, byte(n>>16), byte(n>>8), byte(n))
	for i, v := range r.Values {
		c := present[i%len(present)]
		if v < c.least() || v > c.most() {
			at := len(out)
			clear(out)
			return nil, fault(at, ruleValue)
		}
		if c.width() == 1 {
			out = append(out, byte(v))
		} else {
			out = binary.BigEndian.AppendUint16(out, uint16(v-c.least()))
		}
	}
	if r.Extended != nil {
		out = binary.BigEndian.AppendUint16(out, uint16(len(r.Extended)))
		out = append(out, r.Extended...)
	}
	return out, nil
}

func (d *Description) append(out []byte) []byte {
	out = append(out, byte(d.Attributes))
	for _, f := range d.fields() {
		if d.Attributes&f.has != 0 {
			out = binary.BigEndian.AppendUint16(out, uint16(*f.value-f.least))
		}
	}
	return out
}

// field is one attribute as a number, with what is subtracted when written.
type field struct {
	has   Attributes
	value *int32
	least int32
}

// fields lists the attributes that have a value, in order. The first and the
// last stand for copies, good for writing only.
func (d *Description) fields() [5]field {
	scaling, std := int32(d.Scaling), int32(d.Std)
	least := d.Channel.least()
	return [...]field{
		{HasScaling, &scaling, 0}, {HasMin, &d.Min, least}, {HasMax, &d.Max, least},
		{HasMean, &d.Mean, least}, {HasStd, &std, 0},
	}
}

// rule finds the first rule that the description breaks.
func (d *Description) rule() string {
	inRange := func(has Attributes, v int32) bool {
		least := d.Channel.least()
		if d.Attributes&has == 0 {
			return v == 0
		}
		return v >= least && v <= least+math.MaxUint16
	}
	switch {
	case d.Attributes&reserved != 0:
		return ruleReservedBit
	case d.Attributes&HasScaling == 0 && d.Scaling != 0, d.Attributes&HasStd == 0 && d.Std != 0,
		!inRange(HasMin, d.Min), !inRange(HasMax, d.Max), !inRange(HasMean, d.Mean):
		return ruleAttribute
	case d.Attributes&HasMin != 0 && d.Attributes&HasMax != 0 && d.Min > d.Max:
		return ruleRange
	}
	return ""
}

func fault(offset int, rule string) *exchange.FormatError {
	return &exchange.FormatError{Format: Format, Offset: offset, Rule: rule}
}
