package responder_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/gallery"
)

// merged is one record with the views of several.
func merged(records ...[]byte) []byte {
	var all []finger.Sample
	for _, r := range records {
		all = append(all, must(exchange.DecodeFinger(r))...)
	}
	// The format keeps the image's size once; coordinates have to fit into it.
	for i := range all {
		all[i].Width, all[i].Height = 1000, 1000
	}
	return must(exchange.EncodeFinger(all))
}

// unplaced is a finger record that does not say which finger it is.
func unplaced(record []byte) []byte {
	s := must(exchange.DecodeFinger(record))
	for i := range s {
		s[i].Position = 0
	}
	return must(exchange.EncodeFinger(s))
}

// sparse is a finger record with n minutiae.
func sparse(record []byte, n int) []byte {
	s := must(exchange.DecodeFinger(record))
	for i := range s {
		s[i].Minutiae = s[i].Minutiae[:n]
	}
	return must(exchange.EncodeFinger(s))
}

// reported is a finger record whose views are said to be of a quality.
func reported(record []byte, quality uint8) []byte {
	s := must(exchange.DecodeFinger(record))
	for i := range s {
		s[i].Quality = quality
	}
	return must(exchange.EncodeFinger(s))
}

// withOthers is a right eye by two programs, of which one saw half of it, a face and two fingers.
func withOthers(p synth.Person) []gallery.Template {
	return []gallery.Template{halfIris(p.IrisReference(1), 0), irisOf(iris.ProfileTest, p.IrisReference(1), 1),
		faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2)), fingerTemplate(3, p.FingerReference(3))}
}

// repeated is a finger record with n minutiae, each of them four times.
func repeated(record []byte, n int) []byte {
	s := must(exchange.DecodeFinger(record))
	for i := range s {
		s[i].Minutiae = slices.Repeat(s[i].Minutiae[:n], 4)
	}
	return must(exchange.EncodeFinger(s))
}

// embedding is a face of another model.
func embedding(model string, dims int) []byte {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(i%7) - 3
	}
	return must(exchange.EncodeEmbedding(model, v))
}

// ofModel is capture n of a person's face as a second model with a shipped calibration sees it.
func ofModel(p synth.Person, n int) gallery.Template {
	return faceTemplate(must(exchange.EncodeEmbedding(face.ModelMobileFaceNet, p.FaceCapture(n, 128))))
}

// graded is the record with another reported quality.
func graded(record []byte, quality byte) []byte {
	out := slices.Clone(record)
	out[26] = quality // 24 octets of record header, position, view and impression
	return out
}

// rated is the probe with the quality that the capture device reports beside the record.
func rated(p protocol.Probe, quality uint8) protocol.Probe {
	p.Quality = quality
	return p
}

// verdictCase is about person 7, enrolled with the templates, decided at 1/oneIn.
type verdictCase struct {
	name      string
	templates []gallery.Template
	probes    []protocol.Probe
	oneIn     uint32
	want      protocol.Code
}

func verdictCases() []verdictCase {
	p, q := person(7), person(8)
	face7, face8 := faceProbe(p.FaceProbe(1)), faceProbe(q.FaceProbe(1))
	finger7, finger8 := fingerProbe(2, p.FingerProbe(2, 1)), fingerProbe(2, q.FingerProbe(2, 1))
	refFace := faceTemplate(p.FaceReference())
	ref := func(at uint8) gallery.Template { return fingerTemplate(at, p.FingerReference(at)) }
	second := fingerTemplate(2, p.FingerProbe(2, 5))
	var ten []gallery.Template
	for at := uint8(1); at <= 10; at++ {
		ten = append(ten, ref(at))
	}
	list := func(t ...gallery.Template) []gallery.Template { return t }
	ask := func(p ...protocol.Probe) []protocol.Probe { return p }
	placed := func(at uint8, r []byte) protocol.Probe { return fingerProbe(at, r) }
	return []verdictCase{
		{"face", list(refFace), ask(face7), 10000, protocol.CodeMatched},
		{"face-of-another", list(refFace), ask(face8), 10000, protocol.CodeNotMatched},
		{"face-wanted-finger-enrolled", list(ref(2)), ask(face7), 10000, protocol.CodeNoReference},
		{"finger", list(ref(2)), ask(finger7), 10000, protocol.CodeMatched},
		{"finger-of-another", list(ref(2)), ask(finger8), 10000, protocol.CodeNotMatched},
		{"other-finger-enrolled", list(ref(7)), ask(finger7), 10000, protocol.CodeNoReference},
		{"right-one-of-ten", ten, ask(finger7), 10000, protocol.CodeMatched},
		{"wrong-one-of-ten", ten, ask(finger8), 10000, protocol.CodeNotMatched},

		// A probe that does not say which finger it is has ten chances.
		{"unplaced-of-ten", ten, ask(placed(0, unplaced(finger7.Data))), 10000, protocol.CodeUncalibrated},
		{"unplaced-of-ten-at-1000", ten, ask(placed(0, unplaced(finger7.Data))), 1000, protocol.CodeMatched},
		{"unplaced-of-ten-at-1601", ten, ask(placed(0, unplaced(finger7.Data))), 1601, protocol.CodeUncalibrated},
		{"unplaced-of-one", list(ref(2)), ask(placed(0, unplaced(finger7.Data))), 10000, protocol.CodeMatched},
		{"placed-by-the-question", ten, ask(placed(2, unplaced(finger7.Data))), 10000, protocol.CodeMatched},
		{"misplaced-by-the-question", ten, ask(placed(3, unplaced(finger7.Data))), 10000, protocol.CodeNotMatched},
		{"record-before-question", ten, ask(placed(3, finger7.Data)), 10000, protocol.CodeMatched},
		{"unplaced-reference", list(fingerTemplate(0, unplaced(p.FingerReference(2)))), ask(finger7), 10000, protocol.CodeMatched},
		{"reference-placed-by-the-gallery", list(fingerTemplate(7, unplaced(p.FingerReference(2)))), ask(finger7), 10000, protocol.CodeNoReference},
		{"unplaced-references", list(fingerTemplate(0, unplaced(p.FingerReference(2))), fingerTemplate(0, unplaced(p.FingerReference(3)))),
			ask(finger7), 10000, protocol.CodeUncalibrated},
		{"unplaced-impressions", list(fingerTemplate(0, unplaced(p.FingerReference(2))), fingerTemplate(0, unplaced(second.Data))),
			ask(finger7), 10000, protocol.CodeMatched},
		{"unplaced-impressions-of-another", list(fingerTemplate(0, unplaced(p.FingerReference(2))), fingerTemplate(0, unplaced(second.Data))),
			ask(finger8), 10000, protocol.CodeNotMatched},
		// References of unknown finger count only where a probe needs them, and other fingers' not at all.
		{"unnamed-reference-beside-named", list(ref(2), fingerTemplate(0, unplaced(p.FingerReference(3)))), ask(finger7), 10000, protocol.CodeMatched},
		{"unnamed-reference-beside-ten", append(slices.Clone(ten), fingerTemplate(0, unplaced(p.FingerReference(5)))),
			ask(finger7, placed(3, p.FingerProbe(3, 1))), 1_000_000, protocol.CodeMatched},
		{"unnamed-impressions-beside-another-finger", list(fingerTemplate(0, unplaced(p.FingerReference(2))), fingerTemplate(0, unplaced(second.Data)), ref(7)),
			ask(finger7), 10000, protocol.CodeMatched},

		// Of several impressions of one finger as many are compared as the matcher can vouch for.
		{"two-impressions", list(ref(2), second), ask(finger7), 10000, protocol.CodeMatched},
		{"two-impressions-of-another", list(ref(2), second), ask(finger8), 10000, protocol.CodeNotMatched},
		{"two-impressions-at-5000", list(fingerTemplate(2, q.FingerReference(2)), ref(2)), ask(finger7), 5000, protocol.CodeMatched},
		{"second-impression-at-10000", list(fingerTemplate(2, graded(q.FingerReference(2), 60)), ref(2)), ask(finger7), 10000, protocol.CodeMatched},
		// A record that reports no quality is not the worst.
		{"impression-of-unreported-quality", list(fingerTemplate(2, graded(q.FingerReference(2), 30)), fingerTemplate(2, graded(p.FingerReference(2), 0))),
			ask(finger7), 10000, protocol.CodeMatched},

		{"two-fingers", list(ref(2)), ask(finger7, finger8), 10000, protocol.CodeUncalibrated},
		{"two-fingers-at-5000", list(ref(2)), ask(finger8, finger7), 5000, protocol.CodeMatched},
		{"two-views", list(ref(2)), ask(placed(0, merged(p.FingerProbe(2, 1), p.FingerProbe(2, 2)))), 10000, protocol.CodeUncalibrated},
		{"two-views-at-5000", list(ref(2)), ask(placed(0, merged(p.FingerProbe(2, 1), p.FingerProbe(2, 2)))), 5000, protocol.CodeMatched},
		{"two-views-one-enrolled", list(ref(2)), ask(placed(0, merged(p.FingerProbe(3, 1), p.FingerProbe(2, 1)))), 10000, protocol.CodeMatched},
		{"ten-faces", list(refFace), slices.Repeat(ask(face8), 10), 10000, protocol.CodeNotMatched},
		{"ten-faces-one-right", list(refFace), append(slices.Repeat(ask(face8), 9), face7), 10000, protocol.CodeMatched},
		{"ten-faces-at-a-million", list(refFace), slices.Repeat(ask(face7), 10), 1_000_000, protocol.CodeUncalibrated},
		{"two-faces-at-a-million", list(refFace), ask(face8, face7), 1_000_000, protocol.CodeMatched},
		{"rate-that-overflows", list(refFace), slices.Repeat(ask(face7), 2), 1<<31 + 1, protocol.CodeUncalibrated},
		{"no-rate", list(refFace), ask(face7), 0, protocol.CodeUncalibrated},

		{"poor-finger", list(ref(2)), ask(placed(2, sparse(finger7.Data, 2))), 10000, protocol.CodeProbeQuality},
		{"fragment", list(ref(2)), ask(placed(2, sparse(finger7.Data, finger.MinDecidable-1))), 10000, protocol.CodeProbeQuality},
		// A small part of a finger may match, but cannot say no.
		{"small-part-of-another", list(ref(2)), ask(placed(2, sparse(finger8.Data, finger.MinDecidable))), 10000, protocol.CodeSmallPart},
		{"least-finger-of-another", list(ref(2)), ask(placed(2, sparse(finger8.Data, finger.MinWhole))), 10000, protocol.CodeNotMatched},
		{"small-part-and-face-of-another", list(refFace, ref(2)), ask(face8, placed(2, sparse(finger8.Data, finger.MinDecidable))), 10000, protocol.CodeNotMatched},
		{"fragment-repeated", list(ref(2)), ask(placed(2, repeated(finger7.Data, finger.MinDecidable-1))), 10000, protocol.CodeProbeQuality},
		{"fragment-enrolled", list(fingerTemplate(2, repeated(p.FingerReference(2), 8))), ask(finger7), 10000, protocol.CodeNoReference},
		{"poor-finger-and-good", list(ref(2)), ask(placed(2, sparse(finger7.Data, 2)), finger7), 10000, protocol.CodeMatched},
		{"poor-finger-and-another", list(ref(2)), ask(placed(2, sparse(finger7.Data, 2)), finger8), 10000, protocol.CodeNotMatched},
		{"poor-reference", list(fingerTemplate(2, sparse(p.FingerReference(2), 2))), ask(finger7), 10000, protocol.CodeNoReference},
		{"poor-reference-and-good", list(fingerTemplate(2, sparse(p.FingerReference(2), 2)), ref(2)), ask(finger7), 10000, protocol.CodeMatched},

		// A poor capture may match, but cannot say no; another sample that can still does.
		{"poor-capture", list(ref(2)), ask(placed(2, graded(finger7.Data, 10))), 10000, protocol.CodeMatched},
		{"poor-capture-of-another", list(ref(2)), ask(placed(2, graded(finger8.Data, 10))), 10000, protocol.CodePoorCapture},
		{"poor-capture-by-the-question", list(ref(2)), ask(rated(placed(2, graded(finger8.Data, 0)), 10)), 10000, protocol.CodePoorCapture},
		{"quality-of-record-before-question", list(ref(2)), ask(rated(placed(2, graded(finger8.Data, 60)), 10)), 10000, protocol.CodeNotMatched},
		{"unreported-quality", list(ref(2)), ask(placed(2, graded(finger8.Data, 0))), 10000, protocol.CodeNotMatched},
		{"poor-capture-and-face-of-another", list(refFace, ref(2)), ask(face8, placed(2, graded(finger8.Data, 10))), 10000, protocol.CodeNotMatched},

		{"other-model", list(refFace), ask(faceProbe(embedding(face.ModelMobileFaceNet, 128))), 10000, protocol.CodeNotComparable},
		{"unknown-model", list(faceTemplate(embedding("acme-1", 256))), ask(faceProbe(embedding("acme-1", 256))), 10000, protocol.CodeNotComparable},
		{"other-dimensions", list(faceTemplate(embedding("acme-1", 256))), ask(faceProbe(embedding("acme-1", 128))), 10000, protocol.CodeNotComparable},
		{"both-models", list(faceTemplate(embedding(face.ModelMobileFaceNet, 128)), refFace), ask(face7), 10000, protocol.CodeMatched},
		{"both-models-another", list(faceTemplate(embedding(face.ModelMobileFaceNet, 128)), refFace), ask(face8), 10000, protocol.CodeNotMatched},

		// Faces of two models are one piece of evidence with as many chances.
		{"two-models", list(refFace, ofModel(p, 1)), ask(face7, faceProbe(ofModel(p, 2).Data)), 10000, protocol.CodeMatched},
		{"two-models-second-right", list(refFace, ofModel(p, 1)), ask(face8, faceProbe(ofModel(p, 2).Data)), 10000, protocol.CodeMatched},
		{"two-models-of-another", list(refFace, ofModel(p, 1)), ask(face8, faceProbe(ofModel(q, 2).Data)), 10000, protocol.CodeNotMatched},
		{"two-models-do-not-add-up", list(refFace, ofModel(p, 1)), ask(face7, faceProbe(ofModel(p, 2).Data)), 100_000_000, protocol.CodeUncalibrated},
		{"two-models-and-finger-of-another", list(refFace, ofModel(p, 1), ref(2)), ask(face8, faceProbe(ofModel(q, 2).Data), finger8), 10000, protocol.CodeNotMatched},

		{"finger-saves-face", list(refFace, ref(2)), ask(face8, finger7), 10000, protocol.CodeMatched},
		{"face-saves-finger", list(refFace, ref(2)), ask(finger8, face7), 10000, protocol.CodeMatched},
		// One finger of four alone would match, all together do not.
		{"fingers-disagree", ten, ask(finger7, placed(3, q.FingerProbe(3, 1)), placed(4, q.FingerProbe(4, 1)), placed(5, q.FingerProbe(5, 1))),
			1000, protocol.CodeDisagree},
		// At a rate that one finger carries and two times which it does not, a bandaged finger is no "no" beside a good one.
		{"bandaged-finger-beside-good", ten, ask(finger7, placed(3, q.FingerProbe(3, 1))), 10000, protocol.CodeDisagree},
		{"two-fingers-of-another", ten, ask(finger8, placed(3, q.FingerProbe(3, 1))), 10000, protocol.CodeNotMatched},
		{"two-fingers-add-up", ten, ask(finger7, placed(3, p.FingerProbe(3, 1))), 1_000_000, protocol.CodeMatched},
		{"one-finger-does-not", ten, ask(finger7), 1_000_000, protocol.CodeUncalibrated},
		// The same finger under two names is one piece of evidence.
		{"one-finger-twice", list(ref(2), fingerTemplate(3, p.FingerReference(2))), ask(placed(2, unplaced(finger7.Data)), placed(3, unplaced(finger7.Data))),
			1_000_000, protocol.CodeUncalibrated},
		{"face-and-finger-add-up", list(refFace, ref(2)), ask(face7, finger7), 100_000_000, protocol.CodeMatched},
		{"neither", list(refFace, ref(2)), ask(finger8, face8), 10000, protocol.CodeNotMatched},
		{"face-and-poor-finger", list(refFace, ref(2)), ask(face8, placed(2, sparse(finger7.Data, 2))), 10000, protocol.CodeNotMatched},
		{"no-face-and-poor-finger", list(ref(2)), ask(face7, placed(2, sparse(finger7.Data, 2))), 10000, protocol.CodeProbeQuality},
		// Signatures: five together are the reference, and the forgeries of its calibration are few.
		{"signature", signed(p, 5), ask(signatureProbe(p.SignatureCapture(9))), 100, protocol.CodeMatched},
		{"signature-of-another", signed(p, 5), ask(signatureProbe(q.SignatureCapture(9))), 100, protocol.CodeNotMatched},
		{"signature-forged", signed(p, 5), ask(signatureProbe(p.Forgery(1))), 100, protocol.CodeNotMatched},
		{"signature-alone-at-10000", signed(p, 5), ask(signatureProbe(p.SignatureCapture(9))), 10000, protocol.CodeUncalibrated},
		{"signature-beside-face", append(signed(p, 5), refFace), ask(face7, signatureProbe(p.SignatureCapture(9))), 10000, protocol.CodeMatched},
		{"two-signatures", signed(p, 2), ask(signatureProbe(p.SignatureCapture(9))), 100, protocol.CodeNoReference},
		{"many-signatures", signed(p, 30), ask(signatureProbe(p.SignatureCapture(90))), 100, protocol.CodeMatched},
		{"signatures-of-several", slices.Concat(signed(p, 2), signed(q, 2), signed(person(9), 2)), ask(signatureProbe(p.SignatureCapture(9))), 100, protocol.CodeNoReference},
		{"signature-without-pressure", signed(p, 5), ask(signatureProbe(bare(p.SignatureCapture(9)))), 100, protocol.CodeNotComparable},
		{"signature-still", signed(p, 5), ask(signatureProbe(still(p.SignatureCapture(9)))), 100, protocol.CodeProbeQuality},

		// Irises: the eye is in the record, or in the question.
		{"iris", list(irisTemplate(p.IrisReference(1), 1)), ask(irisProbe(p.IrisProbe(1, 1), 1, 0)), 10000, protocol.CodeMatched},
		{"iris-of-another", list(irisTemplate(p.IrisReference(1), 1)), ask(irisProbe(q.IrisProbe(1, 1), 1, 0)), 10000, protocol.CodeNotMatched},
		{"iris-of-the-other-eye", list(irisTemplate(p.IrisReference(0), 2)), ask(irisProbe(p.IrisProbe(1, 1), 1, 0)), 10000, protocol.CodeNoReference},
		{"iris-placed-by-the-question", bothEyes(p), ask(irisProbe(p.IrisProbe(1, 1), 0, 1)), 10000, protocol.CodeMatched},
		{"iris-of-unknown-eye", bothEyes(p), ask(irisProbe(p.IrisProbe(1, 1), 0, 0)), 20_000, protocol.CodeUncalibrated},
		{"iris-of-unknown-eye-at-1000", bothEyes(p), ask(irisProbe(p.IrisProbe(1, 1), 0, 0)), 1000, protocol.CodeMatched},
		{"both-irises-add-up", bothEyes(p), ask(irisProbe(p.IrisProbe(1, 1), 1, 0), irisProbe(p.IrisProbe(0, 1), 2, 0)), 1_000_000, protocol.CodeMatched},
		{"one-iris-twice", list(irisTemplate(p.IrisReference(1), 1), irisTemplate(p.IrisReference(1), 2)),
			ask(irisProbe(p.IrisProbe(1, 1), 1, 0), irisProbe(p.IrisProbe(1, 1), 2, 0)), 1_000_000, protocol.CodeUncalibrated},
		{"iris-hidden", bothEyes(p), ask(hidden(p.IrisProbe(1, 1), iris.Size-20)), 10000, protocol.CodeProbeQuality},
		{"iris-and-face", append(bothEyes(p), refFace), ask(face7, irisProbe(p.IrisProbe(1, 1), 1, 0)), 1_000_000, protocol.CodeMatched},
		{"iris-nothing-in-common", list(halfIris(p.IrisReference(1), 0)), ask(halfProbe(p.IrisReference(1))), 10000, protocol.CodeProbeQuality},
		{"iris-nothing-in-common-and-face", list(halfIris(p.IrisReference(1), 0), refFace), ask(halfProbe(p.IrisReference(1)), face7), 10000, protocol.CodeMatched},
		{"iris-of-another-program", list(irisOf("acme-1", p.IrisReference(1), 1)), ask(irisProbe(p.IrisProbe(1, 1), 1, 0)), 10000, protocol.CodeNotComparable},

		// Whether codes of two programs are of one eye cannot be told, so they do not add up.
		{"irises-of-two-programs", list(irisTemplate(p.IrisReference(1), 1), irisOf(iris.ProfileTest, p.IrisReference(0), 2)),
			ask(irisProbe(p.IrisProbe(1, 1), 1, 0), irisProbeOf(iris.ProfileTest, p.IrisProbe(0, 1), 2)), 1000, protocol.CodeMatched},
		{"irises-of-two-programs-do-not-add-up", list(irisTemplate(p.IrisReference(1), 1), irisOf(iris.ProfileTest, p.IrisReference(0), 2)),
			ask(irisProbe(p.IrisProbe(1, 1), 1, 0), irisProbeOf(iris.ProfileTest, p.IrisProbe(0, 1), 2)), 1_000_000, protocol.CodeUncalibrated},
		{"iris-of-a-program-without-threshold", list(irisOf("acme-1", p.IrisReference(1), 1)), ask(irisProbeOf("acme-1", p.IrisProbe(1, 1), 1)), 10, protocol.CodeNotComparable},
		// Two eyes carry the rate, but one shows nothing in common with its reference, and the other does not carry it alone.
		{"what-is-left-does-not-carry-the-rate", list(halfIris(p.IrisReference(1), 0), irisTemplate(p.IrisReference(0), 2)),
			ask(halfProbe(p.IrisReference(1)), irisProbe(p.IrisProbe(0, 1), 2, 0)), 1_000_000, protocol.CodeProbeQuality},
		// One program's codes show nothing in common, the other's match: whichever comes first, that is no "no".
		{"iris-of-two-programs-and-others", withOthers(p), ask(halfProbe(p.IrisReference(1)), irisProbeOf(iris.ProfileTest, p.IrisProbe(1, 1), 1), face8, finger8),
			1000, protocol.CodeDisagree},
		{"iris-of-two-programs-exchanged", withOthers(p), ask(irisProbeOf(iris.ProfileTest, p.IrisProbe(1, 1), 1), halfProbe(p.IrisReference(1)), face8, finger8),
			1000, protocol.CodeDisagree},
		{"matching-face-and-fingers-that-cannot-say-no", append(slices.Clone(ten), refFace), ask(face7, placed(2, reported(q.FingerProbe(2, 1), 10)), placed(3, reported(q.FingerProbe(3, 1), 10)),
			placed(4, reported(q.FingerProbe(4, 1), 10)), placed(5, reported(q.FingerProbe(5, 1), 10))), 10_000, protocol.CodeDisagree},
		// A fragment of better quality does not hide the whole finger.
		{"fragment-beside-whole", list(fingerTemplate(2, reported(p.FingerReference(2), 60)), fingerTemplate(2, reported(sparse(p.FingerReference(2), 17), 61))), ask(finger7), 10_000, protocol.CodeMatched},
		// A finger of no name may be the one whose reference shows nothing.
		{"no-name-and-a-poor-reference", list(ref(2), ref(3), fingerTemplate(4, sparse(p.FingerReference(4), 3))), ask(placed(0, unplaced(q.FingerProbe(3, 1)))), 1000, protocol.CodeSmallPart},
		{"no-name-and-a-poor-reference-match", list(ref(2), ref(3), fingerTemplate(4, sparse(p.FingerReference(4), 3))), ask(placed(0, unplaced(finger7.Data))), 1000, protocol.CodeMatched},
		{"a-name-beside-a-poor-reference", list(ref(2), ref(3), fingerTemplate(4, sparse(p.FingerReference(4), 3))), ask(placed(3, q.FingerProbe(3, 1))), 1000, protocol.CodeNotMatched},

		{"no-face-and-finger", list(ref(2)), ask(face7, finger8), 10000, protocol.CodeNotMatched},
	}
}

// TestVerdicts: every way a comparison can end, with the rate it was made at.
func TestVerdicts(t *testing.T) {
	ledgers := newWorld().withLedger(t)
	for _, c := range verdictCases() {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld().withGallery(t, enrolled(person(7), c.templates...))
			w.log, w.ledger.under = ledgers.log, ledgers.ledger.under
			w.law.d.FMROneIn = c.oneIn
			a := w.send(t, about(person(7), c.probes...))
			if a.Code != c.want {
				t.Fatalf("got %s %s, want %s", a.Outcome, a.Code, c.want)
			}
			rate := uint32(0)
			if a.Outcome == protocol.Matched || a.Outcome == protocol.NotMatched {
				rate = c.oneIn
			}
			if a.FMROneIn != rate {
				t.Errorf("decided at 1/%d, want 1/%d", a.FMROneIn, rate)
			}
			if a.Policy.ID != "p-1" || !a.Signed {
				t.Errorf("policy %+v, receipt %t", a.Policy, a.Signed)
			}
		})
	}
}

// TestUnknownSubject: who is not enrolled is inconclusive, but a record that is none
// is refused all the same, so that it does not tell who is enrolled.
func TestUnknownSubject(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	nobody := person(9)
	for name, c := range map[string]struct {
		probe protocol.Probe
		want  protocol.Code
	}{
		"face":        {faceProbe(nobody.FaceProbe(1)), protocol.CodeSubjectUnknown},
		"finger":      {fingerProbe(2, nobody.FingerProbe(2, 1)), protocol.CodeSubjectUnknown},
		"poor-finger": {fingerProbe(2, sparse(nobody.FingerProbe(2, 1), 1)), protocol.CodeSubjectUnknown},
		"no-record":   {fingerProbe(2, []byte("FMR")), protocol.CodeProbe},
		"truncated":   {faceProbe(nobody.FaceProbe(1)[:100]), protocol.CodeProbe},
	} {
		t.Run(name, func(t *testing.T) {
			if a := w.send(t, about(nobody, c.probe)); a.Code != c.want {
				t.Errorf("got %s, want %s", a.Code, c.want)
			}
			if c.want != protocol.CodeProbe {
				return
			}
			c.probe.Data = slices.Clone(c.probe.Data)
			if a := w.send(t, about(p, c.probe)); a.Code != c.want {
				t.Errorf("an enrolled subject is answered differently: %s", a.Code)
			}
		})
	}
}

// TestBadReference: a stored record that cannot be read is the node's failure, and
// is not put on the probe.
func TestBadReference(t *testing.T) {
	p := person(7)
	good := p.FingerReference(2)
	cut := slices.Clone(good[:len(good)-1])
	binary.BigEndian.PutUint32(cut[8:], uint32(len(cut)))
	for name, c := range map[string]struct {
		templates []gallery.Template
		probe     protocol.Probe
	}{
		"finger-garbage":     {[]gallery.Template{fingerTemplate(2, []byte("garbage"))}, fingerProbe(2, p.FingerProbe(2, 1))},
		"finger-cut":         {[]gallery.Template{fingerTemplate(2, cut)}, fingerProbe(2, p.FingerProbe(2, 1))},
		"face-garbage":       {[]gallery.Template{faceTemplate([]byte("garbage"))}, faceProbe(p.FaceProbe(1))},
		"finger-under-face":  {[]gallery.Template{{Modality: "face", Format: exchange.FormatFinger2005, Data: good}}, faceProbe(p.FaceProbe(1))},
		"unknown-format":     {[]gallery.Template{{Modality: "face", Format: "acme", Data: good}}, faceProbe(p.FaceProbe(1))},
		"good-one-before-it": {[]gallery.Template{fingerTemplate(2, good), fingerTemplate(2, cut)}, fingerProbe(2, p.FingerProbe(2, 1))},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld().withLedger(t).withGalleryUnder(t, nil, enrolled(p, c.templates...))
			a := w.send(t, about(p, c.probe))
			if a.Code != protocol.CodeInternal || a.Outcome != protocol.Unavailable || a.FMROneIn != 0 || !a.Signed {
				t.Errorf("got %+v, receipt %t", a.Verdict, a.Signed)
			}
		})
	}
}

// TestGalleryFailsLater: the second modality's look-up fails after the first's
// would have matched.
func TestGalleryFailsLater(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	w.trace.hook = func(at string) {
		if at == "before gallery finger" {
			w.gallery.err = errors.New("disk")
		}
	}
	a := w.send(t, about(p, faceProbe(p.FaceProbe(1)), fingerProbe(2, p.FingerProbe(2, 1))))
	if a.Code != protocol.CodeInternal {
		t.Errorf("got %s", a.Code)
	}
}

// TestConsent: one thing wrong with the artefact, its code; and a subject who is not
// enrolled is answered like one whose consent it is not.
func TestConsent(t *testing.T) {
	p, other, nobody := person(7), person(8), person(9)
	withoutKey := person(10)
	keyless := enrolled(withoutKey, faceTemplate(withoutKey.FaceReference()))
	keyless.Holder = ""
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2))), keyless)
	edit := func(f func(*consent.Consent)) string { return consented(p, f) }
	forged := must(jose.Parse(consented(p, nil)))
	for _, c := range []struct {
		name    string
		subject synth.Person
		consent string
		want    protocol.Code
	}{
		{"given", p, consented(p, nil), protocol.CodeMatched},
		{"missing", p, "", protocol.CodeConsentMissing},
		{"malformed", p, "a.b.c", protocol.CodeConsentInvalid},
		{"empty-parts", p, "..", protocol.CodeConsentInvalid},
		{"signature", p, consented(p, nil)[:len(consented(p, nil))-6] + "AAAAAA", protocol.CodeConsentInvalid},
		{"other-type", p, must(jose.Sign(holder(p), "JWT", forged.Payload())), protocol.CodeConsentInvalid},
		{"signed-by-another", p, must(jose.Sign(holder(other), consent.Type, forged.Payload())), protocol.CodeConsentHolder},
		{"other-holder", p, consented(other, nil), protocol.CodeConsentHolder},
		{"other-purpose", p, edit(func(c *consent.Consent) { c.Purpose = "visa_issuance" }), protocol.CodeConsentPurpose},
		{"other-requester", p, edit(func(c *consent.Consent) { c.Requester = "https://tjk.example" }), protocol.CodeConsentAudience},
		{"other-controller", p, edit(func(c *consent.Consent) { c.Controller = "https://kgz.example" }), protocol.CodeConsentAudience},
		{"roles-swapped", p, edit(func(c *consent.Consent) { c.Requester, c.Controller = self, asker }), protocol.CodeConsentAudience},
		{"expired", p, edit(func(c *consent.Consent) { c.ExpiresAt = start }), protocol.CodeConsentExpired},
		{"not-yet", p, edit(func(c *consent.Consent) { c.IssuedAt = start.Add(2 * consent.Skew) }), protocol.CodeConsentExpired},
		{"other-modality", p, edit(func(c *consent.Consent) { c.Modalities = []string{"finger"} }), protocol.CodeConsentModality},
		{"not-enrolled", nobody, consented(nobody, nil), protocol.CodeConsentHolder},
		{"not-enrolled-other-holder", nobody, consented(other, nil), protocol.CodeConsentHolder},
		{"not-enrolled-malformed", nobody, "a.b.c", protocol.CodeConsentInvalid},
		{"enrolled-without-key", withoutKey, consented(withoutKey, nil), protocol.CodeConsentHolder},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			w.law.d.ConsentRequired = true
			q := about(c.subject, faceProbe(c.subject.FaceProbe(1)))
			q.env.IssuedAt = start.Add(-20 * time.Second) // consent is judged now, not then
			q.env.ExpiresAt = q.env.IssuedAt.Add(time.Minute)
			q.question.Consent = c.consent
			a := w.send(t, q)
			if a.Code != c.want || !a.Signed {
				t.Errorf("got %s, receipt %t; want %s", a.Code, a.Signed, c.want)
			}
			if a.Outcome == protocol.Refused && (a.FMROneIn != 0 || a.Policy.ID != "p-1") {
				t.Errorf("a refusal with %+v", a.Verdict)
			}
		})
	}
	t.Run("one-modality-of-two", func(t *testing.T) {
		w := newWorld()
		w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
		w.law.d.ConsentRequired = true
		q := about(p, faceProbe(p.FaceProbe(1)), fingerProbe(2, p.FingerProbe(2, 1)))
		q.question.Consent = edit(func(c *consent.Consent) { c.Modalities = []string{"face"} })
		if a := w.send(t, q); a.Code != protocol.CodeConsentModality {
			t.Errorf("got %s", a.Code)
		}
	})
	t.Run("not-demanded", func(t *testing.T) {
		w := newWorld()
		w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
		q := about(p, faceProbe(p.FaceProbe(1)))
		q.question.Consent = "a.b.c"
		if a := w.send(t, q); a.Code != protocol.CodeMatched {
			t.Errorf("got %s", a.Code)
		}
	})
}

// TestRealLaw: the obligations of a law file reach the comparison.
func TestRealLaw(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	src, ok := policy.Builtin("KAZ")
	if !ok {
		t.Fatal("no built-in law")
	}
	w.law.real = must(policy.Load("KAZ", src))
	for name, c := range map[string]struct {
		purpose, basis, consent string
		want                    protocol.Code
	}{
		"border":             {"border_control", "public_task", "", protocol.CodeMatched},
		"border-on-consent":  {"border_control", "consent", consented(p, nil), protocol.CodeLaw},
		"visa":               {"visa_issuance", "public_task", "", protocol.CodeConsentMissing},
		"visa-with-consent":  {"visa_issuance", "public_task", consented(p, func(c *consent.Consent) { c.Purpose = "visa_issuance" }), protocol.CodeMatched},
		"purpose-of-no-kind": {"curiosity", "public_task", "", protocol.CodeLaw},
	} {
		t.Run(name, func(t *testing.T) {
			q := about(p, faceProbe(p.FaceProbe(1)))
			q.env.Purpose, q.env.LegalBasis, q.question.Consent = c.purpose, c.basis, c.consent
			a := w.send(t, q)
			if a.Code != c.want {
				t.Errorf("got %s, want %s", a.Code, c.want)
			}
			if a.Policy.ID == "" || a.Policy.Law == "" || a.Policy.Version == "" {
				t.Errorf("an Answer under %+v", a.Policy)
			}
			if a.Code == protocol.CodeMatched && a.FMROneIn != 10000 {
				t.Errorf("decided at 1/%d", a.FMROneIn)
			}
		})
	}
}
