package exchange

import (
	"encoding/binary"
	"errors"
)

// Format is one of the identifiers of formats, given by [Detect].
type Format string

// ErrUnknownFormat says that bytes begin like no format that this package or its sub-packages
// know.
var ErrUnknownFormat = errors.New("recognising format: the record begins like none that is known")

// Detect names the format of bytes by how they begin. It says what to read them with and not that
// they are well-formed. The error is [ErrUnknownFormat].
//
//	FormatFinger2005    "FMR" %x00 " 20" %x00             ; length of four octets
//	FormatFinger378     "FMR" %x00 " 20" %x00             ; length of two octets, or of six
//	FormatFinger2011    "FMR" %x00 "030" %x00
//	FormatEmbedding     "TEMB"
//	FormatFingerImage   "FIR" %x00
//	FormatSignature2007 "SDI" %x00
//	FormatIris          "TIRI"
//	FormatCBEFF         %x7F60 / %x7F61 / %x63 ... %x7F61 ; template, group, EF.DG3
//	FormatFinger39794   %x62 ... %xA0 / %xA1 ... %x62     ; [APPLICATION 2], version block; the same in [1]
func Detect(b []byte) (Format, error) {
	begins := func(s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }
	switch {
	case begins("FMR\x00 20\x00"):
		return finger20(b), nil
	case begins("FMR\x00030\x00"):
		return FormatFinger2011, nil
	case begins(embeddingMagic):
		return FormatEmbedding, nil
	case begins("FIR\x00"):
		return FormatFingerImage, nil
	case begins("SDI\x00"):
		return FormatSignature2007, nil
	case begins("TIRI"):
		return FormatIris, nil
	case begins("\x7f\x60"), begins("\x7f\x61"), within(b, 0x63, "\x7f\x61"):
		return FormatCBEFF, nil
	case within(b, 0x62, "\xa0"), within(b, 0xa1, "\x62"):
		return FormatFinger39794, nil
	}
	return "", ErrUnknownFormat
}

// finger20 tells the two formats apart that begin with the same eight octets. A record of 2005 has
// 24 octets at least and then a length of four, whose upper half is small; one of INCITS 378 has 26
// at least and a length of two, or of six of which the first two are zero.
func finger20(b []byte) Format {
	const least2005, least378 = 24, 26
	if len(b) < offsetLength+4 {
		return FormatFinger2005
	}
	upper, lower := binary.BigEndian.Uint16(b[offsetLength:]), binary.BigEndian.Uint16(b[offsetLength+2:])
	if upper >= least378 || upper == 0 && lower < least2005 {
		return FormatFinger378
	}
	return FormatFinger2005
}

// within tells whether b is an element of BER-TLV with a tag and a definite length whose contents
// begin with s.
func within(b []byte, tag byte, s string) bool {
	if len(b) < 2 || b[0] != tag || b[1] == 0x80 || b[1] > 0x84 {
		return false
	}
	at := 2
	if b[1] > 0x80 {
		at += int(b[1] & 0x7f)
	}
	return len(b) >= at+len(s) && string(b[at:at+len(s)]) == s
}
