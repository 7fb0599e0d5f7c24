package finger39794_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/finger39794"
	"github.com/tamga-id/tamga/matcher/finger"
)

// layout is one that the tests made up: it is not that of the standard.
func layout() finger39794.Layout {
	type p = finger39794.Path
	return finger39794.Layout{
		Position: p{0}, Impression: p{1}, Width: p{2, 0}, Height: p{2, 1}, ResX: p{3, 0}, ResY: p{3, 0}, Unit: p{3, 1},
		Quality: p{5}, Absence: p{6}, Minutiae: p{4},
		X: p{0, 0}, Y: p{0, 1}, Angle: p{1}, Type: p{2}, MinutiaQuality: p{3},
		Turn: 360, Ending: 0, Bifurcation: 1,
	}
}

// golden is one record of that layout octet by octet: a right index finger, and a left thumb that
// is missing.
const golden = `
62 60                 [APPLICATION 2]
a0 07                 version block
80 01 03              generation 3
81 02 07e7            year 2023
a1 55                 representation blocks

30 32                 representation
80 01 02              right index
a1 03 80 01 18        impression: choice of a code, 24
a2 08                 image
80 02 0168            360 wide
81 02 01e0            480 high
a3 07                 sampling rate
80 02 01f4            500
81 01 00              an inch
a4 15                 minutiae
30 13                 minutia
a0 06                 location
80 01 64              x 100
81 01 78              y 120
81 01 5a              90 degrees
a2 03 80 01 01        bifurcation
83 01 50              quality 80

30 1f                 representation
80 01 06              left thumb
a2 06                 image
80 01 0a              10 wide
81 01 0a              10 high
a3 07                 sampling rate
80 02 00c5            197
81 01 01              a centimetre
a6 03 80 01 02        amputated
9e 04 deadbeef        of an extension
`

func octets(t testing.TB, annotated string) []byte {
	t.Helper()
	var b []byte
	for _, line := range strings.Split(annotated, "\n") {
		digits, _, _ := strings.Cut(line, "  ")
		part, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		b = append(b, part...)
	}
	return b
}

func TestParse(t *testing.T) {
	want := []finger.Sample{
		{Position: 2, Impression: 24, Width: 360, Height: 480, ResX: 197, ResY: 197,
			Minutiae: []finger.Minutia{{X: 100, Y: 120, Angle: 64, Type: 2, Quality: 80}}},
		{Position: 6, Width: 10, Height: 10, ResX: 197, ResY: 197, Absent: finger.Amputated},
	}
	b := octets(t, golden)
	for name, in := range map[string][]byte{"bare": b, "wrapped": append([]byte{0xa1, byte(len(b))}, b...)} {
		r, err := finger39794.Parse(in, layout())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, r.Samples); d != "" || r.Generation != 3 || r.Year != 2023 {
			t.Errorf("%s: generation %d of %d (-want +got):\n%s", name, r.Generation, r.Year, d)
		}
	}
}

// TestUnits: angles come in steps of a turn that the layout names, types by its codes.
func TestUnits(t *testing.T) {
	b := octets(t, golden)
	for _, c := range []struct {
		turn  int
		angle byte
		want  uint8
	}{{360, 0, 0}, {360, 1, 1}, {360, 45, 32}, {360, 89, 63}, {360, 127, 90}, {256, 127, 127}, {256, 1, 1}} {
		l := layout()
		l.Turn = c.turn
		b[56] = c.angle
		r, err := finger39794.Parse(b, l)
		if err != nil || r.Samples[0].Minutiae[0].Angle != c.want {
			t.Errorf("%d of %d: got %v, want %d", c.angle, c.turn, err, c.want)
		}
	}
	for code, want := range map[byte]uint8{0: 1, 1: 2, 2: 0, 9: 0} {
		b[61] = code
		r, err := finger39794.Parse(b, layout())
		if err != nil || r.Samples[0].Minutiae[0].Type != want {
			t.Errorf("type code %d: %v, want %d", code, err, want)
		}
	}
	l := layout()
	l.Type, l.MinutiaQuality, l.Impression = nil, nil, nil
	r, err := finger39794.Parse(b, l)
	if err != nil || r.Samples[0].Impression != 0 || r.Samples[0].Minutiae[0].Type != 0 || r.Samples[0].Minutiae[0].Quality != 0 {
		t.Errorf("fields that the layout does not have: %v", err)
	}
}

// TestReasons writes the reasons of annotation blocks out.
func TestReasons(t *testing.T) {
	b := octets(t, golden)
	for code, want := range []finger.Absence{finger.NotCaptured, finger.NotCaptured, finger.Amputated,
		finger.UnableToPrint, finger.UnableToPrint, finger.UnableToPrint, finger.UnableToPrint} {
		b[91] = byte(code)
		r, err := finger39794.Parse(b, layout())
		if err != nil || r.Samples[1].Absent != want {
			t.Errorf("reason %d: %v, want %d", code, err, want)
		}
	}
	l := layout()
	l.Absence = nil
	if r, err := finger39794.Parse(b, l); err != nil || r.Samples[1].Absent != finger.NotCaptured {
		t.Errorf("no reason: %v", err)
	}
	l.Quality = finger39794.Path{3, 1} // 1, of the unit
	if r, err := finger39794.Parse(b, l); err != nil || r.Samples[1].Absent != finger.NotExtracted {
		t.Errorf("no reason, but a quality: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	// Each case changes one thing of the golden record; offsets are those of its annotations.
	put := func(at int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], v); return b }
	}
	raw := func(s string) func([]byte) []byte { return func([]byte) []byte { return octets(t, s) } }
	for name, c := range map[string]struct {
		change func([]byte) []byte
		offset int
		rule   string
	}{
		"empty":              {raw(""), 0, "record ends early"},
		"tag-only":           {raw("62"), 1, "record ends early"},
		"face":               {put(0, 0x65), 0, "element has another tag than its place allows"},
		"primitive":          {put(0, 0x42), 0, "element has another tag than its place allows"},
		"trailing":           {func(b []byte) []byte { return append(b, 0) }, 98, "octets after the record"},
		"cut":                {func(b []byte) []byte { return b[:97] }, 97, "record ends early"},
		"indefinite":         {put(1, 0x80), 1, "length is indefinite or too long"},
		"long-length":        {put(1, 0x84), 1, "length is indefinite or too long"},
		"cut-length":         {raw("62 82 01"), 3, "record ends early"},
		"long-tag":           {put(2, 0xbf), 2, "element has another tag than its place allows"},
		"no-version":         {put(2, 0xa2), 0, "version block is missing or of another generation"},
		"version-primitive":  {put(2, 0x80), 2, "element that holds others is primitive"},
		"generation-2":       {put(6, 2), 2, "version block is missing or of another generation"},
		"generation-4":       {put(6, 4), 4, "number out of range"},
		"no-generation":      {put(4, 0x82), 2, "required field is missing"},
		"year":               {put(9, 0x7f), 7, "number out of range"},
		"no-blocks":          {put(11, 0xa2), 0, "there is no representation"},
		"no-block":           {raw("62 0b a0 07 80 01 03 81 02 07e7 a1 00"), 11, "there is no representation"},
		"blocks-primitive":   {put(11, 0x81), 11, "element that holds others is primitive"},
		"not-a-sequence":     {put(13, 0x31), 13, "element has another tag than its place allows"},
		"position-11":        {put(17, 11), 15, "number out of range"},
		"position-negative":  {put(17, 0xff), 15, "number is negative, too long or not in its shortest form"},
		"no-position":        {put(15, 0x87), 13, "required field is missing"},
		"position-twice":     {put(18, 0xa0), 18, "field is there twice"},
		"impression-other":   {put(20, 0x81), 18, "code is of an extension that is not known"},
		"width-padded":       {put(27, 0, 0x7f), 25, "number is negative, too long or not in its shortest form"},
		"width-large":        {put(27, 0x40), 25, "number out of range"},
		"no-height":          {put(29, 0x84), 13, "required field is missing"},
		"width-zero":         {put(27, 0, 0), 25, "number is negative, too long or not in its shortest form"},
		"no-width":           {put(74, 0), 65, "image has no width or no height"},
		"sampling-low":       {put(37, 0, 0xf7), 13, "sampling rate out of range"},
		"unit":               {put(41, 2), 13, "unit is not known"},
		"minutiae-primitive": {put(42, 0x84), 42, "element that holds others is primitive"},
		"minutia-tag":        {put(44, 0x31), 44, "element has another tag than its place allows"},
		"no-location":        {put(46, 0xa7), 44, "required field is missing"},
		"no-y":               {put(51, 0x83), 44, "required field is missing"},
		"x":                  {func(b []byte) []byte { copy(b[27:], []byte{0, 0xff}); b[50] = 0xff; return b }, 48, "number is negative, too long or not in its shortest form"},
		"type-other":         {put(59, 0x81), 57, "code is of an extension that is not known"},
		"quality-101":        {put(64, 101), 62, "number out of range"},
		"reason-7":           {put(91, 7), 65, "reason for a missing finger is not known, or stands beside minutiae"},
		"extension-cut":      {put(93, 5), 98, "record ends early"},
		"too-large":          {func([]byte) []byte { return make([]byte, finger39794.Max+1) }, 0, "record exceeds the size limit"},
		"wrapper-of-other":   {raw("a1 03 65 01 00"), 2, "element has another tag than its place allows"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := finger39794.Parse(c.change(octets(t, golden)), layout())
			var f *exchange.FormatError
			if !errors.As(err, &f) {
				t.Fatalf("got %v, want a FormatError", err)
			}
			if f.Format != exchange.FormatFinger39794 || f.Offset != c.offset || f.Rule != c.rule {
				t.Errorf("got %s at %d: %s, want %d: %s", f.Format, f.Offset, f.Rule, c.offset, c.rule)
			}
			if r.Samples != nil || r.Year != 0 {
				t.Error("a refused record is not zero")
			}
		})
	}
}

// TestBounds: numbers of representations and minutiae are limited, and a minutia is in the image.
func TestBounds(t *testing.T) {
	minutia := octets(t, "30 13 a0 06 80 01 09 81 01 09 81 01 5a a2 03 80 01 01 83 01 50")
	record := func(representations, minutiae int) []byte {
		var list, blocks []byte
		for range minutiae {
			list = append(list, minutia...)
		}
		rep := append(octets(t, "80 01 06 a2 06 80 01 0a 81 01 0a a3 04 80 02 00c5"), element(0xa4, list)...)
		for range representations {
			blocks = append(blocks, element(0x30, rep)...)
		}
		return element(0x62, append(octets(t, "a0 07 80 01 03 81 02 07e7"), element(0xa1, blocks)...))
	}
	if r, err := finger39794.Parse(record(176, 255), layout()); err != nil || len(r.Samples) != 176 || len(r.Samples[175].Minutiae) != 255 {
		t.Errorf("the largest record: %v", err)
	}
	for name, c := range map[string]struct {
		b    []byte
		rule string
	}{
		"representations": {record(177, 1), "too many representations"},
		"minutiae":        {record(1, 256), "too many minutiae"},
	} {
		_, err := finger39794.Parse(c.b, layout())
		var f *exchange.FormatError
		if !errors.As(err, &f) || f.Rule != c.rule {
			t.Errorf("%s: got %v", name, err)
		}
	}
	minutia[6] = 10
	_, err := finger39794.Parse(record(1, 1), layout())
	var f *exchange.FormatError
	if !errors.As(err, &f) || f.Rule != "minutia outside the image" {
		t.Errorf("outside: got %v", err)
	}
}

func element(tag byte, v []byte) []byte {
	n := len(v)
	return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, v...)
}

func TestLayoutIsChecked(t *testing.T) {
	for name, change := range map[string]func(*finger39794.Layout){
		"empty":    func(l *finger39794.Layout) { *l = finger39794.Layout{} },
		"position": func(l *finger39794.Layout) { l.Position = nil },
		"minutiae": func(l *finger39794.Layout) { l.Minutiae = finger39794.Path{} },
		"deep":     func(l *finger39794.Layout) { l.Quality = make(finger39794.Path, 9) },
		"tag":      func(l *finger39794.Layout) { l.X = finger39794.Path{31} },
		"turn":     func(l *finger39794.Layout) { l.Turn = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			l := layout()
			change(&l)
			if _, err := finger39794.Parse(octets(t, golden), l); !errors.Is(err, finger39794.ErrLayout) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSpecimens: the frame that is built in is that of the specimens which ICAO published for part
// 5. With the tag of part 2 in their place they are read up to the first field that they lack.
func TestSpecimens(t *testing.T) {
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "vectors", "icao-iso39794", "document", "iso39794", "test_data")
	for _, name := range []string{"ICAO_39794_5_AP_AllFields.dat", "ICAO_39794_5_AP_MandFields.dat"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		if err != nil {
			t.Skipf("shared test data is absent: %v", err)
		}
		var f *exchange.FormatError
		const inner, representation = 4, 21 // as openssl asn1parse shows them
		if _, err := finger39794.Parse(b, layout()); !errors.As(err, &f) || f.Offset != inner {
			t.Errorf("%s: a face is taken: %v", name, err)
		}
		b[inner] = 0x62
		l := layout()
		l.Impression = nil // which is an image there
		if _, err = finger39794.Parse(b, l); !errors.As(err, &f) || f.Offset < representation || f.Rule != "required field is missing" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRedacted(t *testing.T) {
	r, err := finger39794.Parse(octets(t, golden), layout())
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %v", r, &r, []any{r}, r.LogValue())
	if strings.Contains(out, "360") || strings.Contains(out, "120") || !strings.Contains(out, "redacted") {
		t.Errorf("content shows in %s", out)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(octets(f, golden))
	f.Add(octets(f, "62 0b a0 07 80 01 03 81 02 07e7 a1 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := finger39794.Parse(b, layout())
		if err != nil {
			var fe *exchange.FormatError
			if r.Samples != nil || !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > len(b) {
				t.Errorf("got %v", err)
			}
			return
		}
		if len(r.Samples) == 0 {
			t.Error("a record without representations is taken")
		}
		for i, s := range r.Samples {
			if (s.Absent == finger.Present) != (len(s.Minutiae) > 0) {
				t.Errorf("sample %d: %d minutiae, absence %d", i, len(s.Minutiae), s.Absent)
			}
			if s.Impression > 8 {
				s.Impression = 0
			}
			// What is read is within what a record of 2005 can say.
			if _, err := exchange.EncodeFinger([]finger.Sample{s}); err != nil {
				t.Errorf("sample %d: %v", i, err)
			}
		}
	})
}
