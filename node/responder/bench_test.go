package responder_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/node/gallery"
)

// BenchmarkHandle is what one Query costs in the process that answers it, under a
// real law and with a real gallery; without the transport, and with a ledger that
// does not write ("memory") or the real one ("durable", which one at a time is the
// disk's fsync and in parallel is what group commit makes of it).
func BenchmarkHandle(b *testing.B) {
	p := person(7)
	faces := facesOf(1)
	g, err := gallery.Open(gallery.Config{Dir: filepath.Join(b.TempDir(), "gallery"), Node: self,
		Root: must(custody.NewRoot(seed(9))), Ring: must(envelope.NewRing(map[uint32][]byte{1: seed(12)}, 1)),
		Pseudonyms: must(pseudonym.Single(seed(10))), Protection: faces})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			b.Error(err)
		}
	}()
	must(g.Enrol(b.Context(), []gallery.Enrolment{enrolled(p, faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2)))}))
	src, _ := policy.Builtin("KAZ")
	act := must(policy.Load("KAZ", src))
	face := about(p, faceProbe(p.FaceProbe(1)))
	finger := about(p, fingerProbe(2, p.FingerProbe(2, 1)))
	both := about(p, faceProbe(person(8).FaceProbe(1)), fingerProbe(2, p.FingerProbe(2, 1)))
	visa := face
	visa.env.Purpose = "visa_issuance"
	visa.question.Consent = consented(p, func(c *consent.Consent) { c.Purpose = "visa_issuance" })
	unlawful := face
	unlawful.env.LegalBasis = "consent"
	for _, c := range []struct {
		name string
		q    query
	}{{"face", face}, {"finger", finger}, {"both", both}, {"consent", visa}, {"unlawful", unlawful}, {"face-durable", face}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld()
			w.gallery.under, w.law.real = g, act
			if strings.HasSuffix(c.name, "durable") {
				w.withLedger(b)
			}
			frames := make([][]byte, b.N)
			for i := range frames {
				c.q.env.ID = fresh()
				frames[i] = c.q.pending(b).Frame
			}
			b.ReportAllocs()
			b.ResetTimer()
			for _, f := range frames {
				if _, err := w.Handle(b.Context(), askerKey, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
