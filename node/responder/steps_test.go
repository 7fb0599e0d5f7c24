package responder_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/synth"
)

// fault is one thing wrong with a Query or with the node, and what must come of it
// when nothing before it in the order of PROTOCOL.md section 5 is wrong.
type fault struct {
	name     string
	rule     string
	bend     func(*world, *query)
	want     protocol.Code
	reached  string // collaborators, in order: whatever is not named was not touched
	excludes string // names of faults that this one would undo
}

// Collaborators up to the ledger entry, when nothing stops the Query before.
const (
	untrusted = "members"
	toReplay  = "members > replay > ledger"
	toLaw     = "members > replay > law > ledger"
	toFace    = "members > replay > law > gallery face > ledger"
	toOpened  = "members > replay > law > law > gallery face > ledger" // law once more, on what was sealed
)

// faults is in the order of the steps.
func faults() []fault {
	return []fault{
		{"garbage", "TMG-R-001", func(_ *world, q *query) { q.frame = func([]byte) []byte { return []byte("not a jws") } }, protocol.CodeMalformed, "", ""},
		{"revision", "TMG-R-001", claim("rev", "2"), protocol.CodeRevision, "", "unknown-claim sealed-content"},
		{"unknown-claim", "TMG-R-001", claim("score", 1), protocol.CodeMalformed, "", "sealed-content"},
		{"not-member", "TMG-R-002", func(w *world, _ *query) { w.members.err = trust.ErrNotMember }, protocol.CodeNotMember, untrusted, "chain-expired undetermined"},
		{"chain-expired", "TMG-R-002", func(w *world, _ *query) { w.members.err = trust.ErrExpired }, protocol.CodeChainExpired, untrusted, "undetermined"},
		{"undetermined", "TMG-R-002", func(w *world, _ *query) { w.members.err = trust.ErrUndetermined }, protocol.CodeTrustUndetermined, untrusted, ""},
		{"other-peer", "TMG-R-003", func(_ *world, q *query) { q.from = "peer-of-tjk" }, protocol.CodePeerMismatch, untrusted, ""},
		{"signature", "TMG-R-004", func(_ *world, q *query) { q.sign = strangerSigning() }, protocol.CodeSignature, untrusted, ""},
		{"audience", "TMG-R-004", func(_ *world, q *query) { q.env.Audience = "https://tjk.example" }, protocol.CodeAudience, untrusted, ""},
		{"future", "TMG-R-004", func(_ *world, q *query) { q.env.IssuedAt = start.Add(6 * time.Second) }, protocol.CodeLifetime, untrusted, "expired long-lived restarted"},
		{"long-lived", "TMG-R-004", func(_ *world, q *query) { q.env.ExpiresAt = q.env.IssuedAt.Add(61 * time.Second) }, protocol.CodeLifetime, untrusted, "expired restarted"},
		{"expired", "TMG-R-004", func(_ *world, q *query) { q.env.IssuedAt, q.env.ExpiresAt = start.Add(-time.Minute), start }, protocol.CodeExpired, untrusted, ""},
		{"restarted", "TMG-R-006", func(w *world, _ *query) {
			w.clock.set(start.Add(time.Nanosecond))
			w.Responder = w.build(w.clock.Now)
		}, protocol.CodeRestarted, "members > ledger", ""},
		{"memory-full", "TMG-R-006", func(w *world, _ *query) { w.replay.err = errors.New("full") }, protocol.CodeOverloaded, toReplay, ""},
		{"replay", "TMG-R-006", func(w *world, _ *query) { w.replay.seen = true }, protocol.CodeReplay, toReplay, ""},
		{"law", "TMG-R-007", func(w *world, _ *query) {
			w.law.d = policy.Decision{PolicyID: "p-9", Law: "Act 9", Article: "Article 90", Version: "2026.1", FMROneIn: 500}
		}, protocol.CodeLaw, toLaw, "law-modality no-consent consent"},
		{"operation", "TMG-R-008", func(_ *world, q *query) { q.env.Operation = "identify" }, protocol.CodeOperation, toLaw, ""},
		{"other-seal", "TMG-R-009", func(_ *world, q *query) { q.to = foreignSealing() }, protocol.CodeSeal, toLaw, "sealed-content"},
		{"sealed-content", "TMG-R-009", func(_ *world, q *query) { q.claims = resealed([]byte{0xa0}) }, protocol.CodeSealedContent, toLaw, ""},
		{"jurisdiction", "TMG-R-009", func(_ *world, q *query) { q.question.Subject.Jurisdiction = "TJK" }, protocol.CodeJurisdiction, toLaw, ""},
		{"format", "TMG-R-009", func(_ *world, q *query) { q.question.Probes[0].Format = "iso-19794-5" }, protocol.CodeModality, toLaw, ""},
		{"law-modality", "TMG-R-009", func(w *world, _ *query) { w.law.d.Modalities = []string{"finger"} }, protocol.CodeLaw, toLaw, ""},
		{"no-consent", "TMG-C-001", func(w *world, _ *query) { w.law.d.ConsentRequired = true }, protocol.CodeConsentMissing, toLaw, "consent"},
		{"probe", "TMG-R-009", func(_ *world, q *query) { q.question.Probes[0].Data = []byte("TEMB") }, protocol.CodeProbe, toLaw, ""},
		{"gallery", "TMG-R-013", func(w *world, _ *query) { w.gallery.err = errors.New("disk") }, protocol.CodeInternal, toOpened, ""},
		{"consent", "TMG-R-009", func(w *world, q *query) { w.law.d.ConsentRequired, q.question.Consent = true, "a.b.c" }, protocol.CodeConsentInvalid, toFace, ""},
	}
}

func claim(name string, v any) func(*world, *query) {
	return func(_ *world, q *query) { q.claims = func(c map[string]any) { c[name] = v } }
}

// recorded is the code's side of TMG-R-005: whether there is an entry and a receipt.
func (f fault) recorded() bool { return strings.HasSuffix(f.reached, "ledger") }

func traveller() (synth.Person, query) {
	p := person(7)
	return p, about(p, faceProbe(p.FaceProbe(1)))
}

// TestSteps: one fault each, its code, its entry or none, and who was asked.
func TestSteps(t *testing.T) {
	p, _ := traveller()
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			_, q := traveller()
			f.bend(w, &q)
			before := w.size()
			a := w.send(t, q)
			if a.Code != f.want || a.Outcome != f.want.Outcome() {
				t.Fatalf("%s: got %s %s, want %s", f.rule, a.Outcome, a.Code, f.want)
			}
			if w.reached() != f.reached {
				t.Errorf("%s: reached %q, want %q", f.rule, w.reached(), f.reached)
			}
			grown, want := w.size()-before, uint64(0)
			if f.recorded() {
				want = 1
			}
			if grown != want || a.Signed != f.recorded() {
				t.Errorf("%s: %d entries, receipt %t; want %d", f.rule, grown, a.Signed, want)
			}
			if a.FMROneIn != 0 {
				t.Errorf("a rate of 1/%d where nothing was compared", a.FMROneIn)
			}
			named := a.Policy != (protocol.PolicyRef{})
			if decided := strings.Contains(f.reached, "law"); named != decided {
				t.Errorf("policy %+v, law reached %t", a.Policy, decided)
			}
			if f.name == "law" && (a.Policy.ID != "p-9" || a.Policy.Article != "Article 90") {
				t.Errorf("the refusal names %+v", a.Policy)
			}
		})
	}
}

// TestOrder: with two faults the earlier step answers, and the later one's
// collaborator is never asked.
func TestOrder(t *testing.T) {
	p, _ := traveller()
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	all := faults()
	pairs := 0
	for i, first := range all {
		for _, second := range all[i+1:] {
			if strings.Contains(" "+first.excludes+" ", " "+second.name+" ") {
				continue
			}
			pairs++
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			_, q := traveller()
			second.bend(w, &q)
			first.bend(w, &q)
			a := w.send(t, q)
			if a.Code != first.want {
				t.Errorf("%s and %s: got %s, want %s", first.name, second.name, a.Code, first.want)
			}
			want := first.reached
			if second.name == "consent" && want == toOpened {
				want = toFace // law is asked once more when the consent is known, which it is not yet
			}
			if w.reached() != want {
				t.Errorf("%s and %s: reached %q, want %q", first.name, second.name, w.reached(), want)
			}
		}
	}
	if pairs < 250 {
		t.Fatalf("only %d pairs", pairs)
	}
}

// TestLawSees is told what the verified metadata says, not what the Query does.
func TestLawSees(t *testing.T) {
	w := newWorld()
	_, q := traveller()
	if _, err := w.Handle(t.Context(), q.from, q.pending(t).Frame); err != nil {
		t.Fatal(err)
	}
	want := policy.Request{Direction: policy.Answer, Requester: asker, Responder: self, RequesterCountry: "UZB", ResponderCountry: "KAZ",
		Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Time: w.law.got.Time, Modality: "face", Consent: "none"}
	if w.law.got.Time.IsZero() || !reflect.DeepEqual(w.law.got, want) {
		t.Errorf("got %+v, want %+v", w.law.got, want)
	}
}

// TestLedgerFailure: no entry, no verdict, whether the append failed before or
// after it took effect.
func TestLedgerFailure(t *testing.T) {
	p, _ := traveller()
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	for name, fail := range map[string]func(*world){
		"before": func(w *world) { w.ledger.err = ledger.ErrNoSpace },
		"after":  func(w *world) { w.ledger.after = ledger.ErrOutcomeUnknown },
	} {
		for _, other := range []int{7, 8} { // the right face, and another
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			fail(w)
			_, q := traveller()
			q.question.Probes = []protocol.Probe{faceProbe(person(other).FaceProbe(1))}
			pending := q.pending(t)
			reply, err := w.Handle(t.Context(), q.from, pending.Frame)
			if err != nil {
				t.Fatal(err)
			}
			a, err := pending.Reply(reply, peer(), start)
			if err != nil || a.Signed || a.Outcome != protocol.Unavailable || a.Code != protocol.CodeLedgerUnavailable || a.FMROneIn != 0 {
				t.Errorf("%s: got %+v, %v", name, a.Verdict, err)
			}
			for _, leak := range []string{"matched", string(protocol.CodeMatched), string(protocol.CodeNotMatched)} {
				if strings.Contains(payload(t, reply), leak) || strings.Contains(w.logs.String(), leak) {
					t.Errorf("%s: reply or log says %q", name, leak)
				}
			}
		}
	}
}

// TestReplayed: the same frame twice, through the real memory; then the same jti in
// another Query.
func TestReplayed(t *testing.T) {
	w := newWorld().withLedger(t)
	_, q := traveller()
	p := q.pending(t)
	if a := w.deliver(t, q.from, p); a.Code != protocol.CodeSubjectUnknown {
		t.Fatalf("first: %s", a.Code)
	}
	if a := w.deliver(t, q.from, p); a.Code != protocol.CodeReplay || !a.Signed {
		t.Fatalf("second: %s", a.Code)
	}
	q.env.Purpose = "visa_issuance"
	if a := w.send(t, q); a.Code != protocol.CodeReplay {
		t.Fatalf("same jti: %s", a.Code)
	}
	if w.size() != 3 {
		t.Errorf("%d entries, want one for each frame", w.size())
	}
}

// TestRetiredKeys: a key that is no longer current still opens until it is retired.
func TestRetiredKeys(t *testing.T) {
	w := newWorld().withLedger(t)
	_, q := traveller()
	q.to = formerSealing()
	if a := w.send(t, q); a.Code != protocol.CodeSubjectUnknown {
		t.Errorf("former key: %s", a.Code)
	}
}

// TestPanics: whatever panics while a Query is judged ends in an entry and an
// unavailable Answer, and its value, which may quote a probe, is not logged.
func TestPanics(t *testing.T) {
	const mark = "CANARY-of-a-panic"
	for name, break_ := range map[string]func(*world){
		"law":     func(w *world) { w.law.panic = mark },
		"gallery": func(w *world) { w.gallery.panic = errors.New(mark) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld().withLedger(t)
			break_(w)
			_, q := traveller()
			a := w.send(t, q)
			if a.Code != protocol.CodeInternal || a.Outcome != protocol.Unavailable || !a.Signed || w.size() != 1 {
				t.Errorf("got %+v, receipt %t, %d entries", a.Verdict, a.Signed, w.size())
			}
			if strings.Contains(w.logs.String(), mark) || !strings.Contains(w.logs.String(), "panic of type") {
				t.Errorf("log: %s", w.logs.String())
			}
		})
	}
}

// TestLocalCodes: a code that is the node's own business is not sent, even if a
// collaborator's error carries it.
func TestLocalCodes(t *testing.T) {
	for _, e := range protocol.Registry() {
		if e.Wire {
			continue
		}
		w := newWorld()
		w.gallery.err = &protocol.Fault{Code: e.Code, Err: errors.New("disk")}
		_, q := traveller()
		if c := w.code(t, t.Context(), q.pending(t)); c != protocol.CodeInternal {
			t.Errorf("%s: recorded %s", e.Code, c)
		}
	}
}
