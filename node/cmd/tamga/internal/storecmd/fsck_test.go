package storecmd

import (
	"strings"
	"testing"
)

// TestCheckHint: a stamp alone is put back by the node, and nothing else is.
func TestCheckHint(t *testing.T) {
	stamp := checked{Missing: 1, Damages: 1, Damaged: []damagedPart{{Subject: "x", Part: "stamp"}}}
	more, other, file, record := stamp, stamp, stamp, stamp
	more.Missing = 2
	other.Stale = true
	file.Faults = []fileFault{{Where: "x", Rule: "y"}}
	record.Missing, record.Damaged = 0, []damagedPart{{Subject: "x", Part: "record"}}
	for want, rs := range map[string][]checked{"start the node": {stamp}, "restore": {more, other, file}, "erase": {record}} {
		for _, r := range rs {
			if got := checkHint(r); !strings.Contains(got, want) {
				t.Errorf("%+v: %s; want %q", r, got, want)
			}
		}
	}
}
