package exchange

import (
	"encoding/binary"

	"github.com/tamga-id/tamga/matcher/finger"
)

// ParseFinger reads one record; see [FingerRecord.Encode] for the grammar. The record shares no
// memory with b. Checked are: magic and version, the length field against len(b), zero reserved
// octet and bits, 1 to 16 views, distinct position and view number, ranges of position, impression
// and qualities, coordinates within the image, the structure of extended data, no trailing octets.
func ParseFinger(b []byte) (FingerRecord, error) {
	r, f := parseFinger(b)
	if f.rule != "" {
		return FingerRecord{}, f.err(FormatFinger2005)
	}
	return r, nil
}

func parseFinger(b []byte) (FingerRecord, fault) {
	r, count, f := parseFingerHeader(b)
	if f.rule != "" {
		return r, f
	}
	// At most 16 views after the header check, so the input cannot make this allocation large.
	r.Views = make([]FingerView, 0, count)
	at := fingerHeaderSize
	for i := range count {
		v, next, f := parseView(b, at)
		if f.rule != "" {
			return r, f
		}
		r.Views = append(r.Views, v)
		if f := r.viewFault(i, at); f.rule != "" {
			return r, f
		}
		at = next
	}
	if at != len(b) {
		return r, fault{at, ruleTrailing}
	}
	return r, fault{}
}

func parseFingerHeader(b []byte) (r FingerRecord, count int, f fault) {
	switch {
	case len(b) > MaxFinger:
		return r, 0, fault{offsetLength, ruleSize}
	case len(b) < fingerHeaderSize:
		return r, 0, fault{len(b), ruleShort}
	case string(b[:4]) != "FMR\x00":
		return r, 0, fault{0, ruleMagic}
	case string(b[4:offsetLength]) != " 20\x00":
		return r, 0, fault{4, ruleVersion}
	case binary.BigEndian.Uint32(b[offsetLength:]) != uint32(len(b)):
		return r, 0, fault{offsetLength, ruleLength}
	case b[offsetReserved] != 0:
		return r, 0, fault{offsetReserved, ruleReservedOctet}
	}
	r.CaptureEquipment = binary.BigEndian.Uint16(b[12:])
	r.Width = binary.BigEndian.Uint16(b[offsetWidth:])
	r.Height = binary.BigEndian.Uint16(b[offsetHeight:])
	r.ResX = binary.BigEndian.Uint16(b[offsetResX:])
	r.ResY = binary.BigEndian.Uint16(b[offsetResY:])
	count = int(b[offsetViews])
	return r, count, r.headerFaultWith(count)
}

// parseView reads the view at an offset and gives the offset behind it. Ranges are left to
// viewFault, except for the reserved bits, which a FingerView cannot express.
func parseView(b []byte, at int) (v FingerView, next int, f fault) {
	if len(b)-at < viewHeaderSize {
		return v, 0, fault{len(b), ruleShort}
	}
	v = FingerView{Position: b[at], Number: b[at+1] >> 4, Impression: b[at+1] & 0xf, Quality: b[at+2]}
	count := int(b[at+3])
	at += viewHeaderSize
	if len(b)-at < minutiaSize*count+2 {
		return v, 0, fault{len(b), ruleShort}
	}
	v.Minutiae = make([]finger.Minutia, count)
	for i := range v.Minutiae {
		m := b[at : at+minutiaSize]
		x, y := binary.BigEndian.Uint16(m), binary.BigEndian.Uint16(m[2:])
		if y&^coordinateMask != 0 {
			return v, 0, fault{at + 2, ruleReservedBits}
		}
		v.Minutiae[i] = finger.Minutia{
			X: x & coordinateMask, Y: y, Angle: m[4], Type: uint8(x >> 14), Quality: m[5],
		}
		at += minutiaSize
	}
	n := int(binary.BigEndian.Uint16(b[at:]))
	at += 2
	if len(b)-at < n {
		return v, 0, fault{len(b), ruleShort}
	}
	if n > 0 {
		v.Extended = append([]byte(nil), b[at:at+n]...)
	}
	return v, at + n, fault{}
}
