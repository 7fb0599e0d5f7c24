package identify_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/identify"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/protection"
	"github.com/tamga-id/tamga/node/responder"
	"github.com/tamga-id/tamga/node/rows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	asker  = "https://kgz.example"
	self   = "https://kaz.example"
	office = "https://rescue.example"
)

var start = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func seed(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func key(b byte) jose.PrivateKey     { return must(jose.NewPrivateKey(seed(b))) }
func sealingKey() sealing.PrivateKey { return must(sealing.NewPrivateKey(seed(4))) }

// offices: "first" and "second" exempt, "desk" attests.
func offices() consent.Offices {
	officer := func(name string, b byte, r consent.Role) consent.Officer {
		return consent.Officer{Name: name, Roles: []consent.Role{r}, Key: key(b).Public()}
	}
	return consent.Offices{office: {ID: office, Under: self, Officers: []consent.Officer{
		officer("first", 21, consent.MayExempt), officer("second", 22, consent.MayExempt), officer("desk", 23, consent.MayAttest)}}}
}

var people = synth.New(20260921, "KAZ")

func passport(i int) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: people.Person(i).PassportNumber}
}

// uses counts them in memory.
type uses struct {
	mu      sync.Mutex
	counted map[[32]byte]int
}

func (u *uses) Use(c consent.Consent) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.counted[c.Key()]++; u.counted[c.Key()] > c.Uses {
		return consents.ErrUsed
	}
	return nil
}

// world is a Desk over a register of 12 people, of whom the even ones have a face and all a finger.
type world struct {
	*identify.Desk
	cfg     identify.Config
	gallery *gallery.Gallery
	now     time.Time
	logs    bytes.Buffer
}

func newWorld(t *testing.T, edit func(*identify.Config)) *world {
	t.Helper()
	faces := must(protection.New(keys.Generations{Current: 1, Secrets: map[uint32][]byte{1: seed(101)}}))
	g, err := gallery.Open(gallery.Config{Dir: filepath.Join(t.TempDir(), "gallery"), Node: self, Root: must(custody.NewRoot(seed(9))),
		Ring: must(envelope.NewRing(map[uint32][]byte{1: seed(12)}, 1)), Pseudonyms: must(pseudonym.Single(seed(10))), Protection: faces, Identifiers: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	var batch []gallery.Enrolment
	for i := range 12 {
		p := people.Person(i)
		e := gallery.Enrolment{Subject: passport(i), Templates: []gallery.Template{
			{Modality: "finger", Format: exchange.FormatFinger2005, Position: 2, Data: p.FingerReference(2)}}}
		if i%2 == 0 {
			e.Templates = append(e.Templates, gallery.Template{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceReference()})
		}
		batch = append(batch, e)
	}
	for _, r := range must(g.Enrol(t.Context(), batch)) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return over(t, g, faces, edit)
}

// over is a world with a gallery.
func over(t testing.TB, g *gallery.Gallery, faces *protection.Faces, edit func(*identify.Config)) *world {
	t.Helper()
	w := &world{gallery: g, now: start}
	src, _ := policy.Builtin("KAZ")
	w.cfg = identify.Config{Gallery: g, Law: must(policy.Load("KAZ.cedar", src)), Rows: must(rows.New(g, [32]byte{7})),
		Consents: &uses{counted: map[[32]byte]int{}}, Offices: offices(), Faces: faces, Candidates: 5, Life: 10 * time.Minute,
		Calibrations: comparison.Calibrations{}, Now: func() time.Time { return w.now }, Workers: 2,
		Logger: slog.New(slog.NewJSONHandler(&w.logs, nil))}
	if edit != nil {
		edit(&w.cfg)
	}
	w.Desk = identify.New(w.cfg)
	return w
}

// ask is a Query about to be served.
type ask struct {
	operation, issuer, purpose, basis, modality string
	probe                                       protocol.Probe
	handle                                      protocol.Handle
	order                                       string
}

func faceOf(i int) protocol.Probe {
	return protocol.Probe{Modality: "face", Format: exchange.FormatEmbedding, Data: people.Person(i).FaceProbe(0)}
}

// order is an exemption by two officers, edited before the first signs.
func order(sub, requester, modality string, edit func(*consent.Consent)) string {
	c := consent.Consent{ID: sub[:20], Requester: requester, Controller: self, Purpose: "humanitarian_aid", Modalities: []string{modality},
		IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Uses: 1, Office: office, Officer: "first", Subject: sub,
		Exemption: consent.Exemption{Case: "17/2026", Disclose: start.AddDate(0, 6, 0)}}
	if edit != nil {
		edit(&c)
	}
	return must(consent.Countersign(key(22), must(consent.Order(key(21), c)), office, "second", start))
}

// searching is a lawful search for a probe.
func searching(p protocol.Probe) ask {
	return ask{operation: protocol.OperationIdentify, issuer: asker, purpose: "humanitarian_aid", basis: "vital_interest", modality: p.Modality,
		probe: p, order: order(consent.BindSample(p.Data), asker, p.Modality, nil)}
}

func resolving(h protocol.Handle, modality string) ask {
	return ask{operation: protocol.OperationResolve, issuer: asker, purpose: "humanitarian_aid", basis: "vital_interest", modality: modality,
		handle: h, order: order(consent.BindHandle(h[:]), asker, modality, nil)}
}

// serve has the desk judge it, law having been asked on the visible claims like a responder does.
func (w *world) serve(t testing.TB, a ask) (responder.Served, protocol.Code) {
	t.Helper()
	var asked protocol.Asked = protocol.Search{Probe: a.probe, Order: a.order}
	if a.operation == protocol.OperationResolve {
		asked = protocol.Resolution{Handle: a.handle, Order: a.order}
	}
	p, err := protocol.Ask(protocol.Envelope{Issuer: a.issuer, Audience: self, Purpose: a.purpose, LegalBasis: a.basis, Operation: a.operation, Officer: "o7"},
		asked, sealingKey().Public(), key(1), w.now)
	if err != nil {
		t.Fatal(err)
	}
	q := must(must(protocol.ParseQuery(p.Frame)).Verify(jose.NewKeySet(key(1).Public()), self, w.now))
	r := policy.Request{Direction: policy.Answer, Requester: a.issuer, Responder: self, RequesterCountry: "KGZ", ResponderCountry: "KAZ",
		Purpose: a.purpose, LegalBasis: a.basis, Operation: a.operation, Time: w.now, Sealed: true}
	d := w.cfg.Law.Decide(r)
	if !d.Allowed {
		return responder.Served{}, protocol.CodeLaw
	}
	s, err := w.Serve(context.Background(), q, sealingKey(), r, d)
	if err != nil {
		if s.Found.Handles != nil || s.Found.Subject != (pseudonym.Identifier{}) {
			t.Errorf("something is told with %v", err)
		}
		return s, protocol.CodeOf(err)
	}
	return s, s.Code
}

// lax is a law that permits everything on any basis without anybody's signature.
type lax struct{}

func (lax) Decide(policy.Request) policy.Decision {
	return policy.Decision{Allowed: true, PolicyID: "lax", FMROneIn: 10000, Modalities: []string{"face", "finger", "signature"}}
}
