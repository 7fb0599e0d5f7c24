package wsq

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// Markers, clause B.1.1 table B.1.
const (
	markSOI = 0xffa0 // start of image
	markEOI = 0xffa1 // end of image
	markSOF = 0xffa2 // start of frame
	markSOB = 0xffa3 // start of block
	markDTT = 0xffa4 // define transform table
	markDQT = 0xffa5 // define quantisation table
	markDHT = 0xffa6 // define Huffman table
	markDRT = 0xffa7 // define restart interval
	markCOM = 0xffa8 // comment
)

// decoder reads one file from the start to the end.
type decoder struct {
	in            []byte
	at            int
	width, height int
	shift, scale  float32
	ppi           int

	lowpass, highpass []float32 // for synthesis, from the middle outwards
	quantised         bool
	centre            float32
	bins, zeros       [subbands]float32 // width of a bin and of the one about zero
	tables            [8]*huffman

	bands  [subbands]area
	values []int32 // the coefficients in the order of the file
}

func (d *decoder) fault(at int, rule string) error { return &FormatError{at, rule} }

// file = SOI *table SOF 3(*table SOB data) *comment EOI
func (d *decoder) file() error {
	if m, err := d.marker(); err != nil || m != markSOI {
		return d.fault(0, "does not begin with a start-of-image marker")
	}
	m, err := d.tablesUpTo(markSOF)
	if err != nil {
		return err
	}
	if m != markSOF {
		return d.fault(d.at-2, "expected a frame header")
	}
	if err := d.frame(); err != nil {
		return err
	}
	for _, block := range blocks {
		if m, err = d.tablesUpTo(markSOB); err != nil {
			return err
		}
		if m != markSOB {
			return d.fault(d.at-2, "expected a block header")
		}
		if err := d.block(block); err != nil {
			return err
		}
	}
	if m, err = d.tablesUpTo(markEOI); err != nil {
		return err
	}
	if m != markEOI {
		return d.fault(d.at-2, "expected the end-of-image marker")
	}
	if d.at != len(d.in) {
		return d.fault(d.at, "octets after the end-of-image marker")
	}
	if d.lowpass == nil {
		return d.fault(d.at, "no transform table")
	}
	return nil
}

func (d *decoder) marker() (int, error) {
	if d.at+2 > len(d.in) {
		return 0, d.fault(d.at, "file ends early")
	}
	m := int(binary.BigEndian.Uint16(d.in[d.at:]))
	d.at += 2
	return m, nil
}

// tablesUpTo reads tables and comments until another marker, which it returns.
func (d *decoder) tablesUpTo(end int) (int, error) {
	for {
		m, err := d.marker()
		if err != nil || m == end {
			return m, err
		}
		var read func([]byte, int) error
		switch m {
		case markDTT:
			read = d.transformTable
		case markDQT:
			read = d.quantisationTable
		case markDHT:
			read = d.huffmanTables
		case markCOM:
			read = d.comment
		case markDRT:
			return 0, d.fault(d.at-2, "restart intervals are not supported")
		default:
			return m, nil
		}
		body, at, err := d.segment()
		if err != nil {
			return 0, err
		}
		if err := read(body, at); err != nil {
			return 0, err
		}
	}
}

// segment = length body; the length counts its own two octets.
func (d *decoder) segment() (body []byte, at int, err error) {
	if d.at+2 > len(d.in) {
		return nil, 0, d.fault(d.at, "file ends early")
	}
	n := int(binary.BigEndian.Uint16(d.in[d.at:]))
	if n < 2 || d.at+n > len(d.in) {
		return nil, 0, d.fault(d.at, "segment length out of range")
	}
	at = d.at + 2
	d.at += n
	return d.in[at:d.at], at, nil
}

// frame = length black white height width exponent shift exponent scale encoder software
// (clause B.2.2)
func (d *decoder) frame() error {
	b, at, err := d.segment()
	if err != nil {
		return err
	}
	if len(b) != 15 {
		return d.fault(at-2, "frame header has the wrong length")
	}
	d.height, d.width = int(binary.BigEndian.Uint16(b[2:])), int(binary.BigEndian.Uint16(b[4:]))
	switch {
	case d.height < MinSide || d.height > MaxSide:
		return d.fault(at+2, "height out of range")
	case d.width < MinSide || d.width > MaxSide:
		return d.fault(at+4, "width out of range")
	case d.width*d.height > len(d.in)*mostCompressed:
		return d.fault(at+2, "too few octets for an image of this size")
	}
	d.shift = decimal(b[6], uint32(binary.BigEndian.Uint16(b[7:])))
	d.scale = decimal(b[9], uint32(binary.BigEndian.Uint16(b[10:])))
	if d.scale <= 0 || d.scale > 1000 {
		return d.fault(at+9, "scale out of range")
	}
	d.bands = subbandAreas(d.width, d.height)
	return nil
}

// decimal is a value over a power of ten.
func decimal(exponent byte, value uint32) float32 {
	return float32(float64(value) / math.Pow(10, float64(exponent)))
}

const mostTaps = 31

// transformTable = length L0 L1 *coefficient: the right halves of the analysis filters, low pass
// first (clause B.2.4.1). coefficient = sign exponent value
func (d *decoder) transformTable(b []byte, at int) error {
	if len(b) < 2 {
		return d.fault(at, "transform table is short")
	}
	n0, n1 := int(b[0]), int(b[1])
	if n0%2 == 0 || n1%2 == 0 || n0 > mostTaps || n1 > mostTaps {
		return d.fault(at, "wavelet filters of this length are not supported")
	}
	if len(b) != 2+6*((n0+1)/2+(n1+1)/2) {
		return d.fault(at-2, "transform table has the wrong length")
	}
	read := func(n, from int) []float32 {
		taps := make([]float32, (n+1)/2)
		for i := range taps {
			c := b[from+6*i:]
			v := decimal(c[1], binary.BigEndian.Uint32(c[2:]))
			if (c[0] != 0) != (i%2 == 1) { // synthesis filters alternate in sign
				v = -v
			}
			taps[i] = v
		}
		return taps
	}
	d.highpass = read(n0, 2)
	d.lowpass = read(n1, 2+6*((n0+1)/2))
	for i, v := range append(append([]float32(nil), d.highpass...), d.lowpass...) {
		if !(v >= -16 && v <= 16) {
			return d.fault(at+2+6*i, "wavelet coefficient out of range")
		}
	}
	return nil
}

// quantisationTable = length exponent centre 64(exponent bin exponent zero) (clause B.2.4.2)
func (d *decoder) quantisationTable(b []byte, at int) error {
	if len(b) != 3+6*subbands {
		return d.fault(at-2, "quantisation table has the wrong length")
	}
	if d.values != nil {
		return d.fault(at, "quantisation table between blocks")
	}
	d.centre = decimal(b[0], uint32(binary.BigEndian.Uint16(b[1:])))
	if d.centre > 1 {
		return d.fault(at, "bin centre out of range")
	}
	for k := range subbands {
		c := b[3+6*k:]
		d.bins[k] = decimal(c[0], uint32(binary.BigEndian.Uint16(c[1:])))
		d.zeros[k] = decimal(c[3], uint32(binary.BigEndian.Uint16(c[4:])))
		if d.bins[k] > 1e4 || d.zeros[k] > 1e4 {
			return d.fault(at+3+6*k, "quantisation bin out of range")
		}
	}
	for k := coded; k < subbands; k++ {
		if d.bins[k] != 0 {
			return d.fault(at+3+6*k, "a subband that is never coded has a bin")
		}
	}
	d.quantised = true
	return nil
}

// comment keeps the resolution of a NIST comment: lines of a name and a value, the first
// "NIST_COM" and the number of lines, one of them "PPI" and the resolution.
func (d *decoder) comment(b []byte, _ int) error {
	if !bytes.HasPrefix(b, []byte("NIST_COM")) {
		return nil
	}
	for line := range bytes.Lines(b) {
		if name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(" ")); ok && string(name) == "PPI" {
			if n, err := strconv.Atoi(string(bytes.TrimSpace(value))); err == nil && n > 0 && n < 1<<16 {
				d.ppi = n
			}
		}
	}
	return nil
}
