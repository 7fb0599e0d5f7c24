// Package cbeff reads and writes the CBEFF header in front of a biometric record, in the form that
// cards and passports use: the Biometric Information Template of ISO/IEC 7816-11 and of the TLV
// patron format of ISO/IEC 19785-3, as ICAO Doc 9303-10 profiles it for DG2, DG3 and DG4.
//
// Start with [Parse], which takes one template, a group of them, or the file EF.DG3; go back with
// [Template.Encode] or [EncodeGroup]. [Header.CheckValidity] compares with a date, [Finger] and
// [Subtype] translate finger positions.
//
// It does not look into the biometric record, whose owner and type the header names: package
// intake joins the two. It does not read the security block, encrypted records, or the patron
// formats of fixed fields and bits, of which no sample was at hand.
//
// Invariants:
//
//   - Parsing is strict: elements known, in ascending order, each once, lengths in their shortest
//     form, nothing behind. Cost is bounded by [Max], checked first.
//   - What is parsed and encoded again means the same; only elements that say "no information"
//     are left out.
//   - Every refusal is an *exchange.FormatError: where and which rule, never a byte of the content.
//   - Templates share no memory with what they were parsed from, and print and log as a constant.
//
// Elements and their coding were compared with the specimen EF.DG2 that ICAO published for
// ISO/IEC 39794-5. The text of ISO/IEC 19785-3 and 7816-11 was not at hand.
package cbeff

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/internal/calendar"
)

// Max is the size in octets above which input is refused unread: ten of the largest records that
// a node stores, with room for headers.
const Max = 1 << 20

// Values of [Header].
const (
	TypeFace        = 0x02
	TypeFingerprint = 0x08
	TypeIris        = 0x10
	TypeSignature   = 0x80

	OwnerSC37 = 0x0101 // ISO/IEC JTC 1/SC 37, who own the formats of 19794 and 39794
)

var (
	// ErrNotYetValid says that a record's validity period begins later.
	ErrNotYetValid = errors.New("checking CBEFF header: biometric record is not valid yet")
	// ErrExpired says that a record's validity period is over.
	ErrExpired = errors.New("checking CBEFF header: biometric record is no longer valid")
)

// Header is what is said about a biometric record. Zero values say nothing and are not written.
type Header struct {
	Version uint16 // of the patron header format; 0x0101 in Doc 9303
	Type    uint32 // biometric type, one bit of 24; one of the Type constants where known
	Subtype uint8  // which finger or eye; see Finger
	Created Time
	// From and Until are the first and the last day of validity, both or none.
	From, Until Date
	Creator     uint32 // product that made the record: organisation and product number
	Owner       uint16 // organisation that defines the record's format
	Format      uint16 // its number for the format, never zero
}

// Date is a day of the years 1 to 9999. The zero value is none.
type Date struct {
	Year       uint16
	Month, Day uint8
}

// Time is a second of a day, in UTC. The zero value is none.
type Time struct {
	Date
	Hour, Minute, Second uint8
}

// Template is one biometric record behind its header. It prints and logs as a constant.
type Template struct {
	Header Header
	// Constructed is set for a record that is itself made of BER-TLV, as those of 39794 are.
	Constructed bool
	Data        []byte
}

const redacted = "biometric information template(redacted)"

// LogValue keeps the record out of logs.
func (Template) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the record out of everything that package fmt prints.
func (Template) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// CheckValidity compares the validity period, if there is one, with a day, today's in UTC as a
// rule. The error is [ErrNotYetValid] or [ErrExpired].
func (h Header) CheckValidity(today Date) error {
	switch {
	case h.From == Date{}:
		return nil
	case today.number() < h.From.number():
		return ErrNotYetValid
	case today.number() > h.Until.number():
		return ErrExpired
	}
	return nil
}

// number orders dates.
func (d Date) number() int { return int(d.Year)<<16 | int(d.Month)<<8 | int(d.Day) }

func (d Date) valid() bool {
	return d.Year <= 9999 && calendar.Day(int(d.Year), int(d.Month), int(d.Day))
}

func (t Time) valid() bool {
	return t.Date.valid() && calendar.Clock(int(t.Hour), int(t.Minute), int(t.Second))
}

// Finger is the finger position code of ISO/IEC 19794-2 that a subtype names, 0 when it names no
// finger, and whether the subtype is a known one.
//
// In the subtype (ISO/IEC 7816-11, Doc 9303-10) the lowest two bits are the side, 1 right and 2
// left, and the three above the finger, 1 thumb to 5 little finger.
func Finger(subtype uint8) (position uint8, ok bool) {
	side, digit := subtype&3, subtype>>2
	switch {
	case side == 3 || digit > 5:
		return 0, false
	case side == 0 || digit == 0:
		return 0, true
	}
	return digit + 5*(side-1), true
}

// Subtype is the subtype that names a finger position; 0 for 0, which names none, and for what is
// no single finger.
func Subtype(position uint8) uint8 {
	switch {
	case position >= 1 && position <= 5:
		return position<<2 | 1
	case position >= 6 && position <= 10:
		return (position-5)<<2 | 2
	}
	return 0
}

// fault is a broken rule at an offset. The zero value means that nothing is wrong.
type fault struct {
	offset int
	rule   string
}

func (f fault) err() error {
	return &exchange.FormatError{Format: exchange.FormatCBEFF, Offset: f.offset, Rule: f.rule}
}

// Rules of header and template, in the words of a FormatError.
const (
	ruleSize      = "input exceeds the size limit"
	ruleShort     = "input ends early"
	ruleLength    = "length is not in its shortest form, or longer than what holds it"
	ruleTag       = "element is unknown, out of order, or there twice"
	ruleTrailing  = "octets after the last element"
	ruleInstances = "number of instances differs from the number of templates"
	ruleElement   = "header element has a wrong length"
	ruleType      = "biometric type is not one type"
	ruleSubtype   = "biometric subtype is reserved"
	ruleCreated   = "creation time is not a time in binary coded decimals"
	ruleValidity  = "validity period is not two days in binary coded decimals, the first not the later"
	ruleFormat    = "format owner or format type is missing"
	ruleData      = "biometric data are missing"
	ruleMany      = "more than 255 templates"
)

// fault finds the first rule that the header breaks; offsets are those of the caller.
func (h Header) fault() string {
	switch {
	case h.Type > 0xffffff || h.Type&(h.Type-1) != 0:
		return ruleType
	case !subtype(h.Subtype, h.Type):
		return ruleSubtype
	case h.Created != Time{} && !h.Created.valid():
		return ruleCreated
	case (h.From != Date{} || h.Until != Date{}) && (!h.From.valid() || !h.Until.valid() || h.Until.number() < h.From.number()):
		return ruleValidity
	case h.Owner == 0 || h.Format == 0:
		return ruleFormat
	}
	return ""
}

// subtype tells whether a subtype can be of a biometric type. Only those of fingers have a finger.
func subtype(s uint8, kind uint32) bool {
	_, ok := Finger(s)
	return ok && (s < 4 || kind == 0 || kind == TypeFingerprint)
}
