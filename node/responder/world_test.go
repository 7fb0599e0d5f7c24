package responder_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"go.uber.org/goleak"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/pace"
	"github.com/tamga-id/tamga/node/protection"
	"github.com/tamga-id/tamga/node/responder"
)

const (
	asker    = "https://uzb.example"
	self     = "https://kaz.example"
	askerKey = transport.PeerID("peer-of-uzb")
	origin   = "kaz.example/ledger"
)

var start = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func seed(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// Keys of the two sides; the same in a child process.
func askerSigning() jose.PrivateKey      { return must(jose.NewPrivateKey(seed(1))) }
func strangerSigning() jose.PrivateKey   { return must(jose.NewPrivateKey(seed(2))) }
func selfSigning() jose.PrivateKey       { return must(jose.NewPrivateKey(seed(3))) }
func currentSealing() sealing.PrivateKey { return must(sealing.NewPrivateKey(seed(4))) }
func formerSealing() sealing.PrivateKey  { return must(sealing.NewPrivateKey(seed(5))) }
func foreignSealing() sealing.PrivateKey { return must(sealing.NewPrivateKey(seed(6))) }
func ledgerSigner() lognote.Signer       { return must(lognote.NewSigner(origin, seed(7), seed(8))) }

func ledgerVerifier() lognote.Verifier {
	return must(lognote.NewVerifier(origin, ledgerSigner().VerifierKeys()))
}

func peer() protocol.Peer {
	return protocol.Peer{Entity: self, Keys: jose.NewKeySet(selfSigning().Public()), Ledger: ledgerVerifier()}
}

// trace lists the collaborators that a Query reached, in order.
type trace struct {
	mu    sync.Mutex
	calls []string
	hook  func(string) // runs before and after each call; may not return
}

func (t *trace) enter(name string) {
	if t.hook != nil {
		t.hook("before " + name)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, name)
}

func (t *trace) leave(name string) {
	if t.hook != nil {
		t.hook("after " + name)
	}
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time  { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) set(t time.Time) { c.mu.Lock(); defer c.mu.Unlock(); c.at = t }

type members struct {
	*trace
	err error
}

func (m *members) Entity(id trust.EntityID, _ time.Time) (trust.Node, error) {
	m.enter("members")
	defer m.leave("members")
	if m.err != nil {
		return trust.Node{}, m.err
	}
	if id != asker {
		return trust.Node{}, trust.ErrNotMember
	}
	return trust.Node{EntityID: asker, Jurisdiction: "UZB", PeerID: string(askerKey), SigningKeys: jose.NewKeySet(askerSigning().Public())}, nil
}

type law struct {
	*trace
	d     policy.Decision
	real  *policy.Law   // decides instead of d when set
	none  responder.Law // likewise
	panic any
	got   policy.Request
}

func (l *law) Decide(r policy.Request) policy.Decision {
	l.enter("law")
	defer l.leave("law")
	l.mu.Lock()
	l.got = r
	l.mu.Unlock()
	if l.panic != nil {
		panic(l.panic)
	}
	if l.real != nil {
		return l.real.Decide(r)
	}
	if l.none != nil {
		return l.none.Decide(r)
	}
	return l.d
}

type register struct {
	*trace
	under responder.Gallery
	err   error
	panic any
}

func (g *register) References(id pseudonym.Identifier, modality string) (gallery.References, error) {
	g.enter("gallery " + modality)
	defer g.leave("gallery " + modality)
	if g.panic != nil {
		panic(g.panic)
	}
	if g.err != nil || g.under == nil {
		return gallery.References{}, g.err
	}
	return g.under.References(id, modality)
}

type book struct {
	*trace
	under responder.Ledger
	err   error // returned instead of appending
	after error // returned although it was appended
}

func (b *book) Append(ctx context.Context, leaf []byte) (lognote.Receipt, error) {
	b.enter("ledger")
	defer b.leave("ledger")
	if b.err != nil {
		return lognote.Receipt{}, b.err
	}
	if b.under == nil {
		return lognote.Receipt{Leaf: leaf}, nil
	}
	r, err := b.under.Append(ctx, leaf)
	if b.after != nil {
		return lognote.Receipt{}, b.after
	}
	return r, err
}

type replay struct {
	*trace
	responder.Replay
	seen bool
	err  error
}

func (p *replay) Fresh(issuer, jti string, now time.Time) (bool, error) {
	p.enter("replay")
	defer p.leave("replay")
	if p.seen || p.err != nil {
		return false, p.err
	}
	return p.Replay.Fresh(issuer, jti, now)
}

// uses counts them like consents.Book, in memory.
type uses struct {
	*trace
	counted   map[[32]byte]int
	withdrawn map[[32]byte]bool
	err       error
}

func (u *uses) Use(c consent.Consent) error {
	u.enter("consents")
	defer u.leave("consents")
	if u.err != nil {
		return u.err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.withdrawn[c.Key()]:
		return consents.ErrWithdrawn
	case u.counted[c.Key()] >= c.Uses:
		return consents.ErrUsed
	}
	u.counted[c.Key()]++
	return nil
}

// world is a Responder among collaborators that can be told to fail.
type world struct {
	presented    func([]string, time.Time) (trust.Node, error)
	calibrations comparison.Calibrations
	trace        trace
	clock        clock
	members      members
	law          law
	gallery      register
	faces        protection.Faces
	ledger       book
	replay       replay
	consents     uses
	offices      consent.Offices
	budgets      responder.Budgets
	pace         *pace.Pace
	decoys       responder.Decoys
	alarms       *alarms.Book
	real         responder.Consents // counts instead of consents when set
	logs         bytes.Buffer
	log          *ledger.Log // the real one under ledger, nil when there is none
	*responder.Responder
}

// newWorld has no gallery and no ledger beneath the fakes.
func newWorld() *world {
	w := new(world)
	w.consents = uses{trace: &w.trace, counted: map[[32]byte]int{}, withdrawn: map[[32]byte]bool{}}
	w.members.trace, w.law.trace, w.gallery.trace, w.ledger.trace, w.replay.trace = &w.trace, &w.trace, &w.trace, &w.trace, &w.trace
	w.law.d = policy.Decision{Allowed: true, PolicyID: "p-1", Law: "Act 1", Article: "Article 7", Version: "2026.1",
		FMROneIn: 10000, Modalities: []string{"face", "finger", "iris", "signature"}}
	w.replay.Replay, w.calibrations = new(responder.ReplayMemory), comparison.Calibrations{}
	w.faces.Replace(facesOf(1))
	w.clock.set(start.Add(-time.Hour))
	w.Responder = w.build(w.clock.Now)
	w.clock.set(start)
	return w
}

func (w *world) build(now func() time.Time) *responder.Responder {
	book := responder.Consents(&w.consents)
	if w.real != nil {
		book = w.real
	}
	return responder.New(responder.Config{
		Self: self, Country: "KAZ", Signing: selfSigning(), Sealing: w.keys(),
		Members: &w.members, Law: &w.law, Gallery: &w.gallery, Ledger: &w.ledger, Replay: &w.replay, Now: now,
		Calibrations: w.calibrations, Faces: &w.faces, Presented: w.presented, Consents: book, Offices: w.offices, Budgets: w.budgets, Pace: w.pace, Decoys: w.decoys, Alarms: w.alarms,
		Logger: slog.New(slog.NewJSONHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
}

func (*world) keys() []sealing.PrivateKey {
	return []sealing.PrivateKey{currentSealing(), formerSealing()}
}

// withLedger puts a real ledger under the fake.
func (w *world) withLedger(t testing.TB) *world {
	t.Helper()
	w.log = openLedger(t, filepath.Join(t.TempDir(), "ledger"))
	w.ledger.under = w.log
	return w
}

func openLedger(t testing.TB, dir string) *ledger.Log {
	t.Helper()
	l, err := ledger.Open(context.Background(), ledger.Config{Dir: dir, Signer: ledgerSigner(), Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// facesOf is a protection of some generations, the last one current.
func facesOf(generations ...uint32) *protection.Faces {
	g := keys.Generations{Secrets: map[uint32][]byte{}}
	for _, n := range generations {
		g.Current, g.Secrets[n] = n, seed(byte(100+n))
	}
	return must(protection.New(g))
}

// withGallery enrols people in a real gallery under the fake, which stores faces
// protected.
func (w *world) withGallery(t testing.TB, people ...gallery.Enrolment) *world {
	t.Helper()
	return w.withGalleryUnder(t, &w.faces, people...)
}

// withGalleryUnder does so under another protection, or none.
func (w *world) withGalleryUnder(t testing.TB, by gallery.Protection, people ...gallery.Enrolment) *world {
	t.Helper()
	g, err := gallery.Open(gallery.Config{Dir: filepath.Join(t.TempDir(), "gallery"), Node: self,
		Root: must(custody.NewRoot(seed(9))), Ring: must(envelope.NewRing(map[uint32][]byte{1: seed(12)}, 1)),
		Pseudonyms: must(pseudonym.Single(seed(10))), Protection: by})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	results, err := g.Enrol(t.Context(), people)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	w.gallery.under = g
	return w
}

func person(i int) synth.Person { return synth.New(20260921, "KAZ").Person(i) }

func passport(p synth.Person) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: p.Jurisdiction, Type: pseudonym.IDPassport, Value: p.PassportNumber}
}

func holder(p synth.Person) jose.PrivateKey {
	s := p.HolderSeed()
	return must(jose.NewPrivateKey(s[:]))
}

func enrolled(p synth.Person, templates ...gallery.Template) gallery.Enrolment {
	return gallery.Enrolment{Subject: passport(p), Holder: holder(p).Public().KeyID(), Templates: templates}
}

func faceTemplate(data []byte) gallery.Template {
	return gallery.Template{Modality: "face", Format: exchange.FormatEmbedding, Data: data}
}

func fingerTemplate(position uint8, data []byte) gallery.Template {
	return gallery.Template{Modality: "finger", Format: exchange.FormatFinger2005, Position: position, Data: data}
}

func faceProbe(data []byte) protocol.Probe {
	return protocol.Probe{Modality: "face", Format: exchange.FormatEmbedding, Data: data}
}

func fingerProbe(position uint8, data []byte) protocol.Probe {
	return protocol.Probe{Modality: "finger", Format: exchange.FormatFinger2005, Position: position, Data: data}
}

// query is what is asked, to be bent by a test before it is sent.
type query struct {
	env      protocol.Envelope
	question protocol.Question
	to       sealing.PrivateKey
	sign     jose.PrivateKey
	from     transport.PeerID
	claims   func(map[string]any) // edits the claims, which are signed again
	frame    func([]byte) []byte  // edits the frame
}

// about is a lawful question about p.
func about(p synth.Person, probes ...protocol.Probe) query {
	return query{
		env: protocol.Envelope{Issuer: asker, Audience: self, IssuedAt: start, ExpiresAt: start.Add(time.Minute), ID: fresh(),
			Purpose: "border_control", LegalBasis: "public_task", Operation: protocol.OperationVerify, Officer: "o7"},
		question: protocol.Question{Subject: passport(p), Probes: probes},
		to:       currentSealing(), sign: askerSigning(), from: askerKey,
	}
}

var counter struct {
	mu sync.Mutex
	n  uint64
}

// fresh is a jti that was not used before.
func fresh() string {
	counter.mu.Lock()
	defer counter.mu.Unlock()
	counter.n++
	sum := sha256.Sum256([]byte{byte(counter.n), byte(counter.n >> 8), byte(counter.n >> 16)})
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (q query) pending(t testing.TB) *protocol.Pending {
	t.Helper()
	p, err := protocol.AskExactly(q.env, q.question, q.to.Public(), q.sign, must(sealing.GenerateKey()))
	if err != nil {
		t.Fatal(err)
	}
	if q.claims != nil {
		u := must(jose.Parse(string(p.Frame)))
		var c map[string]any
		d := json.NewDecoder(bytes.NewReader(u.Payload()))
		d.UseNumber()
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		q.claims(c)
		p.Frame = []byte(must(jose.Sign(q.sign, protocol.TypeQuery, must(json.Marshal(c)))))
	}
	if q.frame != nil {
		p.Frame = q.frame(p.Frame)
	}
	p.Hash = protocol.HashQuery(p.Frame)
	return p
}

// resealed puts another plaintext under the seal, with the AAD of TMG-Q-010
// computed from the text of the specification.
func resealed(plain []byte) func(map[string]any) {
	return func(c map[string]any) {
		enc := must(cbor.CoreDetEncOptions().EncMode())
		num := func(n string) int64 { return must(c[n].(json.Number).Int64()) }
		aad := sha256.Sum256(must(enc.Marshal([]any{"tamga/v1/query-aad", c["rev"], c["iss"], c["aud"], num("iat"), num("exp"), c["jti"],
			c["purpose"], c["legal_basis"], c["operation"], c["officer"], c["seal_kid"], c["reply_key"]})))
		sealed := must(sealing.Seal(currentSealing().Public(), []byte("tamga/v1/query"), aad[:], plain))
		c["sealed"] = base64.RawURLEncoding.EncodeToString(sealed)
	}
}

// send handles the query and reads the reply as its sender would.
func (w *world) send(t testing.TB, q query) protocol.Answer {
	t.Helper()
	return w.deliver(t, q.from, q.pending(t))
}

func (w *world) deliver(t testing.TB, from transport.PeerID, p *protocol.Pending) protocol.Answer {
	t.Helper()
	w.trace.calls = nil
	reply, err := w.Handle(t.Context(), from, p.Frame)
	if err != nil {
		t.Fatalf("no reply: %v", err)
	}
	p.Issuer, p.Audience = asker, self // so that a bent Query's reply can be read
	a, err := p.Reply(reply, peer(), w.clock.Now())
	if err != nil {
		t.Fatalf("the reply does not verify: %v", err)
	}
	return a
}

func (w *world) size() uint64 {
	if w.log == nil {
		return 0
	}
	return w.log.Size()
}

func (w *world) reached() string { return strings.Join(w.trace.calls, " > ") }

// consented is a consent that p's wallet gave to exactly what about asks.
func consented(p synth.Person, edit func(*consent.Consent)) string {
	c := consent.Consent{ID: "c-1", Requester: asker, Controller: self, Purpose: "border_control", Modalities: []string{"face", "finger"},
		IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Uses: consent.MaxUses, Notice: consent.NoticeOf([]byte("Your samples are compared."), "en")}
	if edit != nil {
		edit(&c)
	}
	return must(consent.Issue(holder(p), c))
}

func contains(calls []string, name string) bool {
	return slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, name) })
}

// ledgerFunc is a Ledger without a tree.
type ledgerFunc func(ctx context.Context, leaf []byte) error

func (f ledgerFunc) Append(ctx context.Context, leaf []byte) (lognote.Receipt, error) {
	if err := f(ctx, leaf); err != nil {
		return lognote.Receipt{}, err
	}
	return lognote.Receipt{Leaf: leaf}, nil
}
