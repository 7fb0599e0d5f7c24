package intake_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/finger2011"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/matcher/finger"
)

var today = cbeff.Date{Year: 2026, Month: 11, Day: 25}

// hand is samples of one image size: two impressions of a finger, and one that is missing.
func hand() []finger.Sample {
	s := finger.Sample{Position: 2, Quality: 70, Width: 300, Height: 400, ResX: 197, ResY: 197,
		Minutiae: []finger.Minutia{{X: 10, Y: 20, Angle: 30, Type: 1, Quality: 40}, {X: 299, Y: 399, Angle: 255, Type: 2, Quality: 1}}}
	second := s
	second.Quality, second.Impression = 0, 1
	second.Minutiae = []finger.Minutia{{X: 7}}
	missing := s
	missing.Position, missing.Quality, missing.Minutiae, missing.Absent = 3, 0, []finger.Minutia{}, finger.Amputated
	return []finger.Sample{s, second, missing}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func wrapped(data []byte, h cbeff.Header) []byte {
	if h.Owner == 0 {
		h.Owner = cbeff.OwnerSC37
	}
	if h.Format == 0 {
		h.Format = 1
	}
	return must(cbeff.Template{Header: h, Data: data}.Encode())
}

// TestFingers: the same samples come out of every format.
func TestFingers(t *testing.T) {
	r2005, r2011 := must(exchange.EncodeFinger(hand())), must(finger2011.Encode(hand()))
	one := must(exchange.EncodeFinger(hand()[2:]))
	group := must(cbeff.EncodeGroup([]cbeff.Template{
		{Header: cbeff.Header{Owner: cbeff.OwnerSC37, Format: 1}, Data: must(exchange.EncodeFinger(hand()[:2]))},
		{Header: cbeff.Header{Owner: cbeff.OwnerSC37, Format: 29, Subtype: cbeff.Subtype(3)}, Data: must(finger2011.Encode(hand()[2:]))},
	}))
	for name, c := range map[string]struct {
		b      []byte
		format exchange.Format
		want   []finger.Sample
	}{
		"2005":         {r2005, exchange.FormatFinger2005, hand()},
		"2011":         {r2011, exchange.FormatFinger2011, hand()},
		"cbeff-2005":   {wrapped(r2005, cbeff.Header{}), exchange.FormatCBEFF, hand()},
		"cbeff-2011":   {wrapped(r2011, cbeff.Header{Format: 29}), exchange.FormatCBEFF, hand()},
		"cbeff-finger": {wrapped(one, cbeff.Header{Type: cbeff.TypeFingerprint, Subtype: 0b011_01}), exchange.FormatCBEFF, hand()[2:]},
		"cbeff-side":   {wrapped(r2005, cbeff.Header{Subtype: 0b000_01, Format: 2}), exchange.FormatCBEFF, hand()},
		"cbeff-digit":  {wrapped(one, cbeff.Header{Subtype: 0b011_00}), exchange.FormatCBEFF, hand()[2:]},
		"group":        {group, exchange.FormatCBEFF, hand()},
	} {
		t.Run(name, func(t *testing.T) {
			got, format, err := intake.Fingers(c.b, today)
			if err != nil || format != c.format {
				t.Fatalf("got %q, %v", format, err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			b, err := intake.Finger2005(c.b, today)
			if err != nil {
				t.Fatal(err)
			}
			got, err = exchange.DecodeFinger(b)
			if d := cmp.Diff(c.want, got); err != nil || d != "" {
				t.Errorf("converted: %v (-want +got):\n%s", err, d)
			}
		})
	}
}

// TestPositionOfHeader: a record that names no finger takes the header's.
func TestPositionOfHeader(t *testing.T) {
	s := hand()[:1]
	s[0].Position = 0
	r := must(exchange.ParseFinger(must(exchange.EncodeFinger(s))))
	r.CaptureEquipment, r.Views[0].Extended = 0x8042, []byte{0, 2, 0, 5, 9}
	b := wrapped(must(r.Encode()), cbeff.Header{Subtype: cbeff.Subtype(7)})
	got, _, err := intake.Fingers(b, today)
	if err != nil || got[0].Position != 7 {
		t.Errorf("got %v", err)
	}
	r.Views[0].Position = 7
	if b, err = intake.Finger2005(b, today); err != nil || !bytes.Equal(b, must(r.Encode())) {
		t.Errorf("converted: %v: equipment or extended data are lost", err)
	}
}

// TestUnchanged: a record of 2005 is not written anew.
func TestUnchanged(t *testing.T) {
	r := must(exchange.ParseFinger(must(exchange.EncodeFinger(hand()))))
	r.CaptureEquipment, r.Views[1].Number = 0x1234, 9
	b := must(r.Encode())
	got, err := intake.Finger2005(b, today)
	if err != nil || &got[0] != &b[0] {
		t.Errorf("bare: %v", err)
	}
	got, err = intake.Finger2005(wrapped(b, cbeff.Header{}), today)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("wrapped: %v", err)
	}
}

// TestConvert is what 2005 cannot say as 2011 does.
func TestConvert(t *testing.T) {
	s := hand()
	s[0].Width, s[1].Height = 500, 450
	for i, c := range []struct{ code, want uint8 }{{0, 0}, {8, 8}, {9, 1}, {24, 24}, {28, 0}, {29, 0}} {
		s[0].Impression = c.code
		got := must(exchange.DecodeFinger(must(intake.Finger2005(must(finger2011.Encode(s)), today))))
		if got[0].Impression != c.want || got[0].Width != 500 || got[2].Height != 450 {
			t.Errorf("case %d: got %d, want %d", i, got[0].Impression, c.want)
		}
	}
	s[1].ResY = 196
	_, err := intake.Finger2005(must(finger2011.Encode(s)), today)
	wantFormatError(t, err, exchange.FormatFinger2005, "records or views differ in sampling rate")
	many := make([]finger.Sample, 17)
	for i := range many {
		many[i] = finger.Sample{Position: uint8(i % 10), Width: 1, Height: 1, ResX: 197, ResY: 197}
	}
	_, err = intake.Finger2005(must(finger2011.Encode(many)), today)
	wantFormatError(t, err, exchange.FormatFinger2005, "number of views out of range")
}

func wantFormatError(t *testing.T, err error, format, rule string) {
	t.Helper()
	var f *exchange.FormatError
	if !errors.As(err, &f) || f.Format != format || f.Rule != rule {
		t.Errorf("got %v, want %s: %s", err, format, rule)
	}
}

func TestRefuses(t *testing.T) {
	r := must(exchange.EncodeFinger(hand()[:1]))
	tomorrow, yesterday := cbeff.Date{Year: 2026, Month: 11, Day: 26}, cbeff.Date{Year: 2026, Month: 11, Day: 24}
	face := append([]byte("TEMB\x01\x01\x01m\x40\x00"), bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, 64)...)
	const cb = exchange.FormatCBEFF
	for name, c := range map[string]struct {
		b      []byte
		is     error
		format string
		rule   string
	}{
		"unknown":        {[]byte("PNG"), exchange.ErrUnknownFormat, "", ""},
		"face":           {face, intake.ErrNotFinger, "", ""},
		"378":            {[]byte("FMR\x00 20\x00\x01\x5c\x00\x33"), intake.ErrNotRead, "", ""},
		"image":          {[]byte("FIR\x00020\x00"), intake.ErrImage, "", ""},
		"passport":       {wrapped([]byte("FIR\x00020\x00"), cbeff.Header{Format: 7, Subtype: 9}), intake.ErrImage, "", ""},
		"image-as-1":     {wrapped([]byte("FIR\x00020\x00"), cbeff.Header{}), nil, cb, "format type does not name the record's format"},
		"signature":      {[]byte("SDI\x00 10\x00"), intake.ErrNotFinger, "", ""},
		"39794":          {[]byte{0x62, 2, 0xa0, 0}, intake.ErrNotRead, "", ""},
		"none":           {[]byte{0x7f, 0x61, 3, 2, 1, 0}, intake.ErrNone, "", ""},
		"cut":            {r[:30], nil, exchange.FormatFinger2005, "length field differs from the record's length"},
		"cbeff-cut":      {wrapped(r, cbeff.Header{})[:30], nil, cb, "input ends early"},
		"kind":           {wrapped(r, cbeff.Header{Type: cbeff.TypeFace}), nil, cb, "biometric type is not fingerprint"},
		"owner":          {wrapped(r, cbeff.Header{Owner: 0x1b}), nil, cb, "format owner is not ISO/IEC JTC 1/SC 37"},
		"format":         {wrapped(r, cbeff.Header{Format: 7}), nil, cb, "format type does not name the record's format"},
		"format-2011":    {wrapped(must(finger2011.Encode(hand())), cbeff.Header{Format: 8}), nil, cb, "format type does not name the record's format"},
		"format-other":   {wrapped(r, cbeff.Header{Format: 29}), nil, cb, "format type does not name the record's format"},
		"format-face":    {wrapped(face, cbeff.Header{Format: 1}), nil, cb, "format type does not name the record's format"},
		"wrapped-39794":  {wrapped([]byte{0x62, 2, 0xa0, 0}, cbeff.Header{Format: 40}), intake.ErrNotRead, "", ""},
		"record-unknown": {wrapped([]byte("PNG"), cbeff.Header{}), exchange.ErrUnknownFormat, "", ""},
		"record-cut":     {wrapped(r[:30], cbeff.Header{}), nil, exchange.FormatFinger2005, "length field differs from the record's length"},
		"finger":         {wrapped(r, cbeff.Header{Subtype: cbeff.Subtype(3)}), nil, cb, "biometric subtype names another finger than the record"},
		"hand":           {wrapped(r, cbeff.Header{Subtype: 2}), nil, cb, "biometric subtype names another finger than the record"},
		"digit":          {wrapped(r, cbeff.Header{Subtype: 0b001_00}), nil, cb, "biometric subtype names another finger than the record"},
		"early":          {wrapped(r, cbeff.Header{From: tomorrow, Until: tomorrow}), cbeff.ErrNotYetValid, "", ""},
		"late":           {wrapped(r, cbeff.Header{From: yesterday, Until: yesterday}), cbeff.ErrExpired, "", ""},
		"nested":         {wrapped(wrapped(r, cbeff.Header{}), cbeff.Header{}), nil, cb, "format type does not name the record's format"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := intake.Fingers(c.b, today)
			b, err2 := intake.Finger2005(c.b, today)
			if s != nil || b != nil {
				t.Error("a result beside an error")
			}
			for _, err := range []error{err, err2} {
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("got %v, want %v", err, c.is)
				} else if c.is == nil {
					wantFormatError(t, err, c.format, c.rule)
				}
			}
		})
	}
	if _, _, err := intake.Fingers(wrapped(r, cbeff.Header{From: today, Until: today}), today); err != nil {
		t.Errorf("a record of today: %v", err)
	}
}

func TestWrap(t *testing.T) {
	one, several := must(exchange.EncodeFinger(hand()[:2])), must(exchange.EncodeFinger(hand()))
	h := must(cbeff.Parse(must(intake.Wrap(one, cbeff.Header{}))))[0].Header
	if h != (cbeff.Header{Type: cbeff.TypeFingerprint, Subtype: 0b010_01, Owner: cbeff.OwnerSC37, Format: 1}) {
		t.Errorf("one finger: got %+v", h)
	}
	// The reason why the finger is missing stands in extended data.
	h = must(cbeff.Parse(must(intake.Wrap(several, cbeff.Header{Creator: 5}))))[0].Header
	if h != (cbeff.Header{Type: cbeff.TypeFingerprint, Creator: 5, Owner: cbeff.OwnerSC37, Format: 2}) {
		t.Errorf("several: got %+v", h)
	}
	r2011 := must(finger2011.Encode(hand()))
	s, _, err := intake.Fingers(must(intake.Wrap(r2011, cbeff.Header{Format: 29})), today)
	if d := cmp.Diff(hand(), s); err != nil || d != "" {
		t.Errorf("2011: %v %s", err, d)
	}
	for name, c := range map[string]struct {
		b    []byte
		h    cbeff.Header
		rule string
	}{
		"2011-unnamed": {r2011, cbeff.Header{}, "format owner or format type is missing"},
		"finger":       {one, cbeff.Header{Subtype: cbeff.Subtype(3)}, "biometric subtype names another finger than the record"},
		"kind":         {one, cbeff.Header{Type: cbeff.TypeIris}, "biometric type is not fingerprint"},
		"owner":        {one, cbeff.Header{Owner: 1}, "format owner is not ISO/IEC JTC 1/SC 37"},
		"format":       {one, cbeff.Header{Format: 7}, "format type does not name the record's format"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := intake.Wrap(c.b, c.h)
			wantFormatError(t, err, exchange.FormatCBEFF, c.rule)
			if b != nil {
				t.Error("octets beside an error")
			}
		})
	}
	for _, b := range [][]byte{nil, one[:20], must(intake.Wrap(one, cbeff.Header{}))} {
		if _, err := intake.Wrap(b, cbeff.Header{}); err == nil {
			t.Error("what is no record is wrapped")
		}
	}
}

// TestExtractorRecords sends what two extractors wrote through 2011 and through a header, and gets
// the same octets back.
func TestExtractorRecords(t *testing.T) {
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	for _, set := range []string{"iso_secugen", "iso_fjfx"} {
		dir := filepath.Join(root, "data", "fingerprint", set)
		if _, err := os.Stat(dir); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("shared test data is absent: %v", err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.iso"))
		if err != nil || len(files) != 320 {
			t.Fatalf("%s: got %d records, want 320: %v", set, len(files), err)
		}
		for i, name := range files {
			want := must(os.ReadFile(name))
			s, _, err := intake.Fingers(want, today)
			if err != nil {
				t.Fatalf("%s, record %d: %v", set, i, err)
			}
			b := must(intake.Wrap(must(finger2011.Encode(s)), cbeff.Header{Format: 29}))
			got, err := intake.Finger2005(b, today)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, record %d: changes on its way through 2011: %v", set, i, err)
			}
			got, err = intake.Finger2005(must(intake.Wrap(want, cbeff.Header{})), today)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, record %d: changes behind a header: %v", set, i, err)
			}
		}
	}
}

func Example() {
	record, err := finger2011.Encode([]finger.Sample{
		{Position: 2, Width: 360, Height: 480, ResX: 197, ResY: 197, Minutiae: []finger.Minutia{{X: 100, Y: 120}}},
		{Position: 3, Width: 360, Height: 480, ResX: 197, ResY: 197, Absent: finger.UnableToPrint},
	})
	if err != nil {
		panic(err)
	}
	today := cbeff.Date{Year: 2026, Month: 11, Day: 25}
	stored, err := intake.Finger2005(record, today)
	if err != nil {
		panic(err)
	}
	samples, format, err := intake.Fingers(stored, today)
	if err != nil {
		panic(err)
	}
	fmt.Println(format, len(samples), samples[1].Absent == finger.UnableToPrint)
	// Output: iso-19794-2-2005 2 true
}

func FuzzFingers(f *testing.F) {
	r2005, r2011 := must(exchange.EncodeFinger(hand())), must(finger2011.Encode(hand()))
	for _, seed := range [][]byte{r2005, r2011, wrapped(r2005, cbeff.Header{Subtype: 1}), wrapped(r2011, cbeff.Header{Format: 29})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, _, err := intake.Fingers(b, today)
		got, err2 := intake.Finger2005(b, today)
		if err != nil {
			if err2 == nil {
				t.Error("what gives no samples is converted")
			}
			return
		}
		if err2 != nil {
			return // more than 2005 can say
		}
		back, err := exchange.DecodeFinger(got)
		if err != nil || len(back) != len(want) {
			t.Fatalf("the converted record: %v", err)
		}
		for i, s := range want {
			if s.Position != back[i].Position || s.Quality != back[i].Quality || s.Absent != back[i].Absent ||
				cmp.Diff(s.Minutiae, back[i].Minutiae) != "" {
				t.Errorf("sample %d changes", i)
			}
		}
	})
}
