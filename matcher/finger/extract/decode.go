package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"

	"github.com/tamga-id/tamga/matcher/finger/extract/wsq"
)

// MaxFile is the size in octets above which a file is refused unread: more than the largest
// image takes uncompressed.
const MaxFile = 20 << 20

// assumedDPI is the resolution of a file that does not give one, that of FBI-certified scanners.
const assumedDPI = 500

// Errors of files, to be tested for with errors.Is. A WSQ file that breaks a rule gives a
// [*wsq.FormatError].
var (
	ErrFile   = errors.New("file exceeds the size limit")
	ErrFormat = errors.New("neither a PNG nor a WSQ file")
	ErrPNG    = errors.New("PNG file cannot be decoded")
)

const pngMagic = "\x89PNG\r\n\x1a\n"

// Decode reads a PNG or WSQ file, told apart by their first octets. The resolution is dpi when
// that is not 0, else what the file says (the pHYs chunk of PNG, the NIST comment of WSQ), else
// 500. Colours become grey by their luma. Sides and resolution are checked before memory is
// taken. b is not kept.
func Decode(b []byte, dpi int) (Image, error) {
	switch {
	case len(b) > MaxFile:
		return Image{}, fmt.Errorf("decoding finger image: %w", ErrFile)
	case bytes.HasPrefix(b, []byte(pngMagic)):
		return decodePNG(b, dpi)
	case bytes.HasPrefix(b, []byte{0xff, 0xa0}):
		m, err := wsq.Decode(b)
		if err != nil {
			return Image{}, fmt.Errorf("decoding finger image: %w", err)
		}
		return Raw(m.Pix, m.Width, m.Height, resolution(dpi, m.PPI))
	}
	return Image{}, fmt.Errorf("decoding finger image: %w", ErrFormat)
}

// Raw takes pixels without a header, rows from the top, and keeps them.
func Raw(pix []uint8, width, height, dpi int) (Image, error) {
	m := Image{Pix: pix, Width: width, Height: height, DPI: dpi}
	if err := m.check(); err != nil {
		return Image{}, err
	}
	return m, nil
}

// resolution is the first that is given.
func resolution(asked, found int) int {
	if asked != 0 {
		return asked
	}
	if found != 0 {
		return found
	}
	return assumedDPI
}

func decodePNG(b []byte, dpi int) (Image, error) {
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return Image{}, fmt.Errorf("decoding finger image: %w: %v", ErrPNG, err)
	}
	dpi = resolution(dpi, physical(b))
	if err := checkShape(c.Width, c.Height, dpi); err != nil {
		return Image{}, err
	}
	in, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return Image{}, fmt.Errorf("decoding finger image: %w: %v", ErrPNG, err)
	}
	return Raw(grey(in), c.Width, c.Height, dpi)
}

// physical is the resolution of the pHYs chunk, which stands before the image data (PNG, third
// edition, clause 11.3.4.3), or 0 when there is none in pixels per metre.
func physical(b []byte) int {
	for at := len(pngMagic); at+12 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[at:]))
		kind := string(b[at+4 : at+8])
		if n > len(b)-at-12 || kind == "IDAT" {
			break
		}
		if data := b[at+8 : at+8+n]; kind == "pHYs" && n == 9 && data[8] == 1 {
			perMetre := binary.BigEndian.Uint32(data)
			if perMetre == binary.BigEndian.Uint32(data[4:]) {
				return int(math.Round(float64(perMetre) * 0.0254))
			}
		}
		at += 12 + n
	}
	return 0
}

// grey gives the pixels of any picture.
func grey(in image.Image) []uint8 {
	box := in.Bounds()
	width, height := box.Dx(), box.Dy()
	out := make([]uint8, width*height)
	if g, ok := in.(*image.Gray); ok {
		for y := range height {
			copy(out[y*width:(y+1)*width], g.Pix[y*g.Stride:])
		}
		return out
	}
	for y := range height {
		for x := range width {
			out[y*width+x] = color.GrayModel.Convert(in.At(box.Min.X+x, box.Min.Y+y)).(color.Gray).Y
		}
	}
	return out
}
