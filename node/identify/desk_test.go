package identify_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
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
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/identify"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/pace"
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

// TestSearchAndResolve: the person is among the candidates, is named once, and under an order of its own.
func TestSearchAndResolve(t *testing.T) {
	w := newWorld(t, nil)
	s, code := w.serve(t, searching(faceOf(4)))
	if code != protocol.CodeCandidates || len(s.Found.Handles) != 1 || s.Consent != "exemption" || s.Modalities != "face" || s.Decision.PolicyID != "kaz-search-rescue" {
		t.Fatalf("search: %s, %d handles, %+v", code, len(s.Found.Handles), s.Decision.PolicyID)
	}
	h := s.Found.Handles[0]
	s, code = w.serve(t, resolving(h, "face"))
	if code != protocol.CodeResolved || s.Found.Subject != passport(4) {
		t.Fatalf("resolution: %s, the right one %v", code, s.Found.Subject == passport(4))
	}
	again := resolving(h, "face")
	again.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.ID = "another" })
	if _, code = w.serve(t, again); code != protocol.CodeHandle {
		t.Errorf("a handle used twice: %s", code)
	}
	if _, code := w.serve(t, searching(faceOf(5))); code != protocol.CodeNoCandidate {
		t.Errorf("somebody enrolled without a face: %s", code)
	}
	finger := protocol.Probe{Modality: "finger", Format: exchange.FormatFinger2005, Position: 2, Data: people.Person(5).FingerProbe(2, 0)}
	if s, code := w.serve(t, searching(finger)); code != protocol.CodeCandidates || len(s.Found.Handles) != 1 {
		t.Errorf("by the finger: %s", code)
	}
	finger.Position, finger.Data = 0, people.Person(50).FingerProbe(2, 0)
	if _, code := w.serve(t, searching(finger)); code != protocol.CodeNoCandidate {
		t.Errorf("a stranger's finger: %s", code)
	}
	if strings.Contains(w.logs.String(), passport(4).Value) || strings.Contains(w.logs.String(), h.Text()) {
		t.Error("the log names somebody, or a handle")
	}
}

// TestRefusedSearches: one fault each.
func TestRefusedSearches(t *testing.T) {
	w := newWorld(t, nil)
	p := faceOf(4)
	single := must(consent.Order(key(21), consent.Consent{ID: "x", Requester: asker, Controller: self, Purpose: "humanitarian_aid", Modalities: []string{"face"},
		IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Uses: 1, Office: office, Officer: "first", Subject: consent.BindSample(p.Data),
		Exemption: consent.Exemption{Case: "1", Disclose: start.AddDate(0, 6, 0)}}))
	attested := must(consent.Attest(key(23), consent.Consent{ID: "y", Requester: asker, Controller: self, Purpose: "humanitarian_aid", Modalities: []string{"face"},
		IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Uses: 1, Office: office, Officer: "desk", Form: consent.Written,
		Subject: consent.BindSample(p.Data), Notice: consent.NoticeOf([]byte("n"), "kk")}))
	by := func(edit func(*consent.Consent)) func(*ask) {
		return func(a *ask) { a.order = order(consent.BindSample(a.probe.Data), asker, a.modality, edit) }
	}
	for name, c := range map[string]struct {
		edit func(*ask)
		want protocol.Code
	}{
		"consent-basis":    {func(a *ask) { a.basis = "consent" }, protocol.CodeLaw},
		"purpose":          {func(a *ask) { a.purpose = "border_control" }, protocol.CodeLaw},
		"no-order":         {func(a *ask) { a.order = "" }, protocol.CodeConsentMissing},
		"one-officer":      {func(a *ask) { a.order = single }, protocol.CodeSecondOfficer},
		"attested":         {func(a *ask) { a.order = attested }, protocol.CodeSearchGround},
		"many-uses":        {by(func(c *consent.Consent) { c.Uses = 2 }), protocol.CodeSearchGround},
		"other-sample":     {func(a *ask) { a.order = order(consent.BindSample([]byte("x")), asker, "face", nil) }, protocol.CodeConsentHolder},
		"a-person":         {func(a *ask) { a.order = order(must(consent.Bind(passport(4))), asker, "face", nil) }, protocol.CodeConsentHolder},
		"other-requester":  {by(func(c *consent.Consent) { c.Requester = "https://tjk.example" }), protocol.CodeConsentAudience},
		"other-modality":   {by(func(c *consent.Consent) { c.Modalities = []string{"finger"} }), protocol.CodeConsentModality},
		"expired":          {by(func(c *consent.Consent) { c.ExpiresAt = start.Add(-time.Second) }), protocol.CodeConsentExpired},
		"not-an-officer":   {by(func(c *consent.Consent) { c.Officer = "desk" }), protocol.CodeConsentOffice},
		"signature":        {func(a *ask) { a.probe.Modality, a.modality = "signature", "signature" }, protocol.CodeLaw},
		"no-order-garbage": {func(a *ask) { a.order, a.probe.Data = "", []byte("garbage") }, protocol.CodeConsentMissing},
		"garbage":          {func(a *ask) { a.probe.Data = []byte("garbage") }, protocol.CodeProbe},
		"format":           {func(a *ask) { a.probe.Format = "jpeg" }, protocol.CodeModality},
	} {
		a := searching(p)
		c.edit(&a)
		if _, code := w.serve(t, a); code != c.want {
			t.Errorf("%s: %s, want %s", name, code, c.want)
		}
	}
	// None of these used the order up, and the right one is good once.
	a := searching(p)
	if _, code := w.serve(t, a); code != protocol.CodeCandidates {
		t.Errorf("the right order: %s", code)
	}
	if _, code := w.serve(t, a); code != protocol.CodeConsentUsed {
		t.Errorf("the order once more: %s", code)
	}
}

// TestRefusedCheaply: who has no order has a probe decoded once, however many workers search.
func TestRefusedCheaply(t *testing.T) {
	a := searching(faceOf(4))
	a.order = order(consent.BindSample([]byte("x")), asker, "face", nil)
	refused := func(workers int) float64 {
		w := newWorld(t, func(c *identify.Config) { c.Workers = workers })
		return testing.AllocsPerRun(3, func() {
			if _, code := w.serve(t, a); code != protocol.CodeConsentHolder {
				t.Errorf("another sample's order: %s", code)
			}
		})
	}
	if one, many := refused(1), refused(256); many > one+100 {
		t.Errorf("%.0f allocations with a worker, %.0f with 256", one, many)
	}
}

// lax is a law that permits everything on any basis without anybody's signature.
type lax struct{}

func (lax) Decide(policy.Request) policy.Decision {
	return policy.Decision{Allowed: true, PolicyID: "lax", FMROneIn: 10000, Modalities: []string{"face", "finger", "signature"}}
}

// TestFloor: whatever law says, no search without a ground and two officers.
func TestFloor(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Law = lax{} })
	for _, basis := range []string{"consent", "written_consent", "legal_obligation", "public_task"} {
		a := searching(faceOf(4))
		a.basis = basis
		if _, code := w.serve(t, a); code != protocol.CodeSearchGround {
			t.Errorf("%s: %s", basis, code)
		}
		b := resolving(protocol.Handle{1}, "face")
		b.basis = basis
		if _, code := w.serve(t, b); code != protocol.CodeSearchGround {
			t.Errorf("resolving on %s: %s", basis, code)
		}
	}
	a := searching(faceOf(4))
	a.order = ""
	if _, code := w.serve(t, a); code != protocol.CodeConsentMissing {
		t.Errorf("without an order: %s", code)
	}
	p := faceOf(4)
	p.Modality, p.Format = "signature", exchange.FormatSignature2007
	if _, code := w.serve(t, searching(p)); code != protocol.CodeModality {
		t.Errorf("by a signature: %s", code)
	}
}

// TestHandles: a handle is for one requester, purpose and case, for minutes, and outlives the process.
func TestHandles(t *testing.T) {
	w := newWorld(t, nil)
	find := func(i int) protocol.Handle {
		t.Helper()
		s, code := w.serve(t, searching(faceOf(i)))
		if code != protocol.CodeCandidates {
			t.Fatal(code)
		}
		return s.Found.Handles[0]
	}
	h := find(2)
	foreign := resolving(h, "face")
	foreign.issuer, foreign.order = "https://tjk.example", order(consent.BindHandle(h[:]), "https://tjk.example", "face", nil)
	otherCase := resolving(h, "face")
	otherCase.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.Exemption.Case = "18/2026" })
	otherHandle := resolving(h, "face")
	otherHandle.order = order(consent.BindHandle(make([]byte, 16)), asker, "face", nil)
	otherPurpose := resolving(h, "face")
	otherPurpose.purpose, otherPurpose.basis = "law_enforcement", "court_order"
	for name, c := range map[string]struct {
		a    ask
		want protocol.Code
	}{
		"foreign":       {foreign, protocol.CodeHandle},
		"other-case":    {otherCase, protocol.CodeHandle},
		"other-handle":  {otherHandle, protocol.CodeConsentHolder},
		"other-purpose": {otherPurpose, protocol.CodeHandle},
		"unknown":       {resolving(protocol.Handle{9}, "face"), protocol.CodeHandle},
	} {
		if _, code := w.serve(t, c.a); code != c.want {
			t.Errorf("%s: %s, want %s", name, code, c.want)
		}
	}
	w.Desk = identify.New(w.cfg) // another process, or replica, with the same store
	if _, code := w.serve(t, resolving(h, "face")); code != protocol.CodeResolved {
		t.Errorf("after a restart: %s", code)
	}
	late, erased := find(4), find(6)
	if _, err := w.gallery.Erase(t.Context(), passport(6)); err != nil {
		t.Fatal(err)
	}
	if _, code := w.serve(t, resolving(erased, "face")); code != protocol.CodeHandle {
		t.Errorf("of somebody erased: %s", code)
	}
	again := gallery.Enrolment{Subject: passport(6), Templates: []gallery.Template{{Modality: "face", Format: exchange.FormatEmbedding, Data: people.Person(6).FaceReference()}}}
	if r := must(w.gallery.Enrol(t.Context(), []gallery.Enrolment{again})); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if _, code := w.serve(t, resolving(erased, "face")); code != protocol.CodeHandle {
		t.Errorf("of somebody erased, and enrolled again: %s", code)
	}
	if n, err := w.Forget(w.now); n != 0 || err != nil {
		t.Errorf("%d handles forgotten that are good, %v", n, err)
	}
	w.now = w.now.Add(10 * time.Minute)
	if _, code := w.serve(t, resolving(late, "face")); code != protocol.CodeHandle {
		t.Errorf("after its time: %s", code)
	}
	w.now = w.now.Add(time.Minute)
	if n, err := w.Forget(w.now); n != 2 || err != nil {
		t.Errorf("%d handles forgotten, %v; want the two that are over", n, err)
	}
}

// TestOneHandleManyAtOnce: of resolutions that come at once one is told.
func TestOneHandleManyAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	s, _ := w.serve(t, searching(faceOf(2)))
	h := s.Found.Handles[0]
	codes := make([]protocol.Code, 8)
	var all sync.WaitGroup
	for i := range codes {
		a := resolving(h, "face")
		a.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.ID = strings.Repeat("i", i+1) })
		all.Go(func() { _, codes[i] = w.serve(t, a) })
	}
	all.Wait()
	slices.Sort(codes)
	if n := slices.Index(codes, protocol.CodeResolved); n != 7 || codes[0] != protocol.CodeHandle {
		t.Errorf("got %v, want one told", codes)
	}
}

// TestReplicas: of two nodes over one store an order is good at one, once, and so is a handle, and after a restart of both.
func TestReplicas(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Consents = consents.New(c.Rows, nil) })
	another := func() *world {
		r := must(rows.New(w.gallery, [32]byte{7}))
		return over(t, w.gallery, w.cfg.Faces.(*protection.Faces), func(c *identify.Config) { c.Rows, c.Consents = r, consents.New(r, nil) })
	}
	other := another()
	a := searching(faceOf(2))
	s, code := w.serve(t, a)
	if code != protocol.CodeCandidates {
		t.Fatal(code)
	}
	h := s.Found.Handles[0]
	tell := resolving(h, "face")
	again := resolving(h, "face")
	again.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.ID = "another" })
	for _, c := range []struct {
		at   *world
		a    ask
		want protocol.Code
	}{
		{other, a, protocol.CodeConsentUsed}, {another(), a, protocol.CodeConsentUsed},
		{other, tell, protocol.CodeResolved}, {w, tell, protocol.CodeHandle}, {w, again, protocol.CodeHandle}, {another(), again, protocol.CodeHandle},
	} {
		if _, code := c.at.serve(t, c.a); code != c.want {
			t.Errorf("%s: %s, want %s", c.a.operation, code, c.want)
		}
	}
}

// TestBounds: budgets of searches are their own, and a resolution counts as a Query about the person.
func TestBounds(t *testing.T) {
	var about *budget.Book
	w := newWorld(t, func(c *identify.Config) {
		c.Searches = budget.New(c.Rows, [32]byte{8}, budget.Limits{Officer: 2})
		about = budget.New(c.Rows, [32]byte{8}, budget.Limits{Subject: 1})
		c.Budgets = about
	})
	h := map[int]protocol.Handle{}
	for _, i := range []int{2, 4} {
		s, code := w.serve(t, searching(faceOf(i)))
		if code != protocol.CodeCandidates {
			t.Fatal(code)
		}
		h[i] = s.Found.Handles[0]
	}
	if _, code := w.serve(t, searching(faceOf(6))); code != protocol.CodeBudget {
		t.Errorf("the third search of an officer: %s", code)
	}
	if _, _, err := about.Begin(budget.Ask{Country: "KGZ", Requester: asker, Officer: "o7", Subject: passport(2)}, w.now); err != nil {
		t.Fatal(err)
	}
	if _, code := w.serve(t, resolving(h[2], "face")); code != protocol.CodeBudget {
		t.Errorf("the second Query about a person: %s", code)
	}
	if _, code := w.serve(t, resolving(h[4], "face")); code != protocol.CodeResolved {
		t.Errorf("the first about another: %s", code)
	}
}

// sparing is a law that lets one search of an officer be, and one Query about a person.
type sparing struct{ lax }

func (l sparing) Decide(r policy.Request) policy.Decision {
	if r.Counts.ByOfficer > 0 || r.Counts.AboutSubject > 0 {
		return policy.Decision{PolicyID: "enough"}
	}
	return l.lax.Decide(r)
}

// TestLawSeesCounts: law that bounds how often is told how often, of searches and of resolutions.
func TestLawSeesCounts(t *testing.T) {
	var about *budget.Book
	w := newWorld(t, func(c *identify.Config) {
		about = budget.New(c.Rows, [32]byte{8}, budget.Limits{})
		c.Law, c.Searches, c.Budgets = sparing{}, budget.New(c.Rows, [32]byte{8}, budget.Limits{}), about
	})
	s, code := w.serve(t, searching(faceOf(2)))
	if code != protocol.CodeCandidates {
		t.Fatal(code)
	}
	if s, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeLaw || s.Decision.PolicyID != "enough" {
		t.Errorf("a second search: %s", code)
	}
	if _, _, err := about.Begin(budget.Ask{Country: "TJK", Requester: "https://tjk.example", Subject: passport(2)}, w.now); err != nil {
		t.Fatal(err)
	}
	if s, code := w.serve(t, resolving(s.Found.Handles[0], "face")); code != protocol.CodeLaw || s.Decision.PolicyID != "enough" {
		t.Errorf("a second Query about the person: %s", code)
	}
}

// TestCountsUnknown: what cannot be counted is refused with the code that says so.
func TestCountsUnknown(t *testing.T) {
	for _, searches := range []bool{true, false} {
		w := newWorld(t, func(c *identify.Config) {
			if searches {
				c.Searches = uncountable{}
			} else {
				c.Budgets = uncountable{}
			}
		})
		a := searching(faceOf(2))
		s, code := w.serve(t, a)
		if !searches {
			a = resolving(s.Found.Handles[0], "face")
			_, code = w.serve(t, a)
		}
		if code != protocol.CodeBudgetStore {
			t.Errorf("searches %v: %s", searches, code)
		}
		w.cfg.Searches, w.cfg.Budgets = nil, nil
		w.Desk = identify.New(w.cfg)
		if _, code := w.serve(t, a); code != protocol.CodeCandidates && code != protocol.CodeResolved {
			t.Errorf("searches %v: the order is gone: %s", searches, code)
		}
	}
}

// uncountable are budgets whose store is away.
type uncountable struct{ responder.Budgets }

func (uncountable) Begin(budget.Ask, time.Time) (budget.Counts, bool, error) {
	return budget.Counts{}, false, errors.New("the store is away")
}

// TestCanaryAmongCandidates: an alarm, and the same answer.
func TestCanaryAmongCandidates(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Decoys, c.Alarms = decoy.New(c.Rows, nil), alarms.New(c.Rows) })
	if err := decoy.New(w.cfg.Rows, nil).Add(start, passport(4)); err != nil {
		t.Fatal(err)
	}
	raised := func() int { return strings.Count(w.logs.String(), responder.AlarmCanary) }
	if _, code := w.serve(t, searching(faceOf(2))); code != protocol.CodeCandidates || raised() != 0 {
		t.Errorf("somebody real: %s, %d alarms", code, raised())
	}
	s, code := w.serve(t, searching(faceOf(4)))
	if code != protocol.CodeCandidates || raised() != 1 || !strings.Contains(w.logs.String(), `"officer":"o7"`) {
		t.Fatalf("a canary: %s, %d alarms", code, raised())
	}
	if _, code := w.serve(t, resolving(s.Found.Handles[0], "face")); code != protocol.CodeResolved || raised() != 2 {
		t.Errorf("a canary resolved: %s, %d alarms", code, raised())
	}
	if list, err := w.cfg.Alarms.List(); err != nil || len(list) != 2 || list[0].Kind != alarms.Canary || list[0].Officer != "o7" {
		t.Errorf("kept %v: %v", list, err)
	}
}

// TestPaced: what is looked up of candidates, and an alarm, takes no less than the time that is settled before.
func TestPaced(t *testing.T) {
	const quantum = 30 * time.Millisecond // many times what it takes
	w := newWorld(t, func(c *identify.Config) { c.Pace, c.Candidates = pace.New(quantum), 2 })
	least := func(want time.Duration, of protocol.Code, a ask) responder.Served {
		t.Helper()
		begin := time.Now()
		s, code := w.serve(t, a)
		if took := time.Since(begin); code != of || took < want {
			t.Errorf("%s after %v, want %s and no less than %v", code, took, of, want)
		}
		return s
	}
	s := least(2*quantum, protocol.CodeCandidates, searching(faceOf(4)))
	least(2*quantum, protocol.CodeNoCandidate, searching(faceOf(5)))
	least(quantum, protocol.CodeResolved, resolving(s.Found.Handles[0], "face"))
}

// classes refuses minors once a person's class is known.
type classes struct{ lax }

func (l classes) Decide(r policy.Request) policy.Decision {
	if !r.Sealed && r.SubjectClass == "minor" {
		return policy.Decision{PolicyID: "no-minors"}
	}
	return l.lax.Decide(r)
}

// TestClass: whom law does not let be found is not there.
func TestClass(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Law = classes{} })
	p := people.Person(30)
	e := gallery.Enrolment{Subject: passport(30), Class: "minor", Templates: []gallery.Template{{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceReference()}}}
	if r := must(w.gallery.Enrol(t.Context(), []gallery.Enrolment{e})); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if _, code := w.serve(t, searching(faceOf(30))); code != protocol.CodeNoCandidate {
		t.Errorf("a minor: %s", code)
	}
	if _, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeCandidates {
		t.Errorf("an adult: %s", code)
	}
}

// TestUntoldTakeNobodysPlace: whom law does not let be found keeps nobody else from being found.
func TestUntoldTakeNobodysPlace(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Law, c.Candidates, c.Decoys = classes{}, 1, decoy.New(c.Rows, nil) })
	probe := faceOf(4)
	for i := 30; i < 38; i++ { // as near to the probe as one can be
		e := gallery.Enrolment{Subject: passport(i), Class: "minor", Templates: []gallery.Template{{Modality: "face", Format: exchange.FormatEmbedding, Data: probe.Data}}}
		if r := must(w.gallery.Enrol(t.Context(), []gallery.Enrolment{e})); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		if err := decoy.New(w.cfg.Rows, nil).Add(start, passport(i)); err != nil {
			t.Fatal(err)
		}
	}
	s, code := w.serve(t, searching(faceOf(4)))
	if code != protocol.CodeCandidates || len(s.Found.Handles) != 1 {
		t.Fatalf("an adult beside minors: %s", code)
	}
	if n := strings.Count(w.logs.String(), responder.AlarmCanary); n != 1 {
		t.Errorf("a canary of whom law does not let be told: %d alarms", n)
	}
	if s, code = w.serve(t, resolving(s.Found.Handles[0], "face")); code != protocol.CodeResolved || s.Found.Subject != passport(4) {
		t.Errorf("resolved: %s", code)
	}
}

// stricter is a law that demands more once it knows this much.
type stricter struct {
	lax
	when func(policy.Request) bool
}

func (l stricter) Decide(r policy.Request) policy.Decision {
	d := l.lax.Decide(r)
	if l.when(r) {
		d.FMROneIn = math.MaxUint32
	}
	return d
}

// TestRateOfTheDecision: the rate is that of the decision which is told, and of the person's class.
func TestRateOfTheDecision(t *testing.T) {
	for name, when := range map[string]func(policy.Request) bool{
		"exempted": func(r policy.Request) bool { return r.Consent == "exemption" },
		"class":    func(r policy.Request) bool { return !r.Sealed && r.SubjectClass == "" },
	} {
		w := newWorld(t, func(c *identify.Config) { c.Law = stricter{when: when} })
		if s, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeUncalibrated {
			t.Errorf("%s: %s at 1 in %d, which no calibration carries", name, code, s.Decision.FMROneIn)
		}
	}
}

// stuck is a gallery that takes its time, or loses people.
type stuck struct {
	identify.Gallery
	wait bool
	err  error
}

func (s stuck) Everybody(ctx context.Context, modality string, parts int, visit func(int, []gallery.References) error) (int64, int64, error) {
	if s.wait {
		<-ctx.Done()
		return 0, 12, ctx.Err()
	}
	if s.err != nil {
		return 0, 12, s.err
	}
	seen, least, err := s.Gallery.Everybody(ctx, modality, parts, visit)
	return seen - 1, least, err
}

// strict demands a rate beyond every calibration.
type strict struct{ lax }

func (l strict) Decide(r policy.Request) policy.Decision {
	d := l.lax.Decide(r)
	d.FMROneIn = math.MaxUint32
	return d
}

// TestCouldNotTell: what was not everybody is never "nobody".
func TestCouldNotTell(t *testing.T) {
	other := must(exchange.EncodeEmbedding("another-model", people.Person(4).FaceCapture(0, 128)))
	for name, c := range map[string]struct {
		edit func(*identify.Config)
		p    protocol.Probe
		want protocol.Code
	}{
		"time":    {func(c *identify.Config) { c.Gallery, c.Within = stuck{c.Gallery, true, nil}, 5*time.Millisecond }, faceOf(4), protocol.CodeSearchIncomplete},
		"missing": {func(c *identify.Config) { c.Gallery = stuck{c.Gallery, false, nil} }, faceOf(4), protocol.CodeSearchIncomplete},
		"damaged": {func(c *identify.Config) { c.Gallery = stuck{c.Gallery, false, gallery.ErrDamaged} }, faceOf(4), protocol.CodeInternal},
		"rate":    {func(c *identify.Config) { c.Law = strict{} }, faceOf(4), protocol.CodeUncalibrated},
		"model":   {nil, protocol.Probe{Modality: "face", Format: exchange.FormatEmbedding, Data: other}, protocol.CodeNotComparable},
		"finger": {nil, protocol.Probe{Modality: "finger", Format: exchange.FormatFinger2005, Position: 7, Data: people.Person(5).FingerProbe(7, 0)},
			protocol.CodeNotComparable},
	} {
		w := newWorld(t, c.edit)
		if s, code := w.serve(t, searching(c.p)); code != c.want || s.Found.Handles != nil {
			t.Errorf("%s: %s, want %s", name, code, c.want)
		}
	}
}

// broken is a protection of faces with a fault in it.
type broken struct{}

func (broken) Turn(*face.Template, string) (*face.Template, error) { panic("a value that is nobody's") }

// TestPanic: a fault of a matcher ends a search, and not the node.
func TestPanic(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Faces = broken{} })
	for range 2 { // the turn is given back
		if _, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeInternal {
			t.Errorf("a matcher that panics: %s", code)
		}
	}
}

// TestOneSearchAtATime: a second is told to come again, and keeps its order.
func TestOneSearchAtATime(t *testing.T) {
	w := newWorld(t, nil)
	began, ended := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	w.Desk = identify.New(func() identify.Config {
		c := w.cfg
		c.Gallery = announcing{w.gallery, ctx, began}
		return c
	}())
	go func() {
		defer close(ended)
		_, _ = w.serve(t, searching(faceOf(2)))
	}()
	<-began
	if _, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeOverloaded {
		t.Errorf("beside another: %s", code)
	}
	cancel()
	<-ended
}

type announcing struct {
	identify.Gallery
	until context.Context //nolint:containedctx // for the length of one test
	began chan struct{}
}

func (a announcing) Everybody(context.Context, string, int, func(int, []gallery.References) error) (int64, int64, error) {
	close(a.began)
	<-a.until.Done()
	return 0, 0, errors.New("stopped")
}
