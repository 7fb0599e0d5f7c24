package wsq_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/finger/extract/wsq"
)

// rings is a picture of ridges in every direction.
func rings(width, height int) []uint8 {
	pix := make([]uint8, width*height)
	for y := range height {
		for x := range width {
			r := math.Hypot(float64(x)-0.4*float64(width), float64(y)-0.6*float64(height))
			pix[y*width+x] = uint8(120 + 90*math.Cos(r*2*math.Pi/9) + 20*math.Sin(float64(x)/40))
		}
	}
	return pix
}

// TestDecode: what was encoded comes back but for the quantisation, whatever the parity of the
// sides at each level. A bin of width q leaves an error of about q/sqrt(12) a coefficient, which
// this nearly orthogonal transform hands on to the pixels.
func TestDecode(t *testing.T) {
	for _, size := range [][2]int{{128, 128}, {129, 127}, {131, 150}, {100, 97}, {67, 64}, {190, 203}} {
		for _, q := range []float64{0.5, 4, 40} {
			width, height := size[0], size[1]
			pix := rings(width, height)
			m, err := wsq.Decode(encode(pix, width, height, q))
			if err != nil {
				t.Fatalf("%v q %v: %v", size, q, err)
			}
			if m.Width != width || m.Height != height || m.PPI != 500 {
				t.Fatalf("%v: got %dx%d at %d", size, m.Width, m.Height, m.PPI)
			}
			sum := 0.0
			for i, v := range m.Pix {
				d := float64(v) - float64(pix[i])
				sum += d * d
			}
			if rms := math.Sqrt(sum / float64(len(pix))); rms > 0.35+0.5*q {
				t.Errorf("%v q %v: root mean square error %.2f, want at most %.2f", size, q, rms, 0.35+0.5*q)
			}
		}
	}
}

var update = flag.Bool("update", false, "write the golden file anew")

// TestGolden pins the format: the file, synthetic rings, decodes to the picture that it was made
// of, and the encoder still writes it.
func TestGolden(t *testing.T) {
	const name, width, height = "testdata/rings.wsq", 120, 110
	made := encode(rings(width, height), width, height, 24)
	if *update {
		if err := os.WriteFile(name, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Errorf("the encoder writes another file of %d octets, want the %d kept", len(made), len(kept))
	}
	m, err := wsq.Decode(kept)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, v := range rings(width, height) {
		worst = max(worst, math.Abs(float64(v)-float64(m.Pix[i])))
	}
	if worst > 45 {
		t.Errorf("a pixel is off by %.0f, want at most 45", worst)
	}
}

// TestRefusals breaks one rule at a time.
func TestRefusals(t *testing.T) {
	good := encode(rings(80, 70), 80, 70, 4)
	find := func(marker byte) int { return bytes.Index(good, []byte{0xff, marker}) }
	edit := func(at int, v ...byte) []byte {
		b := slices.Clone(good)
		copy(b[at:], v)
		return b
	}
	insert := func(at int, v ...byte) []byte { return slices.Insert(slices.Clone(good), at, v...) }
	frame, table, quant, codes, block := find(0xa2), find(0xa4), find(0xa5), find(0xa6), find(0xa3)
	for _, c := range []struct {
		name, rule string
		in         []byte
	}{
		{"empty", "does not begin", nil},
		{"magic", "does not begin", edit(0, 0xfe)},
		{"short", "ends early", good[:2]},
		{"segment", "segment length", edit(table+2, 0xff, 0xff)},
		{"frame-length", "frame header", edit(frame+3, 18)},
		{"height", "height out of range", edit(frame+6, 0, 63)},
		{"width", "width out of range", edit(frame+8, 0x0f, 0xa1)},
		{"bomb", "too few octets", edit(frame+6, 0x0f, 0xa0, 0x0f, 0xa0)},
		{"scale", "scale out of range", edit(frame+14, 0, 0)},
		{"even", "filters of this length", edit(table+4, 8)},
		{"taps", "transform table has the wrong length", edit(table+4, 7)},
		{"coefficient", "coefficient out of range", edit(table+7, 0)},
		{"quant-length", "quantisation table has", edit(quant+3, 0x84)},
		{"centre", "centre out of range", edit(quant+4, 0)},
		{"bin", "bin out of range", edit(quant+7, 0, 0xff, 0xff)},
		{"diagonal", "never coded", append(slices.Clone(good[:quant+7+6*60]), append([]byte{0, 0, 1}, good[quant+7+6*60+3:]...)...)},
		{"codes", "too many Huffman codes", edit(codes+5, 3)},
		{"codes-length", "Huffman table has the wrong length", edit(codes+20, 200)},
		{"codes-id", "table number", edit(codes+4, 9)},
		{"block-table", "not defined", edit(block+4, 3)},
		{"restart", "restart", insert(frame, 0xff, 0xa7, 0, 4, 0, 1)},
		{"order", "expected a frame header", insert(2, 0xff, 0xa3, 0, 3, 0)},
		{"truncated", "end early", good[:len(good)-20]},
		{"trailing", "after the end", append(slices.Clone(good), 0)},
		{"size", "size limit", make([]byte, wsq.MaxSize+1)},
	} {
		m, err := wsq.Decode(c.in)
		var f *wsq.FormatError
		if !errors.As(err, &f) || !strings.Contains(f.Rule, c.rule) {
			t.Errorf("%s: got %v, want a rule with %q", c.name, err, c.rule)
		}
		if m.Pix != nil || m.Width != 0 {
			t.Errorf("%s: a picture beside the error", c.name)
		}
	}
}

// TestRedaction: a picture does not print.
func TestRedaction(t *testing.T) {
	m := wsq.Image{Pix: []uint8{201, 202}, Width: 2, Height: 1}
	for _, s := range []string{fmt.Sprintf("%v", m), fmt.Sprintf("%+v", m), fmt.Sprintf("%#v", m), fmt.Sprint(&m), m.LogValue().String()} {
		if s != "finger image(redacted)" && s != "&finger image(redacted)" {
			t.Errorf("printed %q", s)
		}
	}
}

// FuzzDecode: no input panics, and what is accepted has the size that it says, within the limits.
func FuzzDecode(f *testing.F) {
	f.Add(encode(rings(64, 65), 64, 65, 30))
	f.Add(encode(make([]uint8, 64*64), 64, 64, 9))
	f.Add([]byte{0xff, 0xa0, 0xff, 0xa1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wsq.Decode(b)
		if err != nil {
			if m.Pix != nil {
				t.Error("a picture beside the error")
			}
			return
		}
		if len(m.Pix) != m.Width*m.Height || m.Width < wsq.MinSide || m.Width > wsq.MaxSide || m.Height < wsq.MinSide || m.Height > wsq.MaxSide {
			t.Errorf("%d pixels of %dx%d", len(m.Pix), m.Width, m.Height)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	in := encode(rings(388, 374), 388, 374, 8)
	b.SetBytes(388 * 374)
	for b.Loop() {
		if _, err := wsq.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}
