package responder_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/alarms"
)

// TestCanaryRefused: who asks about a canary raises its alarm also where he is refused before anybody
// is looked up, and is told the same as of anybody.
func TestCanaryRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		bend func(*world, *query)
		code protocol.Code
	}{
		"no consent":    {func(w *world, _ *query) { w.law.d.ConsentRequired = true }, protocol.CodeConsentMissing},
		"modality":      {func(w *world, _ *query) { w.law.d.Modalities = []string{"finger"} }, protocol.CodeLaw},
		"not served":    {func(_ *world, q *query) { q.question.Probes[0].Format = "iso-19794-5" }, protocol.CodeModality},
		"law, unopened": {func(w *world, _ *query) { w.law.d.Allowed = false }, protocol.CodeLaw},
	} {
		for _, canary := range []bool{false, true} {
			w := newWorld().withLedger(t)
			w.alarms, w.decoys = alarms.New(nil), slowDecoys{touched: canary}
			w.Responder = w.build(w.clock.Now)
			_, q := traveller()
			tt.bend(w, &q)
			if a := w.send(t, q); a.Code != tt.code {
				t.Errorf("%s: %s, want %s", name, a.Code, tt.code)
			}
			want := uint64(0)
			if canary && name != "law, unopened" { // nobody has read whom it is about
				want = 1
			}
			if got := w.alarms.Counts()["canary"]; got != want {
				t.Errorf("%s, canary %v: %d alarms, want %d", name, canary, got, want)
			}
		}
	}
}
