package extended_test

import (
	"encoding/hex"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange/internal/extended"
	"github.com/tamga-id/tamga/matcher/finger"
)

func TestFault(t *testing.T) {
	for area, want := range map[string]int{ // -1 when there is none
		"": -1, "00010004": -1, "000100050a": -1, "00010004ff010006abcd": -1,
		"00": 0, "000100": 0, "00010003": 2, "00010000": 2, "00010005": 2, "00010004ff": 4, "00010004ff010007abcd": 6,
	} {
		b, err := hex.DecodeString(area)
		if err != nil {
			t.Fatal(err)
		}
		offset, bad := extended.Fault(b)
		if !bad {
			offset = -1
		}
		if offset != want {
			t.Errorf("%s: got %d, want %d", area, offset, want)
		}
	}
	if _, bad := extended.Fault(make([]byte, extended.Max+1)); !bad {
		t.Error("an area of 65,536 octets is taken")
	}
}

// TestAbsence: the reason is found among other blocks, the first one counts, and nothing else does.
func TestAbsence(t *testing.T) {
	other := []byte{0xff, 1, 0, 6, 'A', 'B'}
	for a := finger.NotCaptured; a <= finger.UnableToPrint; a++ {
		area := extended.AppendAbsence(other, a)
		if _, bad := extended.Fault(area); bad || len(area) != len(other)+8 {
			t.Fatalf("reason %d: its block does not fit", a)
		}
		area = extended.AppendAbsence(append(area, other...), finger.NotCaptured)
		if got, ok := extended.Absence(area); !ok || got != a {
			t.Errorf("got %d, %t, want %d", got, ok, a)
		}
	}
	for name, area := range map[string]string{
		"empty": "", "other": "ff0100064142", "present": "5441000841425300", "unknown": "5441000841425305",
		"short": "54410007414253", "long": "544100094142530301", "mark": "5441000841424103", "cut": "54410008414253",
	} {
		b, err := hex.DecodeString(area)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := extended.Absence(b); ok || got != finger.Present {
			t.Errorf("%s: got %d", name, got)
		}
	}
}
