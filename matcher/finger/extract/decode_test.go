package extract_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/finger/extract"
	"github.com/tamga-id/tamga/matcher/finger/extract/wsq"
)

// encodePNG writes a picture, with its resolution when perMetre is not 0.
func encodePNG(t testing.TB, m image.Image, perMetre uint32) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if perMetre == 0 {
		return b.Bytes()
	}
	chunk := []byte("pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(binary.BigEndian.AppendUint32(chunk, perMetre), 1)
	whole := append([]byte{0, 0, 0, 9}, chunk...)
	whole = binary.BigEndian.AppendUint32(whole, crc32.ChecksumIEEE(chunk))
	const afterHeader = 8 + 25
	return slices.Insert(b.Bytes(), afterHeader, whole...)
}

func TestDecodePNG(t *testing.T) {
	ridges := draw(150, 120, 9, 1, nil)
	plain := &image.Gray{Pix: ridges.Pix, Stride: 150, Rect: image.Rect(0, 0, 150, 120)}
	colour := image.NewNRGBA(plain.Rect)
	for y := range 120 {
		for x := range 150 {
			colour.Set(x, y, color.NRGBA{plain.GrayAt(x, y).Y, plain.GrayAt(x, y).Y, plain.GrayAt(x, y).Y, 255})
		}
	}
	for _, c := range []struct {
		name     string
		in       []byte
		asked    int
		expected int
	}{
		{"plain", encodePNG(t, plain, 0), 0, 500},
		{"asked", encodePNG(t, plain, 0), 569, 569},
		{"told", encodePNG(t, plain, 39370), 0, 1000},
		{"overruled", encodePNG(t, plain, 39370), 500, 500},
		{"colour", encodePNG(t, colour, 0), 0, 500},
	} {
		m, err := extract.Decode(c.in, c.asked)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if m.DPI != c.expected || m.Width != 150 || m.Height != 120 || !bytes.Equal(m.Pix, ridges.Pix) {
			t.Errorf("%s: %dx%d at %d dpi, want 150x120 at %d and the same pixels", c.name, m.Width, m.Height, m.DPI, c.expected)
		}
	}
}

// TestDecodeWSQ: the synthetic file of package wsq, its resolution from the NIST comment.
func TestDecodeWSQ(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("wsq", "testdata", "rings.wsq"))
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[int]int{0: 500, 1000: 1000} {
		m, err := extract.Decode(raw, asked)
		if err != nil || m.Width != 120 || m.Height != 110 || m.DPI != want {
			t.Errorf("asked %d dpi: %dx%d at %d, %v", asked, m.Width, m.Height, m.DPI, err)
		}
	}
}

func TestDecodeRefusals(t *testing.T) {
	good := encodePNG(t, image.NewGray(image.Rect(0, 0, 120, 120)), 0)
	for _, c := range []struct {
		name string
		in   []byte
		dpi  int
		want error
	}{
		{"empty", nil, 0, extract.ErrFormat},
		{"text", []byte("P5 100 100 255"), 0, extract.ErrFormat},
		{"huge", make([]byte, extract.MaxFile+1), 0, extract.ErrFile},
		{"cut", good[:len(good)/2], 0, extract.ErrPNG},
		{"header", good[:10], 0, extract.ErrPNG},
		{"tiny", encodePNG(t, image.NewGray(image.Rect(0, 0, 99, 120)), 0), 0, extract.ErrSize},
		{"wide", encodePNG(t, image.NewGray(image.Rect(0, 0, 4001, 100)), 0), 0, extract.ErrSize},
		{"screen", encodePNG(t, image.NewGray(image.Rect(0, 0, 120, 120)), 2835), 0, extract.ErrResolution},
		{"dpi", good, 100, extract.ErrResolution},
	} {
		if _, err := extract.Decode(c.in, c.dpi); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	var f *wsq.FormatError
	if _, err := extract.Decode([]byte{0xff, 0xa0, 0xff, 0xa1}, 0); !errors.As(err, &f) {
		t.Errorf("WSQ: got %v, want a *wsq.FormatError", err)
	}
}

// FuzzDecode: what is accepted can be extracted from.
func FuzzDecode(f *testing.F) {
	f.Add(encodePNG(f, image.NewGray(image.Rect(0, 0, 100, 100)), 0), 500)
	f.Add(encodePNG(f, image.NewPaletted(image.Rect(0, 0, 110, 100), color.Palette{color.White, color.Black}), 19685), 0)
	f.Add([]byte{0xff, 0xa0, 0xff, 0xa2, 0, 17}, 0)
	f.Fuzz(func(t *testing.T, b []byte, dpi int) {
		m, err := extract.Decode(b, dpi)
		if err != nil {
			if m.Pix != nil {
				t.Error("a picture beside the error")
			}
			return
		}
		if m.Width*m.Height > 1<<18 {
			return // slow, and nothing new
		}
		if _, err := extract.Extract(m); err != nil {
			t.Errorf("accepted, then refused: %v", err)
		}
	})
}
