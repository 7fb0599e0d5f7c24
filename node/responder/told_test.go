package responder_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
)

// TestTold: where law withholds who is enrolled, nobody and somebody else are answered alike, to the rate; where it
// withholds reasons, every inconclusive answer is the same.
func TestTold(t *testing.T) {
	p := person(7)
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	for name, c := range map[string]struct {
		unknown, reasons bool
		ask              query
		want             protocol.Code
		rate             bool
	}{
		"unknown-told":     {false, true, about(person(9), faceProbe(p.FaceProbe(1))), protocol.CodeSubjectUnknown, false},
		"unknown-withheld": {true, true, about(person(9), faceProbe(p.FaceProbe(1))), protocol.CodeNotMatched, true},
		"another":          {true, true, about(p, faceProbe(person(8).FaceProbe(1))), protocol.CodeNotMatched, true},
		"matched":          {true, true, about(p, faceProbe(p.FaceProbe(1))), protocol.CodeMatched, true},
		"reason-told":      {false, false, about(p, fingerProbe(1, p.FingerProbe(1, 1))), protocol.CodeNoReference, false},
		"reason-withheld":  {false, true, about(p, fingerProbe(1, p.FingerProbe(1, 1))), protocol.CodeWithheld, false},
		"none-of-it":       {true, true, about(p, fingerProbe(1, p.FingerProbe(1, 1))), protocol.CodeNotMatched, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			w.law.d.WithholdUnknown, w.law.d.WithholdReasons = c.unknown, c.reasons
			a := w.send(t, c.ask)
			if a.Code != c.want || (a.FMROneIn > 0) != c.rate {
				t.Errorf("got %s at 1/%d, want %s", a.Code, a.FMROneIn, c.want)
			}
		})
	}
}
