package responder

import (
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
)

// TestLogged: a log line neither tells the two verdicts apart nor names the wrong one.
func TestLogged(t *testing.T) {
	for _, e := range protocol.Registry() {
		want := string(e.Code)
		if e.Outcome == protocol.Matched || e.Outcome == protocol.NotMatched {
			want = "decided"
		}
		if got := logged(e.Code); got != want {
			t.Errorf("%s is logged as %q, want %q", e.Code, got, want)
		}
	}
}
