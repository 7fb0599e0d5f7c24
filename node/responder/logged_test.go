package responder

import (
	"slices"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
)

// TestLogged: a log line neither tells apart what comparisons found nor names the wrong code.
func TestLogged(t *testing.T) {
	compared := []protocol.Code{"TMG-VER-0001", "TMG-VER-0002", "TMG-VER-0008", "TMG-VER-0009", "TMG-VER-0010", "TMG-VER-0011",
		"TMG-IDN-0001", "TMG-IDN-0002", "TMG-IDN-0003", "TMG-IDN-0005", "TMG-IDN-0006"}
	for _, e := range protocol.Registry() {
		want := string(e.Code)
		if slices.Contains(compared, e.Code) {
			want = "decided"
		}
		if got := logged(e.Code); got != want {
			t.Errorf("%s is logged as %q, want %q", e.Code, got, want)
		}
	}
}
