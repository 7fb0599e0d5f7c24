package cbeff

import "encoding/binary"

// Encode writes the template, in BER-TLV:
//
//	file     = %x63 length group
//	group    = %x7F61 length %x02 %x01 count *template [%x53 length *OCTET]
//	count    = OCTET                               ; number of templates
//	template = %x7F60 length header data
//	header   = %xA1 length [version] [type] [subtype] [created] [validity] [creator] owner format
//	version  = %x80 %x02 2OCTET
//	type     = %x81 %x01-03 1*3OCTET               ; one bit at most
//	subtype  = %x82 %x01 OCTET
//	created  = %x83 %x07 7OCTET                    ; YYYYMMDDhhmmss in binary coded decimals, UTC
//	validity = %x85 %x08 8OCTET                    ; YYYYMMDD twice, first and last day
//	creator  = %x86 %x04 4OCTET
//	owner    = %x87 %x02 2OCTET
//	format   = %x88 %x02 2OCTET
//	data     = (%x5F2E / %x7F2E) length 1*OCTET
//	length   = %x00-7F / %x81 OCTET / %x82 2OCTET / %x83 3OCTET ; the shortest that fits
//
// as in Doc 9303-10. The error is an *exchange.FormatError at the offset 0.
func (t Template) Encode() ([]byte, error) {
	if rule := t.Header.fault(); rule != "" {
		return nil, fault{0, rule}.err()
	}
	if len(t.Data) == 0 {
		return nil, fault{0, ruleData}.err()
	}
	if len(t.Data) > Max-64 {
		return nil, fault{0, ruleSize}.err()
	}
	tag := tagData
	if t.Constructed {
		tag = tagConstructed
	}
	out := element(nil, tagHeader, t.Header.elements())
	return element(nil, tagTemplate, element(out, tag, t.Data)), nil
}

// EncodeGroup writes templates as a group.
func EncodeGroup(ts []Template) ([]byte, error) {
	if len(ts) > 255 {
		return nil, fault{0, ruleMany}.err()
	}
	out := element(nil, tagInstances, []byte{byte(len(ts))})
	for _, t := range ts {
		b, err := t.Encode()
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
		if len(out) > Max-8 {
			return nil, fault{0, ruleSize}.err()
		}
	}
	return element(nil, tagGroup, out), nil
}

func (h Header) elements() (out []byte) {
	two := func(tag int, v uint16) {
		if v != 0 {
			out = element(out, tag, binary.BigEndian.AppendUint16(nil, v))
		}
	}
	two(tagVersion, h.Version)
	if h.Type != 0 {
		v := binary.BigEndian.AppendUint32(nil, h.Type)
		for v[0] == 0 {
			v = v[1:]
		}
		out = element(out, tagType, v)
	}
	if h.Subtype != 0 {
		out = element(out, tagSubtype, []byte{h.Subtype})
	}
	if c := h.Created; c != (Time{}) {
		out = element(out, tagCreated, append(c.decimals(), decimal(c.Hour), decimal(c.Minute), decimal(c.Second)))
	}
	if h.From != (Date{}) {
		out = element(out, tagValidity, append(h.From.decimals(), h.Until.decimals()...))
	}
	if h.Creator != 0 {
		out = element(out, tagCreator, binary.BigEndian.AppendUint32(nil, h.Creator))
	}
	two(tagOwner, h.Owner)
	two(tagFormat, h.Format)
	return out
}

func (d Date) decimals() []byte {
	return []byte{decimal(uint8(d.Year / 100)), decimal(uint8(d.Year % 100)), decimal(d.Month), decimal(d.Day)}
}

// decimal is a number under 100 in binary coded decimals.
func decimal(n uint8) byte { return n/10<<4 | n%10 }

func element(out []byte, tag int, v []byte) []byte {
	if tag > 0xff {
		out = append(out, byte(tag>>8))
	}
	out = append(out, byte(tag))
	switch n := len(v); {
	case n > 0xffff:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	case n > 0xff:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n > 0x7f:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, byte(n))
	}
	return append(out, v...)
}
