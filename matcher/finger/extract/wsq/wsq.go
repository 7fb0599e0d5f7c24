// Package wsq decodes fingerprint images compressed by wavelet scalar quantisation.
//
// It follows the FBI's "WSQ Gray-Scale Fingerprint Image Compression Specification",
// IAFIS-IC-0110(V3), December 1997 (the version numbered 3.1 differs in how encoders are
// certified); J. Bradley, C. Brislawn, T. Hopper, "The FBI Wavelet/Scalar Quantization Standard
// for Gray-scale Fingerprint Image Compression", SPIE 1961, 1993, explains it. Call [Decode].
//
// It does not encode, and of what the specification allows it leaves out wavelet filters of
// even length, restart intervals and abbreviated files whose tables come from elsewhere: all
// of them are refused by name.
//
// Invariants: an image is decoded whole or refused whole; a refusal is a [*FormatError] that
// says where and which rule, never a byte of the content; time and memory are bounded by
// [MaxSide], [MaxSize] and a limit on the rate of compression, checked before memory is taken.
package wsq

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// Bounds of what is decoded.
const (
	MinSide = 64
	MaxSide = 4000
	MaxSize = 8 << 20 // octets of a file
	// mostCompressed is how many pixels an octet may stand for. Encoders are made for 15; a
	// file beyond this limit wants memory that no fingerprint needs.
	mostCompressed = 500
)

// Image is a decoded picture: 8-bit grey, rows from the top without padding. It is biometric
// data in clear and prints and logs as a constant.
type Image struct {
	Pix           []uint8
	Width, Height int
	PPI           int // pixels per inch as the NIST comment gives it, 0 when there is none
}

// LogValue keeps the picture out of logs.
func (Image) LogValue() slog.Value { return slog.StringValue("finger image(redacted)") }

// Format keeps the picture out of anything printed, whatever the verb.
func (Image) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "finger image(redacted)") }

// FormatError says which rule of the format bytes break. Find it with errors.As.
type FormatError struct {
	Offset int    // octets from the start of the file to the field at fault
	Rule   string // constant text
}

// Error names offset and rule.
func (e *FormatError) Error() string {
	return "decoding WSQ: offset " + strconv.Itoa(e.Offset) + ": " + e.Rule
}

// Decode gives the picture in b, which it does not keep. The error is a [*FormatError].
func Decode(b []byte) (Image, error) {
	if len(b) > MaxSize {
		return Image{}, &FormatError{0, "file exceeds the size limit"}
	}
	d := &decoder{in: b}
	if err := d.file(); err != nil {
		return Image{}, err
	}
	m := Image{Width: d.width, Height: d.height, PPI: d.ppi, Pix: make([]uint8, d.width*d.height)}
	coefficients := d.dequantise()
	reconstruct(coefficients, d.width, d.height, d.lowpass, d.highpass)
	for i, v := range coefficients {
		m.Pix[i] = uint8(min(255, max(0, v*d.scale+d.shift+0.5)))
	}
	return m, nil
}
