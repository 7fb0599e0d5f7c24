package requester_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/requester"
)

const whole = "law > intent > send > verdict"

func TestMatched(t *testing.T) {
	own, foreign := books(t)
	w := newWorld(own, foreign)
	res, err := w.Verify(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != matched() || res.Reply == "" || res.Receipt.Leaf == nil {
		t.Errorf("got %+v", res.Verdict)
	}
	if w.order() != whole {
		t.Errorf("order %q, want %q", w.order(), whole)
	}
	w.entries(t, res)
	want := policy.Request{Direction: policy.Ask, Requester: self, Responder: holder, RequesterCountry: "UZB", ResponderCountry: "KAZ",
		Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Time: w.asked.Time,
		Modality: "face", Consent: "none"}
	if w.asked.Time.IsZero() || !reflect.DeepEqual(w.asked, want) {
		t.Errorf("law was asked %+v", w.asked)
	}
	v, err := lognote.NewVerifier(origin, signer(6).VerifierKeys())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Receipt(res.Receipt); err != nil {
		t.Errorf("the receipt handed on does not verify: %v", err)
	}
	if w.limit <= 0 || w.limit > 10*time.Second {
		t.Errorf("the exchange was given %v", w.limit)
	}
}

// TestAnswers: every code that goes over the wire comes out as it went in, in a
// sealed Answer; and none but what TMG-A-007 lists in a Refusal.
func TestAnswers(t *testing.T) {
	own, foreign := books(t)
	for _, e := range protocol.Registry() {
		if !e.Wire || e.Code == protocol.CodeRestarted { // that one is asked again, see retry_test.go
			continue
		}
		if strings.HasPrefix(string(e.Code), "TMG-IDN-") { // of searches alone, see TestOnlyVerified
			continue
		}
		t.Run(string(e.Code), func(t *testing.T) {
			w := newWorld(own, foreign)
			w.peer = func(_ context.Context, a asked) ([]byte, error) { return w.answer(a, verdict(e.Code)), nil }
			res, err := w.Verify(t.Context(), request())
			if err != nil || res.Code != e.Code || res.Outcome != e.Outcome || res.Policy.ID != "kaz-1" {
				t.Errorf("got %+v, %v", res.Verdict, err)
			}
			w.entries(t, res)
		})
	}
	for _, e := range protocol.Registry() {
		t.Run("refusal-"+string(e.Code), func(t *testing.T) {
			w := newWorld(own, foreign)
			w.peer = func(_ context.Context, a asked) ([]byte, error) { return w.refusal(a, e.Code), nil }
			res, err := w.Verify(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			family := string(e.Code[:7])
			early := family == "TMG-TRU" && e.Wire || family == "TMG-QRY" && e.Code <= protocol.CodeLifetime || e.Code == protocol.CodeRevision ||
				e.Code == protocol.CodeOverloaded || e.Code == protocol.CodeLedgerUnavailable || e.Code == protocol.CodeInternal
			want := protocol.CodeAnswerInvalid
			if early {
				want = e.Code
			}
			if res.Code != want || res.Outcome != want.Outcome() || res.Outcome == protocol.Matched || res.Outcome == protocol.NotMatched {
				t.Errorf("got %+v, want %s", res.Verdict, want)
			}
			if res.Reply == "" || res.Receipt.Leaf != nil {
				t.Errorf("evidence %t, receipt %t", res.Reply != "", res.Receipt.Leaf != nil)
			}
			w.entries(t, res)
		})
	}
}

// TestBadReplies: a reply with one thing wrong says nothing.
func TestBadReplies(t *testing.T) {
	own, foreign := books(t)
	tamper := func(reply []byte) []byte {
		i := len(reply) / 2
		if reply[i]++; reply[i] == 'z'+1 {
			reply[i] = 'a'
		}
		return reply
	}
	var earlier []byte // the Answer to another Query
	for name, c := range map[string]struct {
		reply func(w *world, a asked) []byte
		want  protocol.Code
	}{
		"empty":          {func(*world, asked) []byte { return []byte{} }, protocol.CodeAnswerInvalid},
		"garbage":        {func(*world, asked) []byte { return []byte("matched") }, protocol.CodeAnswerInvalid},
		"overloaded":     {func(*world, asked) []byte { return protocol.Overloaded(time.Second) }, protocol.CodeOverloaded},
		"overloaded-one": {func(*world, asked) []byte { return []byte{0x15} }, protocol.CodeOverloaded},
		"other-byte":     {func(*world, asked) []byte { return []byte{0x06} }, protocol.CodeAnswerInvalid},
		"two-bytes":      {func(*world, asked) []byte { return []byte{0x15, 0x15} }, protocol.CodeAnswerInvalid},
		"own-query":      {func(_ *world, a asked) []byte { return a.frame }, protocol.CodeAnswerInvalid},
		"tampered":       {func(w *world, a asked) []byte { return tamper(w.answer(a, matched())) }, protocol.CodeAnswerInvalid},
		"cut":            {func(w *world, a asked) []byte { r := w.answer(a, matched()); return r[:len(r)-1] }, protocol.CodeAnswerInvalid},
		"to-other-query": {func(w *world, a asked) []byte { return earlier }, protocol.CodeAnswerInvalid},
		"forged": {func(w *world, a asked) []byte {
			return must(a.q.Answer(matched(), w.receipt(own, a, matched()), strangerSigning(), start))
		}, protocol.CodeAnswerInvalid},
		"forged-refusal": {func(_ *world, a asked) []byte {
			return must(protocol.Refuse(holder, a.q.Hash, protocol.CodeExpired, strangerSigning(), start))
		}, protocol.CodeAnswerInvalid},
		"of-other-entity": {func(w *world, a asked) []byte {
			r := w.receipt(own, a, matched())
			a.q.Audience = "https://tjk.example"
			return must(a.q.Answer(matched(), r, holderSigning(), start))
		}, protocol.CodeAnswerInvalid},
		"to-other-entity": {func(w *world, a asked) []byte {
			r := w.receipt(own, a, matched())
			a.q.Issuer = "https://tjk.example"
			return must(a.q.Answer(matched(), r, holderSigning(), start))
		}, protocol.CodeAnswerInvalid},
		"refusal-that-says-yes": {func(_ *world, a asked) []byte {
			claims := fmt.Sprintf(`{"iss":%q,"iat":%d,"query_hash":%q,"outcome":"matched","code":"TMG-VER-0001"}`, holder, start.Unix(), a.q.Hash)
			return []byte(must(jose.Sign(holderSigning(), protocol.TypeRefusal, []byte(claims))))
		}, protocol.CodeAnswerInvalid},
		"long-ago": {func(w *world, a asked) []byte {
			return must(a.q.Answer(matched(), w.receipt(own, a, matched()), holderSigning(), start.Add(-time.Hour)))
		}, protocol.CodeAnswerInvalid},
		"yes-under-a-no": {func(w *world, a asked) []byte {
			v := matched()
			v.Code = protocol.CodeNotMatched
			return w.answer(a, v)
		}, protocol.CodeAnswerInvalid},
		"no-rate": {func(w *world, a asked) []byte {
			v := matched()
			v.FMROneIn = 0
			return w.answer(a, v)
		}, protocol.CodeAnswerInvalid},
		"unknown-code": {func(w *world, a asked) []byte {
			return w.answer(a, protocol.Verdict{Outcome: protocol.Matched, Code: "TMG-VER-9999", FMROneIn: 1})
		}, protocol.CodeAnswerInvalid},
		"unknown-outcome": {func(w *world, a asked) []byte {
			return w.answer(a, protocol.Verdict{Outcome: "yes", Code: protocol.CodeMatched, FMROneIn: 1})
		}, protocol.CodeAnswerInvalid},
		"local-code": {func(w *world, a asked) []byte { return w.answer(a, verdict(protocol.CodeOwnLaw)) }, protocol.CodeAnswerInvalid},
		"no-receipt": {func(_ *world, a asked) []byte {
			return must(a.q.Answer(matched(), lognote.Receipt{}, holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
		"receipt-of-a-no": {func(w *world, a asked) []byte {
			return must(a.q.Answer(matched(), w.receipt(own, a, verdict(protocol.CodeNotMatched)), holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
		"receipt-of-another-rate": {func(w *world, a asked) []byte {
			v := matched()
			v.FMROneIn = 100
			return must(a.q.Answer(matched(), w.receipt(own, a, v), holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
		"receipt-of-another-query": {func(w *world, a asked) []byte {
			b := a
			b.q.Hash[0] ^= 1
			return must(a.q.Answer(matched(), w.receipt(own, b, matched()), holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
		"receipt-for-another-officer": {func(w *world, a asked) []byte {
			b := a
			b.q.Officer = "o8"
			return must(a.q.Answer(matched(), w.receipt(own, b, matched()), holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
		"receipt-of-another-ledger": {func(w *world, a asked) []byte {
			return must(a.q.Answer(matched(), w.receipt(foreign, a, matched()), holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
		"receipt-with-another-leaf": {func(w *world, a asked) []byte {
			r := w.receipt(own, a, verdict(protocol.CodeNotMatched))
			r.Leaf = w.receipt(own, a, matched()).Leaf
			return must(a.q.Answer(matched(), r, holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
		"receipt-of-an-intent": {func(w *world, a asked) []byte {
			leaf := must(protocol.NewLeaf(protocol.LeafIntent, a.q.Envelope, a.q.Hash, matched(), start).Marshal())
			return must(a.q.Answer(matched(), must(own.Append(context.Background(), leaf)), holderSigning(), start))
		}, protocol.CodeReceiptInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(own, foreign)
			w.peer = func(_ context.Context, a asked) ([]byte, error) {
				earlier = w.answer(a, matched())
				return earlier, nil
			}
			if _, err := w.Verify(t.Context(), request()); err != nil {
				t.Fatal(err)
			}
			w = newWorld(own, foreign)
			w.peer = func(_ context.Context, a asked) ([]byte, error) { return c.reply(w, a), nil }
			res, err := w.Verify(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			if res.Code != c.want || res.Outcome != protocol.Unavailable || res.FMROneIn != 0 || res.Policy != (protocol.PolicyRef{}) {
				t.Errorf("got %+v, want %s", res.Verdict, c.want)
			}
			if res.Receipt.Leaf != nil {
				t.Error("a receipt that was not accepted is handed on")
			}
			w.entries(t, res)
		})
	}
}

// TestBadLedgerKeys: a peer whose metadata names no usable ledger key cannot prove
// that it recorded anything.
func TestBadLedgerKeys(t *testing.T) {
	own, foreign := books(t)
	for name, edit := range map[string]func(*trust.Node){
		"none":         func(n *trust.Node) { n.LedgerKeys = nil },
		"garbage":      func(n *trust.Node) { n.LedgerKeys = []string{"key"} },
		"other-origin": func(n *trust.Node) { n.LedgerOrigin = "tjk.example/ledger" },
		"other-keys":   func(n *trust.Node) { n.LedgerKeys = signer(8).VerifierKeys() },
	} {
		w := newWorld(own, foreign)
		edit(&w.node)
		res, err := w.Verify(t.Context(), request())
		if err != nil || res.Code != protocol.CodeReceiptInvalid || res.Outcome != protocol.Unavailable {
			t.Errorf("%s: got %+v, %v", name, res.Verdict, err)
		}
	}
}

// TestWeakDecision: a decision at a weaker rate than own law demands decides nothing;
// it is on record as that.
func TestWeakDecision(t *testing.T) {
	own, foreign := books(t)
	for _, c := range []struct {
		code   protocol.Code
		rate   uint32
		want   protocol.Code
		demand uint32
	}{
		{protocol.CodeMatched, 999, protocol.CodeWeakDecision, 1000},
		{protocol.CodeNotMatched, 999, protocol.CodeWeakDecision, 1000},
		{protocol.CodeMatched, 1, protocol.CodeWeakDecision, 1000},
		{protocol.CodeMatched, 1000, protocol.CodeMatched, 1000},
		{protocol.CodeMatched, 1001, protocol.CodeMatched, 1000},
		{protocol.CodeSubjectUnknown, 0, protocol.CodeSubjectUnknown, 1000},
		{protocol.CodeLaw, 0, protocol.CodeLaw, 1000},
	} {
		w := newWorld(own, foreign)
		w.law.FMROneIn = c.demand
		v := verdict(c.code)
		v.FMROneIn = c.rate
		w.peer = func(_ context.Context, a asked) ([]byte, error) { return w.answer(a, v), nil }
		res, err := w.Verify(t.Context(), request())
		if err != nil || res.Code != c.want || res.Outcome != c.want.Outcome() || res.FMROneIn != c.rate {
			t.Errorf("%s at 1/%d: got %+v, %v", c.code, c.rate, res.Verdict, err)
		}
		w.entries(t, res)
	}
}

// TestLedgerKeysChange: what is kept of a peer's ledger keys is not used for others.
func TestLedgerKeysChange(t *testing.T) {
	own, foreign := books(t)
	w := newWorld(own, foreign)
	for i, step := range []struct {
		keys   []string
		origin string
		book   *ledger.Log
		want   protocol.Code
	}{
		{signer(6).VerifierKeys(), origin, own, protocol.CodeMatched},
		{signer(6).VerifierKeys(), origin, foreign, protocol.CodeReceiptInvalid},
		{signer(8).VerifierKeys(), origin, own, protocol.CodeReceiptInvalid},
		{signer(8).VerifierKeys(), origin, foreign, protocol.CodeMatched},
		{signer(8).VerifierKeys(), "other.example/ledger", foreign, protocol.CodeReceiptInvalid},
		{nil, origin, foreign, protocol.CodeReceiptInvalid},
		{signer(6).VerifierKeys(), origin, own, protocol.CodeMatched},
	} {
		w.node.LedgerKeys, w.node.LedgerOrigin, w.book = step.keys, step.origin, step.book
		if res, err := w.Verify(t.Context(), request()); err != nil || res.Code != step.want {
			t.Errorf("step %d: got %s, %v; want %s", i, res.Code, err, step.want)
		}
	}
}

// TestConcurrent: many officers at once.
func TestConcurrent(t *testing.T) {
	w := newWorld()
	r := requester.New(requester.Config{Self: self, Country: "UZB", Signing: selfSigning(), Directory: directoryOf(w.node), Law: lawOf(w.law),
		Ledger: discard{}, Exchanger: silent{}, Now: func() time.Time { return start }, Logger: slog.New(slog.DiscardHandler)})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if res, err := r.Verify(t.Context(), request()); err != nil || res.Code != protocol.CodeAnswerInvalid {
				t.Errorf("got %s, %v", res.Code, err)
			}
		})
	}
	wg.Wait()
}

type (
	directoryOf trust.Node
	lawOf       policy.Decision
	discard     struct{}
	silent      struct{}
)

func (d directoryOf) Below(string, trust.EntityID, time.Time) (trust.Node, error) {
	return trust.Node(d), nil
}
func (d directoryOf) Country(string, time.Time) (trust.Node, error) { return trust.Node(d), nil }
func (l lawOf) Decide(policy.Request) policy.Decision               { return policy.Decision(l) }
func (discard) Append(context.Context, []byte) (lognote.Receipt, error) {
	return lognote.Receipt{}, nil
}

func (silent) Exchange(context.Context, transport.PeerID, []string, string, []byte) ([]byte, error) {
	return []byte("no"), nil
}

// TestUnreached: every way an exchange can fail is unavailable, with its own code,
// and is recorded.
func TestUnreached(t *testing.T) {
	for _, c := range []struct {
		err  error
		want protocol.Code
	}{
		{transport.ErrUnreachable, protocol.CodeUnreachable},
		{transport.ErrTimeout, protocol.CodeTimeout},
		{transport.ErrNotAdmitted, protocol.CodeHandshake},
		{transport.ErrOverloaded, protocol.CodeOverloaded},
		{transport.ErrInterrupted, protocol.CodeUnreachable},
		{transport.ErrUnsupported, protocol.CodeUnreachable},
		{transport.ErrClosed, protocol.CodeUnreachable},
		{transport.ErrTooLarge, protocol.CodeAnswerInvalid},
		{transport.ErrMalformed, protocol.CodeAnswerInvalid},
		{context.Canceled, protocol.CodeTimeout},
		{context.DeadlineExceeded, protocol.CodeTimeout},
		{errors.New("something new"), protocol.CodeUnreachable},
		{&transport.DialError{Attempts: []transport.Attempt{{Err: transport.ErrTimeout}}}, protocol.CodeUnreachable},
		{&transport.DialError{Attempts: []transport.Attempt{{Err: transport.ErrTimeout}, {Err: transport.ErrNotAdmitted}}}, protocol.CodeHandshake},
	} {
		w := newWorld()
		w.peer = func(context.Context, asked) ([]byte, error) { return nil, fmt.Errorf("exchanging: %w", c.err) }
		res, err := w.Verify(t.Context(), request())
		if err != nil || res.Code != c.want || res.Outcome != protocol.Unavailable || res.Reply != "" {
			t.Errorf("%v: got %+v, %v; want %s", c.err, res.Verdict, err, c.want)
		}
		w.entries(t, res)
	}
}

// TestUndirected: whom to ask is not known; nothing is sent and nothing recorded.
func TestUndirected(t *testing.T) {
	elsewhere := request()
	elsewhere.Question.Subject.Jurisdiction = "XKX"
	for name, c := range map[string]struct {
		lookup error
		req    requester.Request
		edit   func(*trust.Node)
		want   protocol.Code
	}{
		"unknown-country": {nil, elsewhere, nil, protocol.CodeNoPeer},
		"not-member":      {fmt.Errorf("looking up: %w", trust.ErrNotMember), request(), nil, protocol.CodeNoPeer},
		"suspended":       {&protocol.Fault{Code: protocol.CodeSuspended}, request(), nil, protocol.CodeSuspended},
		"expired":         {trust.ErrExpired, request(), nil, protocol.CodeTrustUndetermined},
		"undetermined":    {trust.ErrUndetermined, request(), nil, protocol.CodeTrustUndetermined},
		"no-sealing-key":  {nil, request(), func(n *trust.Node) { n.SealingKeys = nil }, protocol.CodeTrustUndetermined},
	} {
		w := newWorld()
		w.lookup = c.lookup
		if c.edit != nil {
			c.edit(&w.node)
		}
		res, err := w.Verify(t.Context(), c.req)
		if err != nil || res.Code != c.want || res.Outcome != protocol.Unavailable || res.Peer != "" || res.Query != (protocol.Hash{}) {
			t.Errorf("%s: got %+v, %v; want %s", name, res.Verdict, err, c.want)
		}
		if strings.Contains(w.order(), "send") || len(w.leaves) != 0 {
			t.Errorf("%s: %s", name, w.order())
		}
	}
}

// TestOwnLaw: what own law forbids is not sent, and the attempt is on record.
func TestOwnLaw(t *testing.T) {
	both := request()
	both.Question.Probes = append(both.Question.Probes, protocol.Probe{Modality: "finger", Format: "iso-19794-2-2005", Data: []byte{1}})
	withConsent := request()
	withConsent.Question.Consent = "a.b.c"
	for name, c := range map[string]struct {
		edit func(*policy.Decision)
		req  requester.Request
		want protocol.Code // empty: lawful
	}{
		"forbidden":           {func(d *policy.Decision) { d.Allowed = false }, request(), protocol.CodeOwnLaw},
		"zero-decision":       {func(d *policy.Decision) { *d = policy.Decision{} }, request(), protocol.CodeOwnLaw},
		"modality":            {func(d *policy.Decision) { d.Modalities = []string{"finger"} }, request(), protocol.CodeOwnLaw},
		"one-modality-of-two": {func(d *policy.Decision) { d.Modalities = []string{"face"} }, both, protocol.CodeOwnLaw},
		"no-consent":          {func(d *policy.Decision) { d.ConsentRequired = true }, request(), protocol.CodeConsentMissing},
		"consent":             {func(d *policy.Decision) { d.ConsentRequired = true }, withConsent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			own, foreign := books(t)
			w := newWorld(own, foreign)
			c.edit(&w.law)
			res, err := w.Verify(t.Context(), c.req)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if res.Outcome != protocol.Matched {
					t.Errorf("got %+v", res.Verdict)
				}
				return
			}
			policyOf := protocol.PolicyRef{Law: w.law.Law, Version: w.law.Version, ID: w.law.PolicyID, Article: w.law.Article}
			if res.Code != c.want || res.Outcome != protocol.Refused || res.Policy != policyOf || res.Peer != "" || res.Query != (protocol.Hash{}) {
				t.Errorf("got %+v", res)
			}
			if w.order() != "law > verdict" {
				t.Errorf("order %q", w.order())
			}
			want := protocol.Leaf{Kind: protocol.LeafVerdict, Time: start, Requester: self, Responder: holder, Purpose: "border_control",
				LegalBasis: "public_task", Operation: "verify", Officer: "o7", Verdict: res.Verdict,
				Inputs: protocol.Inputs{RequesterCountry: "UZB", ResponderCountry: "KAZ", Consent: "none", Modalities: "face"}}
			if name == "one-modality-of-two" {
				want.Inputs.Modalities = "face finger"
			}
			if len(w.leaves) != 1 || w.leaves[0] != want || res.Entry != 100 {
				t.Errorf("entry %d: %+v", res.Entry, w.leaves)
			}
			// The trace does not depend on whether the officer waits for it.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if res, err := w.Verify(ctx, c.req); err != nil || res.Code != c.want || len(w.leaves) != 2 {
				t.Errorf("given up: %+v, %v, %d entries", res.Verdict, err, len(w.leaves))
			}
		})
	}
}

// TestLedgerFailure: without the intent nothing is sent; without the verdict's entry
// it is not shown; an attempt that cannot be recorded is not called refused.
func TestLedgerFailure(t *testing.T) {
	own, foreign := books(t)
	for name, c := range map[string]struct {
		edit  func(*world)
		order string
		reply bool
	}{
		"intent":  {func(w *world) { w.fail[protocol.LeafIntent] = ledger.ErrNoSpace }, "law > intent", false},
		"verdict": {func(w *world) { w.fail[protocol.LeafVerdict] = ledger.ErrFailed }, whole, true},
		"attempt": {func(w *world) { w.law.Allowed, w.fail[protocol.LeafVerdict] = false, ledger.ErrFailed }, "law > verdict", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(own, foreign)
			c.edit(w)
			res, err := w.Verify(t.Context(), request())
			if err != nil || res.Outcome != protocol.Unavailable || res.Code != protocol.CodeLedgerUnavailable {
				t.Errorf("got %+v, %v", res.Verdict, err)
			}
			if res.FMROneIn != 0 || res.Policy != (protocol.PolicyRef{}) || res.Receipt.Leaf != nil || res.Entry != 0 {
				t.Errorf("a verdict shows through: %+v", res)
			}
			if w.order() != c.order || (res.Reply != "") != c.reply || (res.Query != protocol.Hash{}) != c.reply {
				t.Errorf("order %q, reply kept %t", w.order(), res.Reply != "")
			}
			if !strings.Contains(w.logs.String(), "not recorded") {
				t.Error("the operator is not told")
			}
		})
	}
}

// TestRequests that cannot be put as a Query are errors, not outcomes; nothing of
// them gets into a ledger.
func TestRequests(t *testing.T) {
	for name, edit := range map[string]func(*requester.Request){
		"no-subject":  func(r *requester.Request) { r.Question.Subject.Value = "" },
		"bad-subject": func(r *requester.Request) { r.Question.Subject.Value = "Ä" },
		"bad-type":    func(r *requester.Request) { r.Question.Subject.Type = "library_card" },
		"no-probes":   func(r *requester.Request) { r.Question.Probes = nil },
		"eleven-probes": func(r *requester.Request) {
			r.Question.Probes = append(r.Question.Probes, make([]protocol.Probe, 10)...)
		},
		"empty-probe": func(r *requester.Request) { r.Question.Probes[0].Data = nil },
		"position":    func(r *requester.Request) { r.Question.Probes[0].Position = 11 },
		"big-consent": func(r *requester.Request) { r.Question.Consent = strings.Repeat("x", protocol.MaxConsentSize+1) },
		"big-frame": func(r *requester.Request) {
			r.Question.Probes[0].Data = make([]byte, protocol.MaxProbeSize)
			r.Question.Probes = append(r.Question.Probes, r.Question.Probes[0], r.Question.Probes[0])
		},
		"purpose":     func(r *requester.Request) { r.Purpose = "Border Control" },
		"no-purpose":  func(r *requester.Request) { r.Purpose = "" },
		"legal-basis": func(r *requester.Request) { r.LegalBasis = strings.Repeat("a", 65) },
		"no-officer":  func(r *requester.Request) { r.Officer = "" },
		"officer":     func(r *requester.Request) { r.Officer = "Name Surname" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.law.Modalities = append(w.law.Modalities, "")
			req := request()
			edit(&req)
			res, err := w.Verify(t.Context(), req)
			if protocol.CodeOf(err) != protocol.CodeRequest || res.Outcome != "" {
				t.Errorf("got %+v, %v", res.Verdict, err)
			}
			if len(w.leaves) != 0 || strings.Contains(w.order(), "send") {
				t.Errorf("order %q", w.order())
			}
			if err != nil && (strings.Contains(err.Error(), "Surname") || strings.Contains(err.Error(), "Border")) {
				t.Errorf("the error quotes the request: %v", err)
			}
		})
	}
}

// TestNormalises: a number as printed is asked about as the register has it.
func TestNormalises(t *testing.T) {
	own, foreign := books(t)
	w := newWorld(own, foreign)
	req := request()
	plain := req.Question.Subject.Value
	req.Question.Subject.Value = strings.ToLower(plain[:3]) + " " + plain[3:5] + "-" + plain[5:]
	var got string
	w.peer = func(_ context.Context, a asked) ([]byte, error) {
		q, err := a.q.Open(holderSealing())
		if err != nil {
			return nil, err
		}
		got = q.Subject.Value
		return w.answer(a, matched()), nil
	}
	if _, err := w.Verify(t.Context(), req); err != nil || got != plain {
		t.Errorf("asked about another number, %v", err)
	}
}

// TestCounts: own law sees how often own officers have asked; nothing is asked when that cannot be told.
func TestCounts(t *testing.T) {
	for name, c := range map[string]struct {
		counts func(pseudonym.Identifier, string, string, time.Time) (policy.Counts, error)
		want   protocol.Code
		order  string
	}{
		"seen": {func(_ pseudonym.Identifier, officer, purpose string, _ time.Time) (policy.Counts, error) {
			if officer != "o7" || purpose != "border_control" {
				t.Errorf("counted for %q, %q", officer, purpose)
			}
			return policy.Counts{ByOfficer: 4}, nil
		}, protocol.CodeMatched, ""},
		"not-told": {func(pseudonym.Identifier, string, string, time.Time) (policy.Counts, error) {
			return policy.Counts{}, errors.New("disk")
		}, protocol.CodeInternal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			own, foreign := books(t)
			w := newWorld(own, foreign)
			seen := &seeing{world: w}
			w.Requester = requester.New(requester.Config{Self: self, Country: "UZB", Signing: selfSigning(), Directory: w, Law: seen, Ledger: w, Exchanger: w,
				Now: func() time.Time { return w.clock() }, Logger: slog.New(slog.DiscardHandler), Counts: c.counts})
			res, err := w.Verify(t.Context(), request())
			if err != nil || res.Code != c.want {
				t.Errorf("got %+v, %v", res.Verdict, err)
			}
			if name == "seen" && seen.got.Counts.ByOfficer != 4 || name != "seen" && (w.order() != "" || seen.got.Purpose != "") {
				t.Errorf("law was asked %+v; %q", seen.got.Counts, w.order())
			}
		})
	}
}

// seeing is the world's law, and remembers what it was asked.
type seeing struct {
	*world
	got policy.Request
}

func (s *seeing) Decide(r policy.Request) policy.Decision {
	s.got = r
	return s.world.Decide(r)
}
