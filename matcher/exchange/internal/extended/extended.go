// Package extended walks the extended data areas of ISO/IEC 19794-2 finger records, which are
// built alike in the editions of 2005 (clause 7.5) and 2011, and keeps in them, in a block of
// vendor-defined type, why a view has no minutiae: neither edition has a field for it.
//
// Start with [Fault], then [Absence] and [AppendAbsence]. It reads no content of other blocks.
package extended

import (
	"encoding/binary"

	"github.com/tamga-id/tamga/matcher/finger"
)

// Max is the largest area that its length field of two octets can name.
const Max = 1<<16 - 1

const header = 4 // type and length

// typeAbsence is of the vendor-defined types, those whose lower octet is not zero and whose upper
// octet is not zero either. Other vendors may use it too, so the data begin with a mark.
const (
	typeAbsence = 0x5441 // "TA"
	mark        = "ABS"
	absenceSize = header + len(mark) + 1
)

// Fault finds the first block that does not fit into the area, at an offset from its start.
//
//	area  = *block
//	block = 2OCTET 2OCTET *OCTET ; type, length of the block with these four, data
func Fault(area []byte) (offset int, bad bool) {
	if len(area) > Max {
		return 0, true
	}
	for at := 0; at < len(area); {
		rest := area[at:]
		if len(rest) < header {
			return at, true
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n < header || n > len(rest) {
			return at + 2, true
		}
		at += n
	}
	return 0, false
}

// Absence finds the reason that an area without faults gives.
func Absence(area []byte) (finger.Absence, bool) {
	for len(area) >= header {
		n := int(binary.BigEndian.Uint16(area[2:]))
		if n < header || n > len(area) {
			break
		}
		if binary.BigEndian.Uint16(area) == typeAbsence && n == absenceSize && string(area[header:n-1]) == mark {
			if a := finger.Absence(area[n-1]); a > finger.Present && a <= finger.UnableToPrint {
				return a, true
			}
		}
		area = area[n:]
	}
	return finger.Present, false
}

// AppendAbsence appends the block that gives a reason:
//
//	absence = %x54.41 %x00.08 "ABS" %x01-04 ; a finger.Absence
func AppendAbsence(area []byte, a finger.Absence) []byte {
	area = binary.BigEndian.AppendUint16(area, typeAbsence)
	area = binary.BigEndian.AppendUint16(area, uint16(absenceSize))
	area = append(area, mark...)
	return append(area, byte(a))
}
