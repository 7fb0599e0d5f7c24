package exchange_test

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
	"github.com/tamga-id/tamga/matcher/finger"
)

// goldenFinger is one record octet by octet: two views of a right index finger, the second with two
// extended data blocks.
const goldenFinger = `
464d5200 20323000  FMR, version 20
00000040           length 64
8123               certified, device type 0x123
0168 01e0          image 360 x 480
00c5 00c5          197 pixels per cm both ways
02 00              two views, reserved

02 00 50 02        right index, view 0, live-scan plain, quality 80, two minutiae
4064 0078 20 5a    ending at 100, 120, 45 degrees, quality 90
8167 01df ff 00    bifurcation at 359, 479, last angle, quality not reported
0000               no extended data

02 11 00 01        right index, view 1, live-scan rolled, quality 0, one minutia
0000 0000 00 64    other at 0, 0, quality 100
000a               ten octets of extended data
0001 0004          ridge counts, empty
ff01 0006 abcd     vendor's, two octets
`

func octets(t testing.TB, annotated string) []byte {
	t.Helper()
	var b []byte
	for _, line := range strings.Split(annotated, "\n") {
		if len(line) > 19 {
			line = line[:19]
		}
		part, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		b = append(b, part...)
	}
	return b
}

func goldenRecord() exchange.FingerRecord {
	return exchange.FingerRecord{
		CaptureEquipment: 0x8123, Width: 360, Height: 480, ResX: 197, ResY: 197,
		Views: []exchange.FingerView{
			{Position: 2, Quality: 80, Minutiae: []finger.Minutia{
				{X: 100, Y: 120, Angle: 32, Type: 1, Quality: 90},
				{X: 359, Y: 479, Angle: 255, Type: 2},
			}},
			{Position: 2, Number: 1, Impression: 1, Minutiae: []finger.Minutia{{Quality: 100}},
				Extended: []byte{0, 1, 0, 4, 0xff, 1, 0, 6, 0xab, 0xcd}},
		},
	}
}

func TestFingerGolden(t *testing.T) {
	want := octets(t, goldenFinger)
	got, err := goldenRecord().Encode()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoding: got %x, %v, want %x", got, err, want)
	}
	r, err := exchange.ParseFinger(want)
	if err != nil {
		t.Fatal(err)
	}
	if d := diffRecords(goldenRecord(), r); d != "" {
		t.Errorf("parsing (-want +got):\n%s", d)
	}
}

// diffRecords compares as plain structures, since records print as a constant.
func diffRecords(a, b exchange.FingerRecord) string {
	type header struct{ Equipment, Width, Height, ResX, ResY uint16 }
	of := func(r exchange.FingerRecord) header {
		return header{r.CaptureEquipment, r.Width, r.Height, r.ResX, r.ResY}
	}
	return cmp.Diff(of(a), of(b)) + cmp.Diff(a.Samples(), b.Samples()) + cmp.Diff(extras(a), extras(b))
}

func extras(r exchange.FingerRecord) (out []string) {
	for _, v := range r.Views {
		out = append(out, fmt.Sprintf("%d %x", v.Number, v.Extended))
	}
	return out
}

func TestDecodeFingerOwnsMemory(t *testing.T) {
	b := octets(t, goldenFinger)
	r, err := exchange.ParseFinger(b)
	if err != nil {
		t.Fatal(err)
	}
	samples := r.Samples()
	clear(b)
	r.Views[0].Minutiae[0].X = 7
	if samples[0].Minutiae[0].X != 100 || r.Views[1].Extended[4] != 0xff {
		t.Error("result shares memory with its source")
	}
}

func TestParseFingerRefuses(t *testing.T) {
	// Each case changes one thing of the golden record; offsets are those of its annotations.
	put := func(at int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], v); return b }
	}
	length := func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], uint32(len(b))); return b }
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return length(b[:n]) } }
	for name, c := range map[string]struct {
		change func([]byte) []byte
		offset int
		rule   string
	}{
		"empty":             {func(b []byte) []byte { return nil }, 0, "record ends early"},
		"header-cut":        {func(b []byte) []byte { return b[:23] }, 23, "record ends early"},
		"magic":             {put(0, 'F', 'I', 'R'), 0, "wrong format identifier"},
		"magic-ended":       {put(3, ' '), 0, "wrong format identifier"},
		"version-2011":      {put(4, '0', '3', '0'), 4, "wrong version"},
		"length-short":      {put(11, 0x3f), 8, "length field differs from the record's length"},
		"length-long":       {put(11, 0x41), 8, "length field differs from the record's length"},
		"length-wide":       {put(8, 1), 8, "length field differs from the record's length"},
		"length-zero":       {put(8, 0, 0, 0, 0), 8, "length field differs from the record's length"},
		"width-zero":        {put(14, 0, 0), 14, "image size out of range"},
		"height-zero":       {put(16, 0, 0), 16, "image size out of range"},
		"width-large":       {put(14, 0x40, 1), 14, "image size out of range"},
		"resolution-x":      {put(18, 0, 97), 18, "resolution out of range"},
		"resolution-y":      {put(20, 0, 0), 20, "resolution out of range"},
		"no-views":          {put(22, 0), 22, "number of views out of range"},
		"views-17":          {put(22, 17), 22, "number of views out of range"},
		"views-more":        {put(22, 3), 64, "record ends early"},
		"views-fewer":       {put(22, 1), 42, "octets after the last view"},
		"reserved-octet":    {put(23, 1), 23, "reserved octet is not zero"},
		"position":          {put(24, 11), 24, "finger position out of range"},
		"impression":        {put(25, 10), 25, "impression type is reserved"},
		"view-quality":      {put(26, 101), 26, "quality out of range"},
		"count-more":        {put(27, 7), 64, "record ends early"},
		"type-reserved":     {put(28, 0xc0), 28, "minutia type is reserved"},
		"x-outside":         {put(28, 0x41, 0x68), 28, "x outside the image"},
		"reserved-bits":     {put(30, 0x40), 30, "reserved bits are not zero"},
		"reserved-high-bit": {put(36, 0x81), 36, "reserved bits are not zero"},
		"y-outside":         {put(30, 0x01, 0xe0), 30, "y outside the image"},
		"quality":           {put(33, 101), 33, "quality out of range"},
		"duplicate-view":    {put(43, 0x01), 42, "position and view number occur twice"},
		"extended-long":     {put(52, 0, 11), 64, "record ends early"},
		"extended-short":    {put(52, 0, 9), 60, "extended data blocks do not fill their area"},
		"extended-tail":     {func(b []byte) []byte { b[53] = 12; return length(append(b, 0, 0)) }, 64, "extended data blocks do not fill their area"},
		"block-length-3":    {put(56, 0, 3), 56, "extended data blocks do not fill their area"},
		"block-length-0":    {put(56, 0, 0), 56, "extended data blocks do not fill their area"},
		"block-overruns":    {put(60, 0, 7), 60, "extended data blocks do not fill their area"},
		"cut-view-header":   {cut(45), 45, "record ends early"},
		"cut-minutia":       {cut(50), 50, "record ends early"},
		"cut-length":        {cut(53), 53, "record ends early"},
		"trailing":          {func(b []byte) []byte { return length(append(b, 0)) }, 64, "octets after the last view"},
		"too-large":         {func(b []byte) []byte { return length(append(b, make([]byte, exchange.MaxFinger)...)) }, 8, "record exceeds the size limit"},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.change(octets(t, goldenFinger))
			r, err := exchange.ParseFinger(b)
			wantFormatError(t, err, exchange.FormatFinger2005, c.offset, c.rule)
			if r.Views != nil || r.Width != 0 {
				t.Error("a refused record is not zero")
			}
			if s, err := exchange.DecodeFinger(b); s != nil || err == nil {
				t.Error("DecodeFinger takes what ParseFinger refuses")
			}
		})
	}
}

func wantFormatError(t *testing.T, err error, format string, offset int, rule string) {
	t.Helper()
	var f *exchange.FormatError
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a FormatError", err)
	}
	if f.Format != format || f.Offset != offset || f.Rule != rule {
		t.Errorf("got %s at %d: %s, want %d: %s", f.Format, f.Offset, f.Rule, offset, rule)
	}
}

func TestEncodeFingerRefuses(t *testing.T) {
	type record = exchange.FingerRecord
	for name, c := range map[string]struct {
		change func(*record)
		offset int
		rule   string
	}{
		"no-views":    {func(r *record) { r.Views = nil }, 22, "number of views out of range"},
		"width":       {func(r *record) { r.Width = 0x4001 }, 14, "image size out of range"},
		"number":      {func(r *record) { r.Views[1].Number = 16 }, 43, "view number out of range"},
		"impression":  {func(r *record) { r.Views[0].Impression = 16 }, 25, "impression type is reserved"},
		"x-wide":      {func(r *record) { r.Views[0].Minutiae[0].X = 0x4001 }, 28, "x outside the image"},
		"y-wide":      {func(r *record) { r.Views[0].Minutiae[1].Y = 0xffff }, 36, "y outside the image"},
		"type-wide":   {func(r *record) { r.Views[0].Minutiae[1].Type = 4 }, 34, "minutia type is reserved"},
		"too-many":    {func(r *record) { r.Views[0].Minutiae = make([]finger.Minutia, 256) }, 27, "too many minutiae"},
		"extended":    {func(r *record) { r.Views[0].Extended = []byte{1} }, 42, "extended data blocks do not fill their area"},
		"extended-64": {func(r *record) { r.Views[0].Extended = make([]byte, 1<<16) }, 40, "extended data blocks do not fill their area"},
		"total": {func(r *record) {
			for i := range r.Views {
				r.Views[i].Extended = append([]byte{1, 0, 0xea, 0x60}, make([]byte, 59_996)...)
			}
		}, 8, "record exceeds the size limit"},
	} {
		t.Run(name, func(t *testing.T) {
			r := goldenRecord()
			c.change(&r)
			b, err := r.Encode()
			wantFormatError(t, err, exchange.FormatFinger2005, c.offset, c.rule)
			if b != nil {
				t.Error("octets beside an error")
			}
		})
	}
}

func TestEncodeFingerSamples(t *testing.T) {
	s := finger.Sample{Position: 7, Width: 10, Height: 10, ResX: 197, ResY: 197, Minutiae: make([]finger.Minutia, 255)}
	full := make([]finger.Sample, 16)
	for i := range full {
		full[i] = s
	}
	b, err := exchange.EncodeFinger(full)
	if err != nil || len(b) != 24+16*(4+255*6+2) {
		t.Fatalf("got %d octets, %v", len(b), err)
	}
	r, err := exchange.ParseFinger(b)
	if err != nil || r.Views[15].Number != 15 {
		t.Fatalf("got %v", err)
	}
	_, err = exchange.EncodeFinger(append(full, s))
	wantFormatError(t, err, exchange.FormatFinger2005, 22, "number of views out of range")
	_, err = exchange.EncodeFinger(nil)
	wantFormatError(t, err, exchange.FormatFinger2005, 22, "number of views out of range")
	other := s
	other.ResY = 196
	_, err = exchange.EncodeFinger([]finger.Sample{s, other})
	wantFormatError(t, err, exchange.FormatFinger2005, 14, "views differ in image size or resolution")
}

func TestErrorsAndRecordsAreRedacted(t *testing.T) {
	r := goldenRecord()
	e := exchange.Embedding{Model: "m", Values: []float32{12345.5}}
	out := fmt.Sprintf("%v %+v %#v %x", r, &r, r.Views, struct{ R exchange.FingerRecord }{r}) +
		fmt.Sprintf("%v %+v %#v %v", e, &e, []exchange.Embedding{e}, r.LogValue()) +
		r.Views[0].LogValue().String() + e.LogValue().String()
	for _, mark := range []string{"359", "167", "12345", "479"} {
		if strings.Contains(out, mark) {
			t.Errorf("content shows as %q in %s", mark, out)
		}
	}
}

func FuzzParseFinger(f *testing.F) {
	golden := octets(f, goldenFinger)
	f.Add(golden)
	f.Add(golden[:24])
	f.Add(append(golden[:64:64], 0))
	one := goldenRecord()
	one.Views = one.Views[:1]
	b, err := one.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := exchange.ParseFinger(b)
		if err != nil {
			if r.Views != nil {
				t.Error("a refused record is not zero")
			}
			var fe *exchange.FormatError
			if !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > len(b) && len(b) >= 24 {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := r.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("encodes differently: %v", err)
		}
	})
}

// TestContactless: 2005 and 2011, whose codes samples have, number contactless impressions
// differently, and 2005 has no vertical roll.
func TestContactless(t *testing.T) {
	b := octets(t, goldenFinger)
	b[25] = 9
	s, err := exchange.DecodeFinger(b)
	if err != nil || s[0].Impression != 24 {
		t.Fatalf("got %v", err)
	}
	again, err := exchange.EncodeFinger(s[:1])
	if err != nil || again[25] != 9 {
		t.Errorf("encoding: %v", err)
	}
	s[0].Impression = 9
	_, err = exchange.EncodeFinger(s)
	wantFormatError(t, err, exchange.FormatFinger2005, 25, "impression type is reserved")
}
