package finger2011_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/finger2011"
	"github.com/tamga-id/tamga/matcher/finger"
)

// golden is one record octet by octet: a right index finger with everything, and a left thumb
// that is missing.
const golden = `
464d5200 30333000  FMR, version 030
00000080           length 128
0002 01            two representations, certifications

00000046           length 70
07db 0c 0f 0a 1e 2d 01f4
                   15 December 2011, 10:30:45.500
0e 0042 1234       capacitive, vendor 0x42, device 0x1234
02 50 0101 0001    two quality blocks: 80 by ISO's algorithm 1
ff 0042 0009       and 9 of vendor 0x42 failed
01 0101 02         certified by 0x0101 under scheme 2
02 00              right index, representation 0
00c5 00c5          197 pixels per cm both ways
00 0168 01e0       live-scan plain, 360 x 480
61 02              six octets a minutia, ridge ends, two minutiae
4064 0078 20 5a    ending at 100, 120, 45 degrees, quality 90
8167 01df ff fe    bifurcation at 359, 479, last angle, not reported
000a               ten octets of extended data
0001 0004          ridge counts, empty
ff01 0006 abcd     vendor's, two octets

0000002b           length 43
07db ff ff ff ff ff ffff
                   in 2011
00 0000 0000       device not reported
00 00              no quality blocks, no certifications
06 0f              left thumb, representation 15
0062 0062          98 pixels per cm both ways
1d 0001 3fff       unknown impression, 1 x 16383
50 00              five octets a minutia, valley forks, none
0008               eight octets of extended data
5441 0008 414253 03  reason: amputated
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

func goldenRecord() finger2011.Record {
	return finger2011.Record{Certified: true, Representations: []finger2011.Representation{{
		Captured:   finger2011.CaptureTime{Given: 7, Year: 2011, Month: 12, Day: 15, Hour: 10, Minute: 30, Second: 45, Millisecond: 500},
		Technology: 14, Vendor: 0x42, Device: 0x1234,
		Quality:        []finger2011.QualityBlock{{Score: 80, Vendor: 0x101, Algorithm: 1}, {Score: 255, Vendor: 0x42, Algorithm: 9}},
		Certifications: []finger2011.Certification{{Authority: 0x101, Scheme: 2}},
		Position:       2, ResX: 197, ResY: 197, Width: 360, Height: 480, RidgeEnds: true, MinutiaQuality: true,
		Minutiae: []finger.Minutia{
			{X: 100, Y: 120, Angle: 32, Type: 1, Quality: 90},
			{X: 359, Y: 479, Angle: 255, Type: 2, Quality: 254},
		},
		Extended: []byte{0, 1, 0, 4, 0xff, 1, 0, 6, 0xab, 0xcd},
	}, {
		Captured: finger2011.CaptureTime{Given: 1, Year: 2011},
		Position: 6, Number: 15, ResX: 98, ResY: 98, Impression: 29, Width: 1, Height: 16383,
		Extended: []byte("TA\x00\x08ABS\x03"),
	}}}
}

// plain is a record without the methods that redact it.
func plain(r finger2011.Record) any {
	type representation finger2011.Representation
	var out []representation
	for _, p := range r.Representations {
		if len(p.Minutiae) == 0 {
			p.Minutiae = nil
		}
		out = append(out, representation(p))
	}
	return struct {
		Certified       bool
		Representations []representation
	}{r.Certified, out}
}

func TestGolden(t *testing.T) {
	want := octets(t, golden)
	got, err := goldenRecord().Encode()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoding: got\n%x, %v, want\n%x", got, err, want)
	}
	r, err := finger2011.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(plain(goldenRecord()), plain(r)); d != "" {
		t.Errorf("parsing (-want +got):\n%s", d)
	}
}

func TestDecode(t *testing.T) {
	got, err := finger2011.Decode(octets(t, golden))
	if err != nil {
		t.Fatal(err)
	}
	want := []finger.Sample{
		{Position: 2, Quality: 80, Width: 360, Height: 480, ResX: 197, ResY: 197, Minutiae: []finger.Minutia{
			{X: 100, Y: 120, Angle: 32, Type: 1, Quality: 90}, {X: 359, Y: 479, Angle: 255, Type: 2}}},
		{Position: 6, Impression: 29, Width: 1, Height: 16383, ResX: 98, ResY: 98, Minutiae: []finger.Minutia{}, Absent: finger.Amputated},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestMinutiaQuality: 0 is the worst quality here and "not reported" in a sample.
func TestMinutiaQuality(t *testing.T) {
	r := goldenRecord()
	r.Representations[0].Minutiae = []finger.Minutia{{Quality: 0}, {X: 1, Quality: 100}, {X: 2, Quality: 254}, {X: 3, Quality: 255}}
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s, err := finger2011.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint8{1, 100, 0, 0} {
		if got := s[0].Minutiae[i].Quality; got != want {
			t.Errorf("minutia %d: got %d, want %d", i, got, want)
		}
	}
}

// TestAbsence: every reason survives, alone and beside a quality, as does a finger.
func TestAbsence(t *testing.T) {
	base := finger.Sample{Position: 3, Width: 10, Height: 10, ResX: 197, ResY: 197, Minutiae: []finger.Minutia{}}
	for a := finger.NotCaptured; a <= finger.UnableToPrint; a++ {
		for _, quality := range []uint8{0, 7} {
			s := base
			s.Absent, s.Quality = a, quality
			b, err := finger2011.Encode([]finger.Sample{s})
			if err != nil {
				t.Fatal(err)
			}
			got, err := finger2011.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]finger.Sample{s}, got); d != "" {
				t.Errorf("reason %d, quality %d (-want +got):\n%s", a, quality, d)
			}
		}
	}
	wrong := base
	wrong.Absent = finger.UnableToPrint + 1
	if _, err := finger2011.Encode([]finger.Sample{wrong}); err == nil {
		t.Error("an unknown reason is written")
	}
	wrong.Absent, wrong.Minutiae = finger.Amputated, []finger.Minutia{{X: 1}}
	if _, err := finger2011.Encode([]finger.Sample{wrong}); err == nil {
		t.Error("an amputated finger with minutiae is written")
	}
}

func TestCaptureTime(t *testing.T) {
	at := 19
	b := octets(t, golden)
	for name, c := range map[string]struct {
		octets string
		given  int // -1 when refused
	}{
		"zero":        {"000000000000000000", 0},
		"unknown":     {"ffffffffffffffffff", 0},
		"year":        {"0001ffffffffffffff", 1},
		"leap-day":    {"07dc021dffffffffff", 3},
		"no-leap-day": {"07db021dffffffffff", -1},
		"april-31":    {"07db041f0000000000", -1},
		"midnight":    {"07db0101000000ffff", 6},
		"last":        {"fffe0c1f173b3b03e7", 7},
		"hour-24":     {"07db0101180000ffff", -1},
		"minute-60":   {"07db0101003c00ffff", -1},
		"second-60":   {"07db010100003cffff", -1},
		"millisecond": {"07db010100000003e8", -1},
		"month-0":     {"07db00ffffffffffff", -1},
		"month-13":    {"07db0dffffffffffff", -1},
		"day-0":       {"07db0100ffffffffff", -1},
		"year-0":      {"000001ffffffffffff", -1},
		"month-only":  {"ffff01ffffffffffff", -1},
		"gap":         {"07db01ff00ffffffff", -1},
		"year-last":   {"ffffffffffffff0000", -1},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := hex.DecodeString(c.octets)
			if err != nil {
				t.Fatal(err)
			}
			r, err := finger2011.Parse(append(append(bytes.Clone(b[:at]), v...), b[at+9:]...))
			if c.given < 0 {
				wantFormatError(t, err, at, "capture time is not a time, or known in parts that do not follow each other")
				return
			}
			if err != nil || int(r.Representations[0].Captured.Given) != c.given {
				t.Errorf("got %v, want %d parts", err, c.given)
			}
		})
	}
}

func wantFormatError(t *testing.T, err error, offset int, rule string) {
	t.Helper()
	var f *exchange.FormatError
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a FormatError", err)
	}
	if f.Format != exchange.FormatFinger2011 || f.Offset != offset || f.Rule != rule {
		t.Errorf("got %s at %d: %s, want %d: %s", f.Format, f.Offset, f.Rule, offset, rule)
	}
}

func TestParseRefuses(t *testing.T) {
	// Each case changes one thing of the golden record; offsets are those of its annotations.
	put := func(at int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], v); return b }
	}
	length := func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], uint32(len(b))); return b }
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return length(b[:n]) } }
	const second = 85
	for name, c := range map[string]struct {
		change func([]byte) []byte
		offset int
		rule   string
	}{
		"empty":             {func([]byte) []byte { return nil }, 0, "record ends early"},
		"header-cut":        {func(b []byte) []byte { return b[:14] }, 14, "record ends early"},
		"magic":             {put(1, 'I'), 0, "wrong format identifier"},
		"version-2005":      {put(4, ' ', '2', '0'), 4, "wrong version"},
		"version-end":       {put(7, 1), 4, "wrong version"},
		"length":            {put(11, 0x7f), 8, "length field differs from the record's length"},
		"length-wide":       {put(8, 1), 8, "length field differs from the record's length"},
		"none":              {put(12, 0, 0), 12, "number of representations out of range"},
		"many":              {put(12, 0, 177), 12, "number of representations out of range"},
		"one":               {put(12, 0, 1), second, "octets after the last representation"},
		"three":             {put(12, 0, 3), 128, "record ends early"},
		"flag":              {put(14, 2), 14, "certification flag is neither 0 nor 1"},
		"rep-length-short":  {put(18, 0x45), 15, "representation length differs from the representation's length"},
		"rep-length-long":   {put(15, 1), 15, "representation length differs from the representation's length"},
		"quality-101":       {put(34, 101), 34, "quality score out of range"},
		"quality-254":       {put(39, 254), 39, "quality score out of range"},
		"position-11":       {put(48, 11), 48, "finger position is reserved"},
		"position-16":       {put(48, 16), 48, "finger position is reserved"},
		"position-51":       {put(48, 51), 48, "finger position is reserved"},
		"number-16":         {put(49, 16), 49, "representation number out of range"},
		"duplicate":         {put(second+20, 2, 0), second + 20, "position and representation number occur twice"},
		"resolution-x":      {put(50, 0, 97), 50, "sampling rate out of range"},
		"resolution-y":      {put(52, 0, 0), 52, "sampling rate out of range"},
		"impression-10":     {put(54, 10), 54, "impression type is reserved"},
		"impression-30":     {put(54, 30), 54, "impression type is reserved"},
		"width":             {put(55, 0, 0), 55, "image size out of range"},
		"height":            {put(57, 0x40, 0), 57, "image size out of range"},
		"field-4":           {put(59, 0x41), 59, "minutia field length is neither 5 nor 6"},
		"field-7":           {put(59, 0x71), 59, "minutia field length is neither 5 nor 6"},
		"ending-2":          {put(59, 0x62), 59, "ridge ending type is reserved"},
		"minutiae-many":     {put(60, 200), 128, "record ends early"},
		"type-3":            {put(61, 0xc0), 61, "minutia type is reserved"},
		"x":                 {put(67, 0x81, 0x68), 67, "x outside the image"},
		"y-reserved":        {put(63, 0x40), 63, "reserved bits are not zero"},
		"y":                 {put(69, 0x01, 0xe0), 69, "y outside the image"},
		"minutia-quality":   {put(66, 101), 66, "minutia quality out of range"},
		"minutia-253":       {put(66, 253), 66, "minutia quality out of range"},
		"extended-long":     {put(73, 0xff), 128, "record ends early"},
		"extended-block":    {put(77, 0, 3), 77, "extended data blocks do not fill their area"},
		"extended-overrun":  {put(81, 0, 7), 81, "extended data blocks do not fill their area"},
		"cut-in-minutiae":   {cut(70), 70, "record ends early"},
		"cut-in-quality":    {cut(36), 36, "record ends early"},
		"cut-in-extended":   {cut(80), 80, "record ends early"},
		"trailing":          {func(b []byte) []byte { return length(append(b, 0)) }, 128, "octets after the last representation"},
		"second-position":   {put(second+20, 12), second + 20, "finger position is reserved"},
		"too-large":         {func(b []byte) []byte { return length(append(b, make([]byte, finger2011.Max)...)) }, 8, "record exceeds the size limit"},
		"quality-blocks":    {put(33, 255), 128, "record ends early"},
		"certifications":    {put(44, 255), 128, "record ends early"},
		"quality-of-length": {put(second+31, 0x60), second + 18, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.change(octets(t, golden))
			r, err := finger2011.Parse(b)
			if c.rule == "" {
				// A longer minutia changes nothing where there are none.
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantFormatError(t, err, c.offset, c.rule)
			if r.Representations != nil || r.Certified {
				t.Error("a refused record is not zero")
			}
			if s, err := finger2011.Decode(b); s != nil || err == nil {
				t.Error("Decode takes what Parse refuses")
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	type rep = finger2011.Representation
	for name, c := range map[string]struct {
		change func(*finger2011.Record, *rep)
		offset int
		rule   string
	}{
		"none":           {func(r *finger2011.Record, _ *rep) { r.Representations = nil }, 12, "number of representations out of range"},
		"many":           {func(r *finger2011.Record, _ *rep) { r.Representations = make([]rep, 177) }, 12, "number of representations out of range"},
		"uncertified":    {func(r *finger2011.Record, _ *rep) { r.Certified = false }, 44, "certifications without the certification flag, or too many"},
		"certifications": {func(_ *finger2011.Record, p *rep) { p.Certifications = make([]finger2011.Certification, 256) }, 44, "certifications without the certification flag, or too many"},
		"blocks":         {func(_ *finger2011.Record, p *rep) { p.Quality = make([]finger2011.QualityBlock, 256) }, 33, "too many quality blocks"},
		"given":          {func(_ *finger2011.Record, p *rep) { p.Captured.Given = 8 }, 19, "capture time is not a time, or known in parts that do not follow each other"},
		"not-given":      {func(_ *finger2011.Record, p *rep) { p.Captured.Given = 6 }, 19, "capture time is not a time, or known in parts that do not follow each other"},
		"minutiae":       {func(_ *finger2011.Record, p *rep) { p.Minutiae = make([]finger.Minutia, 256) }, 60, "too many minutiae"},
		"no-quality":     {func(_ *finger2011.Record, p *rep) { p.MinutiaQuality = false }, 66, "minutia quality out of range"},
		"extended":       {func(_ *finger2011.Record, p *rep) { p.Extended = []byte{1} }, 75, "extended data blocks do not fill their area"},
		"extended-64":    {func(_ *finger2011.Record, p *rep) { p.Extended = make([]byte, 1<<16) }, 73, "extended data blocks do not fill their area"},
		"x":              {func(_ *finger2011.Record, p *rep) { p.Minutiae[0].X = 0x4001 }, 61, "x outside the image"},
	} {
		t.Run(name, func(t *testing.T) {
			r := goldenRecord()
			c.change(&r, &r.Representations[0])
			b, err := r.Encode()
			wantFormatError(t, err, c.offset, c.rule)
			if b != nil {
				t.Error("octets beside an error")
			}
		})
	}
}

func TestSeveralFingers(t *testing.T) {
	r := goldenRecord()
	r.Representations[1].Position = 14
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := finger2011.Parse(b); err != nil {
		t.Error(err)
	}
	_, err = finger2011.Decode(b)
	wantFormatError(t, err, 105, "finger position names several fingers")
}

// TestLargest: what the format can hold fits the limit; a record that does not is refused.
func TestLargest(t *testing.T) {
	full := make([]finger.Sample, 0, 177)
	for i := range 176 {
		full = append(full, finger.Sample{Position: uint8(i % 11), Quality: 50, Width: 10, Height: 10, ResX: 197, ResY: 197,
			Minutiae: slicesOf(255, finger.Minutia{Quality: 1})})
	}
	b, err := finger2011.Encode(full)
	if err != nil {
		t.Fatal(err)
	}
	got, err := finger2011.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(full, got); d != "" {
		t.Error("samples change")
	}
	_, err = finger2011.Encode(append(full, full[0]))
	wantFormatError(t, err, 12, "number of representations out of range")
	r, err := finger2011.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	r.Representations[0].Extended = append([]byte{1, 0, 0xff, 0xff}, make([]byte, 0xfffb)...)
	_, err = r.Encode()
	wantFormatError(t, err, 8, "record exceeds the size limit")
}

func slicesOf(n int, m finger.Minutia) []finger.Minutia {
	out := make([]finger.Minutia, n)
	for i := range out {
		out[i] = m
	}
	return out
}

func TestRedacted(t *testing.T) {
	r := goldenRecord()
	out := fmt.Sprintf("%v %+v %#v %x %v %v", r, &r, r.Representations, struct{ R finger2011.Record }{r}, r.LogValue(), r.Representations[0].LogValue())
	for _, mark := range []string{"359", "167", "479", "1234"} {
		if strings.Contains(out, mark) {
			t.Errorf("content shows as %q in %s", mark, out)
		}
	}
}

func Example() {
	record, err := finger2011.Encode([]finger.Sample{
		{Position: 2, Width: 360, Height: 480, ResX: 197, ResY: 197, Minutiae: []finger.Minutia{{X: 100, Y: 120, Angle: 32, Type: 1}}},
		{Position: 3, Width: 360, Height: 480, ResX: 197, ResY: 197, Absent: finger.Amputated},
	})
	if err != nil {
		panic(err)
	}
	samples, err := finger2011.Decode(record)
	if err != nil {
		panic(err)
	}
	fmt.Println(samples[0].Absent == finger.Present, samples[1].Absent == finger.Amputated)
	// Output: true true
}

func FuzzParse(f *testing.F) {
	b := octets(f, golden)
	f.Add(b)
	f.Add(b[:85])
	one := goldenRecord()
	one.Certified = false
	one.Representations = one.Representations[1:]
	small, err := one.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := finger2011.Parse(b)
		if err != nil {
			var fe *exchange.FormatError
			if r.Representations != nil || !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > max(len(b), 15) {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := r.Encode()
		if err != nil || len(again) != len(b) {
			t.Fatalf("encodes differently: %v", err)
		}
		if !bytes.Equal(again, b) {
			// Only a capture time of zeros may have become one of ones.
			for i := range b {
				if b[i] != again[i] && (b[i] != 0 || again[i] != 0xff) {
					t.Fatalf("octet %d encodes differently", i)
				}
			}
		}
		r2, err := finger2011.Parse(again)
		if err != nil || cmp.Diff(plain(r), plain(r2)) != "" {
			t.Errorf("means something else once encoded: %v", err)
		}
		if s, err := finger2011.Decode(b); err == nil {
			back, err := finger2011.Encode(s)
			if err != nil {
				return // numbers beyond 15 of one position
			}
			s2, err := finger2011.Decode(back)
			if err != nil || cmp.Diff(s, s2) != "" {
				t.Errorf("samples change: %v", err)
			}
		}
	})
}
