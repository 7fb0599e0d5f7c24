package responder_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/gallery"
)

// signed is n signatures of a person as templates.
func signed(p synth.Person, n int) []gallery.Template {
	var out []gallery.Template
	for i := range n {
		data := must(signature2007.Encode(p.SignatureCapture(i + 1)))
		out = append(out, gallery.Template{Modality: "signature", Format: exchange.FormatSignature2007, Data: data})
	}
	return out
}

func signatureProbe(s signature.Sample) protocol.Probe {
	return protocol.Probe{Modality: "signature", Format: exchange.FormatSignature2007, Data: must(signature2007.Encode(s))}
}

// bare is the signature as a tablet without pressure and slant has it.
func bare(s signature.Sample) signature.Sample {
	s.HasPressure, s.HasAngles = false, false
	return s
}

// still is a pen that rests on one spot for as long as the signature took.
func still(s signature.Sample) signature.Sample {
	for i := range s.Points {
		s.Points[i].X, s.Points[i].Y = s.Points[0].X, s.Points[0].Y
	}
	return s
}

func irisRecord(profile string, code, mask []byte, eye uint8) []byte {
	c := iriscode.Code{Profile: profile, Eye: eye}
	copy(c.Sample.Code[:], code)
	copy(c.Sample.Mask[:], mask)
	return must(c.Encode())
}

func irisOf(profile string, i synth.Iris, eye uint8) gallery.Template {
	return gallery.Template{Modality: "iris", Format: exchange.FormatIris, Position: eye, Data: irisRecord(profile, i.Code(), i.Mask(), eye)}
}

func irisTemplate(i synth.Iris, eye uint8) gallery.Template { return irisOf(iris.ProfileSynth, i, eye) }

func irisProbe(i synth.Iris, eye, asked uint8) protocol.Probe {
	return protocol.Probe{Modality: "iris", Format: exchange.FormatIris, Position: asked, Data: irisTemplate(i, eye).Data}
}

func irisProbeOf(profile string, i synth.Iris, eye uint8) protocol.Probe {
	return protocol.Probe{Modality: "iris", Format: exchange.FormatIris, Data: irisOf(profile, i, eye).Data}
}

func bothEyes(p synth.Person) []gallery.Template {
	return []gallery.Template{irisTemplate(p.IrisReference(1), 1), irisTemplate(p.IrisReference(0), 2)}
}

// hidden is the right iris with so many octets of its code masked.
func hidden(i synth.Iris, octets int) protocol.Probe {
	mask := i.Mask()
	clear(mask[:octets])
	return protocol.Probe{Modality: "iris", Format: exchange.FormatIris, Data: irisRecord(iris.ProfileSynth, i.Code(), mask, 1)}
}

// half masks every angle of the right iris but those of one half, with half of the circle between it and the other.
func half(i synth.Iris, from int) []byte {
	mask := make([]byte, iris.Size)
	for k := range iris.Size * 4 / 10 {
		mask[from+k] = i.Mask()[from+k]
	}
	return irisRecord(iris.ProfileSynth, i.Code(), mask, 1)
}

func halfIris(i synth.Iris, from int) gallery.Template {
	return gallery.Template{Modality: "iris", Format: exchange.FormatIris, Position: 1, Data: half(i, from)}
}

func halfProbe(i synth.Iris) protocol.Probe {
	return protocol.Probe{Modality: "iris", Format: exchange.FormatIris, Data: half(i, iris.Size/2)}
}

// TestProbesOfNoFormat: bytes that are no record of their format are refused, whoever they are about.
func TestProbesOfNoFormat(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, signed(p, 5)...))
	iris, sign := irisProbe(p.IrisProbe(1, 1), 1, 0), signatureProbe(p.SignatureCapture(9))
	for name, probe := range map[string]protocol.Probe{
		"iris-cut":      {Modality: "iris", Format: iris.Format, Data: iris.Data[:len(iris.Data)-1]},
		"signature-cut": {Modality: "signature", Format: sign.Format, Data: sign.Data[:len(sign.Data)-1]},
	} {
		if a := w.send(t, about(p, probe)); a.Code != protocol.CodeProbe {
			t.Errorf("%s: got %s", name, a.Code)
		}
	}
	swapped := iris
	swapped.Format = sign.Format
	if a := w.send(t, about(p, swapped)); a.Code != protocol.CodeModality {
		t.Errorf("an iris in a format of signatures: got %s", a.Code)
	}
}
