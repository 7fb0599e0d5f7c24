// Package iriscode reads and writes the container in which iris codes reach a
// node: a small format of this project's own, for no standard carries codes,
// only images (ISO/IEC 19794-6).
//
// Start with [Decode] and [Encode], which know what package iris takes. The
// profile names the software that made the code: codes of different profiles
// compare to noise, so the caller must see to it that profiles agree.
//
// Invariants: parsing is strict and of constant cost; a container is
// canonical: what was decoded encodes to the same bytes; every refusal is an
// *exchange.FormatError, where and which rule, never a byte of the content.
package iriscode

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/iris"
)

// Format is the identifier of the format, as it travels in queries and stands
// in the gallery.
const Format = exchange.FormatIris

// Max is the size in octets of the largest container.
const Max = offsetProfile + maxProfile + shapeSize + 2*iris.Size

const (
	magic         = "TIRI"
	version       = 1
	maxProfile    = 64
	offsetFlags   = 5
	offsetLength  = 6
	offsetProfile = 7
	shapeSize     = 3
	partBits      = 2
	flagMask      = 1
	eyeShift      = 1 // of the flags: two bits that say which eye
	mostEye       = 2
)

// Rules of the container, in the words of a FormatError.
const (
	ruleSize    = "container exceeds the size limit"
	ruleShort   = "container ends early"
	ruleMagic   = "wrong format identifier"
	ruleVersion = "wrong version"
	ruleFlags   = "reserved flags are not zero"
	ruleEye     = "eye is not 0 to 2"
	ruleProfile = "profile is not 1 to 64 of a-z 0-9 . _ -"
	ruleShape   = "shape is not 128 angles, 8 bands, 2 bits"
	ruleEnd     = "container is longer or shorter than its flags say"
	ruleFull    = "mask excludes nothing and must be left out"
	ruleHidden  = "bit of the code outside the mask is not zero"
)

// Code is one iris code container. It prints and logs as a constant.
type Code struct {
	Profile string // 1 to 64 octets of a-z 0-9 . _ -
	Eye     uint8  // 1 right, 2 left, 0 unknown, as in ISO/IEC 19794-6
	Sample  iris.Sample
}

const redacted = "iris code(redacted)"

// LogValue keeps the code out of logs.
func (Code) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the code out of everything that package fmt prints.
func (Code) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// Encode writes the container:
//
//	iris-code = "TIRI" %x01 flags profile-length profile shape code [mask]
//	flags     = %x00-05                ; 1: a mask follows; 2: right eye, 4: left, neither: unknown
//	profile-length = %x01-40
//	profile   = 1*64( %x61-7A / DIGIT / "." / "_" / "-" )
//	shape     = %x80 %x08 %x02         ; angles, bands, bits
//	code      = 256OCTET               ; angle-major, then bands from the pupil
//	                                   ; outwards, then bits; highest bit first
//	mask      = 256OCTET               ; 1 where the bit of the code may be used
//
// Nothing follows. Without a mask all bits may be used. So that one iris has
// one encoding, bits of the code outside the mask are written as 0, and a mask
// that excludes nothing is left out. The error is an *exchange.FormatError.
func (c Code) Encode() ([]byte, error) {
	if !ValidProfile(c.Profile) {
		return nil, fault(offsetLength, ruleProfile)
	}
	if c.Eye > mostEye {
		return nil, fault(offsetFlags, ruleEye)
	}
	flags := c.Eye << eyeShift
	if !full(&c.Sample.Mask) {
		flags |= flagMask
	}
	out := make([]byte, 0, Max)
	out = append(out, magic...)
	out = append(out, version, flags, byte(len(c.Profile)))
	out = append(out, c.Profile...)
	out = append(out, iris.Angles, iris.Bands, partBits)
	for i, b := range c.Sample.Code {
		out = append(out, b&c.Sample.Mask[i])
	}
	if flags&flagMask != 0 {
		out = append(out, c.Sample.Mask[:]...)
	}
	return out, nil
}

// Decode reads one container; see [Code.Encode] for the grammar. The code
// shares no memory with b.
func Decode(b []byte) (Code, error) {
	switch {
	case len(b) > Max:
		return Code{}, fault(0, ruleSize)
	case len(b) < offsetProfile:
		return Code{}, fault(len(b), ruleShort)
	case string(b[:len(magic)]) != magic:
		return Code{}, fault(0, ruleMagic)
	case b[len(magic)] != version:
		return Code{}, fault(len(magic), ruleVersion)
	case b[offsetFlags]>>3 != 0:
		return Code{}, fault(offsetFlags, ruleFlags)
	case b[offsetFlags]>>eyeShift > mostEye:
		return Code{}, fault(offsetFlags, ruleEye)
	}
	shape := offsetProfile + int(b[offsetLength])
	start := shape + shapeSize
	if len(b) < start {
		return Code{}, fault(len(b), ruleShort)
	}
	c := Code{Profile: string(b[offsetProfile:shape]), Eye: b[offsetFlags] >> eyeShift}
	if !ValidProfile(c.Profile) {
		return Code{}, fault(offsetLength, ruleProfile)
	}
	if b[shape] != iris.Angles || b[shape+1] != iris.Bands || b[shape+2] != partBits {
		return Code{}, fault(shape, ruleShape)
	}
	masked := b[offsetFlags]&flagMask != 0
	if want := iris.Size; masked && len(b)-start != 2*want || !masked && len(b)-start != want {
		return Code{}, fault(len(b), ruleEnd)
	}
	copy(c.Sample.Code[:], b[start:])
	if !masked {
		for i := range c.Sample.Mask {
			c.Sample.Mask[i] = 0xff
		}
		return c, nil
	}
	copy(c.Sample.Mask[:], b[start+iris.Size:])
	if full(&c.Sample.Mask) {
		return Code{}, fault(offsetFlags, ruleFull)
	}
	for i, m := range c.Sample.Mask {
		if c.Sample.Code[i]&^m != 0 {
			return Code{}, fault(start+i, ruleHidden)
		}
	}
	return c, nil
}

func full(mask *[iris.Size]byte) bool {
	for _, b := range mask {
		if b != 0xff {
			return false
		}
	}
	return true
}

// ValidProfile reports whether s can name the program that makes codes: 1 to 64 octets of a-z 0-9 . _ -
func ValidProfile(s string) bool {
	if len(s) < 1 || len(s) > maxProfile {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func fault(offset int, rule string) *exchange.FormatError {
	return &exchange.FormatError{Format: Format, Offset: offset, Rule: rule}
}
