package exchange_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// TestAbsence: every reason survives, alone and beside a quality.
func TestAbsence(t *testing.T) {
	for a := finger.NotCaptured; a <= finger.UnableToPrint; a++ {
		for _, quality := range []uint8{0, 7} {
			want := []finger.Sample{
				{Position: 3, Quality: quality, Width: 10, Height: 10, ResX: 197, ResY: 197, Minutiae: []finger.Minutia{}, Absent: a},
				{Position: 4, Width: 10, Height: 10, ResX: 197, ResY: 197, Minutiae: []finger.Minutia{{X: 1}}},
			}
			b, err := exchange.EncodeFinger(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := exchange.DecodeFinger(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("reason %d, quality %d (-want +got):\n%s", a, quality, d)
			}
		}
	}
}

// TestAbsenceBlock pins the block that carries a reason, and what does not count as one.
func TestAbsenceBlock(t *testing.T) {
	b, err := exchange.EncodeFinger([]finger.Sample{{Position: 10, Width: 1, Height: 1, ResX: 197, ResY: 197, Absent: finger.Amputated}})
	if err != nil {
		t.Fatal(err)
	}
	want := octets(t, `
464d5200 20323000  FMR, version 20
00000026           length 38
0000 0001 0001     no equipment, image 1 x 1
00c5 00c5 01 00    197 pixels per cm both ways, one view
0a 00 00 00        left little, view 0, quality 0, no minutiae
0008 5441 0008     eight octets of extended data, reason
414253 03          ABS, amputated
`)
	if d := cmp.Diff(want, b); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, c := range map[string]struct {
		at   int
		v    byte
		want finger.Absence
	}{
		"reason":  {37, 4, finger.UnableToPrint},
		"present": {37, 0, finger.NotCaptured},
		"unknown": {37, 5, finger.NotCaptured},
		"mark":    {34, 'a', finger.NotCaptured},
		"type":    {31, 'B', finger.NotCaptured},
		"quality": {26, 1, finger.Amputated},
	} {
		t.Run(name, func(t *testing.T) {
			changed := append([]byte(nil), want...)
			changed[c.at] = c.v
			s, err := exchange.DecodeFinger(changed)
			if err != nil || s[0].Absent != c.want {
				t.Errorf("got %d, %v, want %d", s[0].Absent, err, c.want)
			}
		})
	}
}

func TestEncodeFingerRefusesAbsence(t *testing.T) {
	s := finger.Sample{Width: 1, Height: 1, ResX: 197, ResY: 197, Absent: finger.UnableToPrint + 1}
	_, err := exchange.EncodeFinger([]finger.Sample{s})
	wantFormatError(t, err, exchange.FormatFinger2005, 24, "an absent finger has minutiae, or its reason is not known")
	s.Absent, s.Minutiae = finger.Amputated, make([]finger.Minutia, 1)
	_, err = exchange.EncodeFinger([]finger.Sample{s})
	wantFormatError(t, err, exchange.FormatFinger2005, 24, "an absent finger has minutiae, or its reason is not known")
}
