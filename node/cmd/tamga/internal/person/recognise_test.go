package person

import (
	"bytes"
	"testing"
	"time"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/finger2011"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/comparison"
)

// eyeRecord is a container of the iris code of a right eye.
func eyeRecord(i synth.Iris) ([]byte, error) {
	c := iriscode.Code{Profile: "tamga-synth-iris-1", Eye: 1}
	copy(c.Sample.Code[:], i.Code())
	copy(c.Sample.Mask[:], i.Mask())
	return c.Encode()
}

// TestRecognise: a probe goes out in a format of the protocol, whatever it is read as.
func TestRecognise(t *testing.T) {
	p := synth.New(1, "KAZ").Person(0)
	now := time.Date(2030, 6, 15, 23, 0, 0, 0, time.UTC)
	finger := p.FingerProbe(2, 1)
	samples, err := exchange.DecodeFinger(finger)
	if err != nil {
		t.Fatal(err)
	}
	r2011, err := finger2011.Encode(samples)
	if err != nil {
		t.Fatal(err)
	}
	day := cbeff.Date{Year: 2030, Month: 6, Day: 15}
	valid, err := intake.Wrap(finger, cbeff.Header{From: day, Until: day})
	if err != nil {
		t.Fatal(err)
	}
	// SVC2004 is of whole numbers, and so becomes what the same sample is in ISO/IEC 19794-7.
	text, err := svc2004.Encode(p.SignatureCapture(1))
	if err != nil {
		t.Fatal(err)
	}
	written, err := svc2004.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	sdi, err := signature2007.Encode(written)
	if err != nil {
		t.Fatal(err)
	}
	eye, err := eyeRecord(p.IrisProbe(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		want Probe
	}{
		"iris":    {eye, Probe{comparison.ModalityIris, exchange.FormatIris, eye}},
		"sdi":     {sdi, Probe{comparison.ModalitySignature, exchange.FormatSignature2007, sdi}},
		"svc2004": {text, Probe{comparison.ModalitySignature, exchange.FormatSignature2007, sdi}},
		"2005":    {finger, Probe{comparison.ModalityFinger, exchange.FormatFinger2005, finger}},
		"2011":    {r2011, Probe{comparison.ModalityFinger, exchange.FormatFinger2005, finger}},
		"cbeff":   {valid, Probe{comparison.ModalityFinger, exchange.FormatFinger2005, finger}},
		"face":    {p.FaceProbe(1), Probe{comparison.ModalityFace, exchange.FormatEmbedding, p.FaceProbe(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Recognise(c.b, now)
			if err != nil || got.Modality != c.want.Modality || got.Format != c.want.Format || !bytes.Equal(got.Data, c.want.Data) {
				t.Errorf("got %s in %s, %v, or other bytes", got.Modality, got.Format, err)
			}
		})
	}
	for name, c := range map[string]struct {
		b   []byte
		now time.Time
	}{
		"nothing": {nil, now},
		"picture": {[]byte("\x89PNG"), now},
		"svc-cut": {text[:len(text)/2], now},
		"39794":   {[]byte{0x62, 2, 0xa0, 0}, now},
		"cut":     {r2011[:40], now},
		"expired": {valid, now.Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Recognise(c.b, c.now); err == nil || got.Data != nil {
				t.Errorf("got %s in %s, want a refusal", got.Modality, got.Format)
			}
		})
	}
}
