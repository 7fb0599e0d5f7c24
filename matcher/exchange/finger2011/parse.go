package finger2011

import (
	"encoding/binary"

	"github.com/tamga-id/tamga/matcher/finger"
)

// Parse reads one record; see [Record.Encode] for the grammar.
func Parse(b []byte) (Record, error) {
	r, f := parse(b)
	if f.rule != "" {
		return Record{}, f.err()
	}
	return r, nil
}

func parse(b []byte) (r Record, f fault) {
	switch {
	case len(b) > Max:
		return r, fault{8, ruleSize}
	case len(b) < headerSize:
		return r, fault{len(b), ruleShort}
	case string(b[:4]) != magic:
		return r, fault{0, ruleMagic}
	case string(b[4:8]) != version:
		return r, fault{4, ruleVersion}
	case binary.BigEndian.Uint32(b[8:]) != uint32(len(b)):
		return r, fault{8, ruleLength}
	case b[14] > 1:
		return r, fault{14, ruleFlag}
	}
	count := int(binary.BigEndian.Uint16(b[12:]))
	if count < 1 || count > maxRepresentations {
		return r, fault{12, ruleCount}
	}
	r.Certified = b[14] == 1
	c := cursor{b: b, at: headerSize}
	for range count {
		if f := r.representation(&c); f.rule != "" {
			return r, f
		}
	}
	if c.at != len(b) {
		return r, fault{c.at, ruleTrailing}
	}
	return r, fault{}
}

// representation reads the representation at the cursor and appends it to the record.
func (r *Record) representation(c *cursor) fault {
	start := c.at
	length := int(c.number(4))
	var p Representation
	zero := p.Captured.parse(c.take(9))
	p.Technology, p.Vendor, p.Device = c.octet(), c.uint16(), c.uint16()
	for range c.octet() {
		p.Quality = append(p.Quality, QualityBlock{c.octet(), c.uint16(), c.uint16()})
		if c.short {
			break
		}
	}
	if r.Certified {
		for range c.octet() {
			p.Certifications = append(p.Certifications, Certification{c.uint16(), c.octet()})
			if c.short {
				break
			}
		}
	}
	p.Position, p.Number = c.octet(), c.octet()
	p.ResX, p.ResY = c.uint16(), c.uint16()
	p.Impression = c.octet()
	p.Width, p.Height = c.uint16(), c.uint16()
	fieldEnding, minutiae := c.octet(), int(c.octet())
	if c.short {
		return fault{len(c.b), ruleShort}
	}
	if f := p.fieldEnding(fieldEnding, c.at-2); f.rule != "" {
		return f
	}
	if f := p.minutiae(c, minutiae); f.rule != "" {
		return f
	}
	p.Extended = append(p.Extended, c.take(int(c.uint16()))...)
	switch {
	case c.short:
		return fault{len(c.b), ruleShort}
	case length != c.at-start:
		return fault{start, ruleRepresentation}
	case !zero:
		return fault{start + 4, ruleTime}
	}
	r.Representations = append(r.Representations, p)
	f := r.representationFault(len(r.Representations) - 1)
	f.offset += start
	return f
}

func (r *Representation) fieldEnding(v byte, at int) fault {
	switch {
	case v>>4 != 5 && v>>4 != 6:
		return fault{at, ruleFieldLength}
	case v&0xf > 1:
		return fault{at, ruleEnding}
	}
	r.MinutiaQuality, r.RidgeEnds = v>>4 == 6, v&0xf == 1
	return fault{}
}

func (r *Representation) minutiae(c *cursor, count int) fault {
	if len(c.b)-c.at < count*r.minutiaSize() {
		return fault{len(c.b), ruleShort}
	}
	r.Minutiae = make([]finger.Minutia, count)
	for i := range r.Minutiae {
		x, y := c.uint16(), c.uint16()
		if y&^coordinateMask != 0 {
			return fault{c.at - 2, ruleReservedBits}
		}
		m := finger.Minutia{X: x & coordinateMask, Y: y, Angle: c.octet(), Type: uint8(x >> 14)}
		if r.MinutiaQuality {
			m.Quality = c.octet()
		}
		r.Minutiae[i] = m
	}
	return fault{}
}

// parse reads nine octets. It reports false when a part is known behind one that is not.
func (t *CaptureTime) parse(b []byte) bool {
	*t = CaptureTime{}
	if len(b) != 9 || string(b) == "\x00\x00\x00\x00\x00\x00\x00\x00\x00" {
		return true
	}
	parts := [7]uint16{binary.BigEndian.Uint16(b), uint16(b[2]), uint16(b[3]), uint16(b[4]), uint16(b[5]), uint16(b[6]), binary.BigEndian.Uint16(b[7:])}
	open := true
	for i, v := range parts {
		known := v != 0xff
		if i == 0 || i == 6 {
			known = v != 0xffff
		}
		switch {
		case known && !open:
			return false
		case known:
			t.Given++
		default:
			open, parts[i] = false, 0
		}
	}
	t.Year, t.Month, t.Day = parts[0], uint8(parts[1]), uint8(parts[2])
	t.Hour, t.Minute, t.Second, t.Millisecond = uint8(parts[3]), uint8(parts[4]), uint8(parts[5]), parts[6]
	return true
}

// cursor reads octets in their order. Once they end it gives zeros and short is set.
type cursor struct {
	b     []byte
	at    int
	short bool
}

func (c *cursor) take(n int) []byte {
	if c.short || len(c.b)-c.at < n {
		c.short = true
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at]
}

func (c *cursor) number(n int) (v uint32) {
	for _, o := range c.take(n) {
		v = v<<8 | uint32(o)
	}
	return v
}

func (c *cursor) octet() uint8   { return uint8(c.number(1)) }
func (c *cursor) uint16() uint16 { return uint16(c.number(2)) }
