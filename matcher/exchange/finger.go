package exchange

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/tamga-id/tamga/matcher/finger"
)

// MaxFinger is the size in octets above which a finger record is refused unread. The largest
// record of 16 full views without extended data has 24,600.
const MaxFinger = 64 << 10

// Sizes and limits of ISO/IEC 19794-2:2005, clause 7.
const (
	fingerHeaderSize = 24 // clause 7.3
	viewHeaderSize   = 4  // clause 7.4.1
	minutiaSize      = 6  // clause 7.4.2
	maxViews         = 16 // the view number has four bits
	maxMinutiae      = 255
	coordinateMask   = 1<<14 - 1
	minResolution    = 98 // pixels per cm; clause 5.4 wants 250 dpi, which is 98.4
)

// FingerRecord is one finger minutiae record: everything the format can say. The image size and
// resolution are common to all views. It prints and logs as a constant.
type FingerRecord struct {
	// CaptureEquipment is certification (upper four bits) and device type (lower twelve), 0 when
	// not reported. Kept as found: devices put anything there and nothing here depends on it.
	CaptureEquipment uint16
	Width, Height    uint16 // of the images, in pixels, 1 to 16,384
	ResX, ResY       uint16 // pixels per centimetre, at least 98
	Views            []FingerView
}

// FingerView is one impression of one finger.
type FingerView struct {
	Position uint8 // 0 unknown, 1 right thumb to 5 right little finger, 6 left thumb to 10
	Number   uint8 // tells several views of one position apart, 0 to 15
	// Impression is 0 live plain, 1 live rolled, 2 and 3 the same non-live, 4 to 7 latent, 8 swipe,
	// 9 contactless. The standard lists 0 to 3 and 8; the others are of its sister standards, and
	// devices write them and NIST's checker of this format passes 9.
	Impression uint8
	Quality    uint8 // 0 to 100
	Minutiae   []finger.Minutia
	// Extended is the extended data area without its length: a sequence of blocks of type (two
	// octets), length (two, counting these four) and data. Only the structure is checked.
	Extended []byte
}

const redacted = "finger record(redacted)"

// LogValue keeps the minutiae out of logs.
func (FingerRecord) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the minutiae out of everything that package fmt prints.
func (FingerRecord) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the minutiae out of logs.
func (FingerView) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the minutiae out of everything that package fmt prints.
func (FingerView) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// DecodeFinger gives the views of a record in their order, ready for finger.Prepare unless they
// are absent. Capture equipment, view numbers and extended data are checked and then dropped;
// [ParseFinger] keeps them. The samples own their memory.
func DecodeFinger(b []byte) ([]finger.Sample, error) {
	r, err := ParseFinger(b)
	if err != nil {
		return nil, err
	}
	return r.Samples(), nil
}

// EncodeFinger writes samples as one record. They must share image size and resolution, which
// the format keeps once. Views of one position are numbered from 0 in the order given; no capture
// equipment is written. Impression types are those of the edition of 2011, of which 9 cannot be
// said. A sample without minutiae comes back as not captured. The format has no field for why a finger is absent: its view has no
// minutiae, and the reason stands in vendor-defined extended data, which other readers skip.
func EncodeFinger(samples []finger.Sample) ([]byte, error) {
	var r FingerRecord
	var seen [256]uint8
	if len(samples) < 1 || len(samples) > maxViews {
		return nil, fault{offsetViews, ruleViews}.err(FormatFinger2005)
	}
	for i, s := range samples {
		if i == 0 {
			r.Width, r.Height, r.ResX, r.ResY = s.Width, s.Height, s.ResX, s.ResY
		}
		if s.Width != r.Width || s.Height != r.Height || s.ResX != r.ResX || s.ResY != r.ResY {
			return nil, fault{offsetWidth, "views differ in image size or resolution"}.err(FormatFinger2005)
		}
		if s.Absent > finger.UnableToPrint || s.Absent != finger.Present && len(s.Minutiae) > 0 {
			return nil, fault{fingerHeaderSize, ruleAbsent}.err(FormatFinger2005)
		}
		r.Views = append(r.Views, viewOf(s, seen[s.Position]))
		seen[s.Position]++
	}
	return r.Encode()
}

// Samples gives the views as samples that share no memory with the record.
func (r FingerRecord) Samples() []finger.Sample {
	out := make([]finger.Sample, len(r.Views))
	for i, v := range r.Views {
		out[i] = finger.Sample{
			Position: v.Position, Impression: impressionOf2005(v.Impression), Quality: v.Quality,
			Width: r.Width, Height: r.Height, ResX: r.ResX, ResY: r.ResY,
			Minutiae: slices.Clone(v.Minutiae), Absent: v.absence(),
		}
	}
	return out
}

// Encode writes the record (big-endian throughout):
//
//	record  = "FMR" %x00 " 20" %x00 length equipment width height resx resy views %x00 1*16view
//	length  = 4OCTET                       ; of the whole record
//	equipment, width, height, resx, resy = 2OCTET
//	views   = OCTET                        ; number of views
//	view    = position number-impression quality count *minutia extended-length *block
//	number-impression = OCTET              ; number in the upper, impression in the lower four bits
//	position, quality, count = OCTET
//	minutia = type-x y angle quality
//	type-x  = 2OCTET                       ; type in the upper two bits, x in the lower fourteen
//	y       = 2OCTET                       ; upper two bits zero
//	extended-length = 2OCTET               ; of all blocks
//	block   = 2OCTET 2OCTET *OCTET         ; type, length of the block with these four, data
//
// as in ISO/IEC 19794-2:2005 clause 7. The error is a [*FormatError] whose offset is where the
// field at fault would have stood.
func (r FingerRecord) Encode() ([]byte, error) {
	if f := r.headerFault(); f.rule != "" {
		return nil, f.err(FormatFinger2005)
	}
	out := make([]byte, 0, r.size())
	out = append(out, "FMR\x00 20\x00\x00\x00\x00\x00"...)
	for _, v := range []uint16{r.CaptureEquipment, r.Width, r.Height, r.ResX, r.ResY} {
		out = binary.BigEndian.AppendUint16(out, v)
	}
	out = append(out, byte(len(r.Views)), 0)
	for i := range r.Views {
		if f := r.viewFault(i, len(out)); f.rule != "" {
			return nil, f.err(FormatFinger2005)
		}
		out = r.Views[i].appendTo(out)
		if len(out) > MaxFinger {
			return nil, fault{offsetLength, ruleSize}.err(FormatFinger2005)
		}
	}
	binary.BigEndian.PutUint32(out[offsetLength:], uint32(len(out)))
	return out, nil
}

// size is the length of the encoded record, a capacity hint that a faulty record cannot inflate.
func (r FingerRecord) size() int {
	n := fingerHeaderSize
	for _, v := range r.Views {
		n += viewHeaderSize + minutiaSize*len(v.Minutiae) + 2 + len(v.Extended)
	}
	return min(n, MaxFinger)
}

func (v FingerView) appendTo(out []byte) []byte {
	out = append(out, v.Position, v.Number<<4|v.Impression, v.Quality, byte(len(v.Minutiae)))
	for _, m := range v.Minutiae {
		out = binary.BigEndian.AppendUint16(out, uint16(m.Type)<<14|m.X)
		out = binary.BigEndian.AppendUint16(out, m.Y)
		out = append(out, m.Angle, m.Quality)
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(v.Extended)))
	return append(out, v.Extended...)
}
