package responder_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/synth"
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

// TestToldByWhatNeverCompares: probes that compare with nobody's references, or too badly to say no, are answered alike for
// who is enrolled, with this modality or another, and for who is not.
func TestToldByWhatNeverCompares(t *testing.T) {
	p, faceOnly, nobody, other := person(7), person(10), person(9), person(8)
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()), fingerTemplate(1, p.FingerReference(1))),
		enrolled(faceOnly, faceTemplate(faceOnly.FaceReference())))
	strange := bytes.Clone(other.FaceProbe(1))
	strange[7] = 'x' // the model's name
	reported := other.FingerProbe(1, 1)
	for name, c := range map[string]struct {
		probes []protocol.Probe
		want   protocol.Code
	}{
		"face":        {[]protocol.Probe{faceProbe(other.FaceProbe(1))}, protocol.CodeNotMatched},
		"no-model":    {[]protocol.Probe{faceProbe(strange)}, protocol.CodeNotComparable},
		"finger":      {[]protocol.Probe{fingerProbe(1, reported)}, protocol.CodeNotMatched},
		"few":         {[]protocol.Probe{fingerProbe(1, minutiae(reported, 5))}, protocol.CodeProbeQuality},
		"fragment":    {[]protocol.Probe{fingerProbe(1, minutiae(reported, 20))}, protocol.CodeSmallPart},
		"poor":        {[]protocol.Probe{fingerProbe(1, captured(reported, 10))}, protocol.CodePoorCapture},
		"both":        {[]protocol.Probe{faceProbe(strange), fingerProbe(1, minutiae(reported, 5))}, protocol.CodeProbeQuality},
		"one-of-both": {[]protocol.Probe{faceProbe(other.FaceProbe(1)), fingerProbe(1, minutiae(reported, 5))}, protocol.CodeNotMatched},
	} {
		for _, reasons := range []bool{false, true} {
			want := c.want
			if reasons && want != protocol.CodeNotMatched {
				want = protocol.CodeWithheld
			}
			for who, subject := range map[string]synth.Person{"enrolled": p, "face-only": faceOnly, "nobody": nobody} {
				w := newWorld()
				w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
				w.law.d.WithholdUnknown, w.law.d.WithholdReasons = true, reasons
				if a := w.send(t, about(subject, c.probes...)); a.Code != want {
					t.Errorf("%s, reasons withheld %v, %s: %s, want %s", name, reasons, who, a.Code, want)
				}
			}
		}
	}
}

// minutiae is a record of one finger with the first n minutiae of another.
func minutiae(record []byte, n int) []byte {
	const header, each = 28, 6
	out := bytes.Clone(record[:header+each*n])
	out[header-1] = byte(n)
	out = append(out, 0, 0) // no extended data
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)))
	return out
}

// captured is the record with another reported quality.
func captured(record []byte, quality byte) []byte {
	out := bytes.Clone(record)
	out[26] = quality
	return out
}
