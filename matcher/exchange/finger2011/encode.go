package finger2011

import "encoding/binary"

// Sizes of parts of a representation.
const (
	qualitySize       = 5
	certificationSize = 3
	beforeQuality     = 19 // length, capture time, technology, vendor, device, number of blocks
	fixedSize         = 13 // from finger position to number of minutiae
)

// Encode writes the record (big-endian throughout):
//
//	record  = "FMR" %x00 "030" %x00 length count certified 1*176representation
//	length  = 4OCTET                        ; of the whole record
//	count   = 2OCTET                        ; number of representations
//	certified = %x00 / %x01                 ; whether there are certifications
//	representation = rep-length time technology vendor device quality [certifications] position
//	          number resx resy impression width height field-ending minutiae *minutia
//	          extended-length *block
//	rep-length = 4OCTET                     ; of the representation, with this field
//	time    = 2OCTET 5OCTET 2OCTET          ; year, month to second, millisecond; all bits one when not known
//	technology, position, number, impression, minutiae = OCTET
//	vendor, device, resx, resy, width, height = 2OCTET
//	quality = OCTET *(OCTET 2OCTET 2OCTET)  ; number of blocks; score, vendor, algorithm
//	certifications = OCTET *(2OCTET OCTET)  ; number; authority, scheme
//	field-ending = OCTET                    ; size of a minutia in the upper, ending type in the lower four bits
//	minutia = type-x y angle [OCTET]        ; quality when the size is 6
//	type-x  = 2OCTET                        ; type in the upper two bits, x in the lower fourteen
//	y       = 2OCTET                        ; upper two bits zero
//	angle   = OCTET
//	extended-length = 2OCTET                ; of all blocks
//	block   = 2OCTET 2OCTET *OCTET          ; type, length of the block with these four, data
//
// The error is an *exchange.FormatError whose offset is where the field at fault would have stood.
func (r Record) Encode() ([]byte, error) {
	if n := len(r.Representations); n < 1 || n > maxRepresentations {
		return nil, fault{12, ruleCount}.err()
	}
	out := append(make([]byte, 0, r.size()), magic...)
	out = append(out, version...)
	out = binary.BigEndian.AppendUint32(out, 0)
	out = binary.BigEndian.AppendUint16(out, uint16(len(r.Representations)))
	out = append(out, flag(r.Certified))
	for i := range r.Representations {
		if f := r.representationFault(i); f.rule != "" {
			f.offset += len(out)
			return nil, f.err()
		}
		at := len(out)
		out = r.Representations[i].appendTo(out, r.Certified)
		if len(out) > Max {
			return nil, fault{8, ruleSize}.err()
		}
		binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at))
	}
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)))
	return out, nil
}

const (
	magic   = "FMR\x00"
	version = "030\x00"
)

// representationFault finds the first rule that representation i breaks by itself, in its record
// or towards those before it, at an offset within the representation.
func (r Record) representationFault(i int) fault {
	rep := r.Representations[i]
	if !r.Certified && len(rep.Certifications) > 0 {
		return fault{beforeQuality + qualitySize*len(rep.Quality), ruleCertifications}
	}
	if f := rep.fault(); f.rule != "" {
		if r.Certified && f.offset >= rep.fixed() {
			f.offset++ // the number of certifications
		}
		return f
	}
	for _, o := range r.Representations[:i] {
		if o.Position == rep.Position && o.Number == rep.Number {
			at := rep.fixed()
			if r.Certified {
				at++
			}
			return fault{at, ruleDuplicate}
		}
	}
	return fault{}
}

// fixed is where the finger position stands in a representation without a number of certifications.
func (r Representation) fixed() int {
	return beforeQuality + qualitySize*len(r.Quality) + certificationSize*len(r.Certifications)
}

func (r Representation) minutiaSize() int {
	if r.MinutiaQuality {
		return 6
	}
	return 5
}

// size is the length of the encoded record, a capacity hint that a faulty record cannot inflate.
func (r Record) size() int {
	n := headerSize
	for _, p := range r.Representations {
		n += p.fixed() + 1 + fixedSize + p.minutiaSize()*len(p.Minutiae) + 2 + len(p.Extended)
	}
	return min(n, Max)
}

func (r Representation) appendTo(out []byte, certified bool) []byte {
	out = append(out, 0, 0, 0, 0)
	out = r.Captured.appendTo(out)
	out = append(out, r.Technology)
	out = binary.BigEndian.AppendUint16(out, r.Vendor)
	out = binary.BigEndian.AppendUint16(out, r.Device)
	out = append(out, byte(len(r.Quality)))
	for _, q := range r.Quality {
		out = append(out, q.Score)
		out = binary.BigEndian.AppendUint16(out, q.Vendor)
		out = binary.BigEndian.AppendUint16(out, q.Algorithm)
	}
	if certified {
		out = append(out, byte(len(r.Certifications)))
	}
	for _, c := range r.Certifications {
		out = append(binary.BigEndian.AppendUint16(out, c.Authority), c.Scheme)
	}
	out = append(out, r.Position, r.Number)
	out = binary.BigEndian.AppendUint16(out, r.ResX)
	out = binary.BigEndian.AppendUint16(out, r.ResY)
	out = append(out, r.Impression)
	out = binary.BigEndian.AppendUint16(out, r.Width)
	out = binary.BigEndian.AppendUint16(out, r.Height)
	out = append(out, byte(r.minutiaSize())<<4|flag(r.RidgeEnds), byte(len(r.Minutiae)))
	for _, m := range r.Minutiae {
		out = binary.BigEndian.AppendUint16(out, uint16(m.Type)<<14|m.X)
		out = append(binary.BigEndian.AppendUint16(out, m.Y), m.Angle)
		if r.MinutiaQuality {
			out = append(out, m.Quality)
		}
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(r.Extended)))
	return append(out, r.Extended...)
}

func (c CaptureTime) appendTo(out []byte) []byte {
	for i, v := range c.parts() {
		if i >= int(c.Given) {
			v = 0xffff
		}
		if i == 0 || i == 6 {
			out = binary.BigEndian.AppendUint16(out, v)
		} else {
			out = append(out, byte(v))
		}
	}
	return out
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
