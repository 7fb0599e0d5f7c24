package protocol_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
)

var update = flag.Bool("update", false, "rewrite generated parts of PROTOCOL.md")

const (
	asker  = "https://kaz.example"
	holder = "https://kgz.example"
)

var now = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// side is one node's keys.
type side struct {
	sign jose.PrivateKey
	seal sealing.PrivateKey
	log  *ledger.Log
	ver  lognote.Verifier
}

func newSide(t testing.TB, name string) side {
	t.Helper()
	var s side
	var err error
	seed := func(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }
	if s.sign, err = jose.NewPrivateKey(seed(name[0])); err != nil {
		t.Fatal(err)
	}
	if s.seal, err = sealing.NewPrivateKey(seed(name[1])); err != nil {
		t.Fatal(err)
	}
	signer, err := lognote.NewSigner(name+".example/ledger", seed(name[0]), seed(name[1]))
	if err != nil {
		t.Fatal(err)
	}
	if s.log, err = ledger.Open(context.Background(), ledger.Config{Dir: filepath.Join(t.TempDir(), name), Signer: signer, Now: func() time.Time { return now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.log.Close() })
	if s.ver, err = lognote.NewVerifier(name+".example/ledger", signer.VerifierKeys()); err != nil {
		t.Fatal(err)
	}
	return s
}

func envelope() protocol.Envelope {
	return protocol.Envelope{Issuer: asker, Audience: holder, Purpose: "border_control", LegalBasis: "public_task",
		Operation: protocol.OperationVerify, Officer: "o7"}
}

func question() protocol.Question {
	return protocol.Question{
		Subject: pseudonym.Identifier{Jurisdiction: "KGZ", Type: pseudonym.IDPassport, Value: "SYN0001"},
		Probes:  []protocol.Probe{{Modality: "finger", Format: "iso-19794-2-2005", Position: 2, Data: []byte("record")}},
		Consent: "a.b.c",
	}
}

func ask(t testing.TB, a, h side) *protocol.Pending {
	t.Helper()
	p, err := protocol.Ask(envelope(), question(), h.seal.Public(), a.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func code(t *testing.T, err error, want protocol.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %s", want)
	}
	if got := protocol.CodeOf(err); got != want {
		t.Fatalf("got %s (%v), want %s", got, err, want)
	}
}

func answered(t testing.TB, h side, q protocol.Query, v protocol.Verdict) []byte {
	t.Helper()
	leaf, err := protocol.NewLeaf(protocol.LeafAnswer, q.Envelope, q.Hash, v, now).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.log.Append(context.Background(), leaf)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := q.Answer(v, r, h.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func verified(t testing.TB, a side, p *protocol.Pending) protocol.Query {
	t.Helper()
	u, err := protocol.ParseQuery(p.Frame)
	if err != nil {
		t.Fatal(err)
	}
	q, err := u.Verify(jose.NewKeySet(a.sign.Public()), holder, now)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestRoundTrip(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	p := ask(t, a, h)
	q := verified(t, a, p)
	if q.Envelope != p.Envelope || q.Hash != p.Hash || q.SealKey != h.seal.Public().KeyID() {
		t.Fatalf("query changed on the way: %+v, sent %+v", q.Envelope, p.Envelope)
	}
	got, err := q.Open(h.seal)
	if err != nil {
		t.Fatal(err)
	}
	want := question()
	if got.Subject != want.Subject || got.Consent != want.Consent || len(got.Probes) != 1 ||
		got.Probes[0].Position != 2 || string(got.Probes[0].Data) != "record" {
		t.Fatal("question changed on the way")
	}
	v := protocol.Verdict{Outcome: protocol.NotMatched, Code: protocol.CodeNotMatched, FMROneIn: 10000,
		Policy: protocol.PolicyRef{Law: "Law", Version: "1", ID: "p", Article: "7"}}
	reply, err := p.Reply(answered(t, h, q, v), peer(h), now)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Verdict != v || !reply.Signed || reply.Issuer != holder {
		t.Fatalf("got %+v, want %+v", reply.Verdict, v)
	}
}

func peer(h side) protocol.Peer {
	return protocol.Peer{Entity: holder, Keys: jose.NewKeySet(h.sign.Public()), Ledger: h.ver}
}

// TestVerifyFaults: one fault each, each with its own code.
func TestVerifyFaults(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	keys := jose.NewKeySet(a.sign.Public())
	reply, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		edit func(*protocol.Envelope)
		keys jose.KeySet
		self string
		want protocol.Code
	}{
		{"other-audience", nil, keys, "https://uzb.example", protocol.CodeAudience},
		{"other-key", nil, jose.NewKeySet(h.sign.Public()), holder, protocol.CodeSignature},
		{"expired", func(e *protocol.Envelope) { e.IssuedAt, e.ExpiresAt = now.Add(-61*time.Second), now.Add(-time.Second) }, keys, holder, protocol.CodeExpired},
		{"expires-now", func(e *protocol.Envelope) { e.IssuedAt, e.ExpiresAt = now.Add(-time.Minute), now }, keys, holder, protocol.CodeExpired},
		{"lives-61-s", func(e *protocol.Envelope) { e.ExpiresAt = now.Add(61 * time.Second) }, keys, holder, protocol.CodeLifetime},
		{"from-the-future", func(e *protocol.Envelope) { e.IssuedAt, e.ExpiresAt = now.Add(6*time.Second), now.Add(20*time.Second) }, keys, holder, protocol.CodeLifetime},
		{"expires-before-issue", func(e *protocol.Envelope) { e.ExpiresAt = now.Add(-time.Second) }, keys, holder, protocol.CodeLifetime},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := envelope()
			e.ID, e.IssuedAt, e.ExpiresAt = "AAAAAAAAAAAAAAAAAAAAAA", now, now.Add(30*time.Second)
			if c.edit != nil {
				c.edit(&e)
			}
			p, err := protocol.AskExactly(e, question(), h.seal.Public(), a.sign, reply)
			if err != nil {
				t.Fatal(err)
			}
			u, err := protocol.ParseQuery(p.Frame)
			if err != nil {
				t.Fatal(err)
			}
			_, err = u.Verify(c.keys, c.self, now)
			code(t, err, c.want)
		})
	}
}

// TestParseFaults: what a signature cannot excuse.
func TestParseFaults(t *testing.T) {
	a := newSide(t, "ka")
	good := `{"rev":"1","iss":"i","aud":"a","iat":1,"exp":2,"jti":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"p","legal_basis":"l","operation":"verify","officer":"o","seal_kid":"k","reply_key":"","sealed":""}`
	sign := func(typ, payload string) []byte {
		s, err := jose.Sign(a.sign, typ, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return []byte(s)
	}
	if _, err := protocol.ParseQuery(sign(protocol.TypeQuery, good)); err != nil {
		t.Fatalf("the base case does not parse: %v", err)
	}
	edit := func(old, new string) []byte {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q in the base case", old)
		}
		return sign(protocol.TypeQuery, strings.Replace(good, old, new, 1))
	}
	cases := map[string]struct {
		frame []byte
		want  protocol.Code
	}{
		"empty":             {nil, protocol.CodeMalformed},
		"not-a-jws":         {[]byte("hello"), protocol.CodeMalformed},
		"wrong-typ":         {sign("JWT", good), protocol.CodeMalformed},
		"answer-typ":        {sign(protocol.TypeAnswer, good), protocol.CodeMalformed},
		"array":             {sign(protocol.TypeQuery, "["+good+"]"), protocol.CodeMalformed},
		"trailing":          {sign(protocol.TypeQuery, good+"{}"), protocol.CodeMalformed},
		"unknown-claim":     {edit(`"rev"`, `"score":1,"rev"`), protocol.CodeMalformed},
		"duplicate-claim":   {edit(`"iat":1`, `"iat":1,"iat":1`), protocol.CodeMalformed},
		"other-case":        {edit(`"iss"`, `"ISS"`), protocol.CodeMalformed},
		"revision-2":        {edit(`"rev":"1"`, `"rev":"2"`), protocol.CodeRevision},
		"revision-2-claims": {edit(`"rev":"1"`, `"rev":"2","scope":"all"`), protocol.CodeRevision},
		"revision-1-claims": {edit(`"rev":"1"`, `"rev":"1","scope":"all"`), protocol.CodeMalformed},
		"revision-twice":    {edit(`"rev":"1"`, `"rev":"1","rev":"2"`), protocol.CodeMalformed},
		"no-revision":       {edit(`"rev":"1",`, ``), protocol.CodeRevision},
		"short-jti":         {edit(`AAAAAAAAAAAAAAAAAAAAAA`, `AAAA`), protocol.CodeMalformed},
		"padded-jti":        {edit(`AAAAAAAAAAAAAAAAAAAAAA`, `AAAAAAAAAAAAAAAAAAAAAA==`), protocol.CodeMalformed},
		"unused-bits":       {edit(`AAAAAAAAAAAAAAAAAAAAAA`, `AAAAAAAAAAAAAAAAAAAAAB`), protocol.CodeMalformed},
		"purpose-uppercase": {edit(`"purpose":"p"`, `"purpose":"P"`), protocol.CodeMalformed},
		"no-purpose":        {edit(`"purpose":"p"`, `"purpose":""`), protocol.CodeMalformed},
		"officer-spaces":    {edit(`"officer":"o"`, `"officer":"a b"`), protocol.CodeMalformed},
		"aud-array":         {edit(`"aud":"a"`, `"aud":["a"]`), protocol.CodeMalformed},
		"iat-fraction":      {edit(`"iat":1`, `"iat":1.5`), protocol.CodeMalformed},
		"iat-string":        {edit(`"iat":1`, `"iat":"1"`), protocol.CodeMalformed},
		"null-claim":        {edit(`"purpose":"p"`, `"purpose":null`), protocol.CodeMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			u, err := protocol.ParseQuery(c.frame)
			code(t, err, c.want)
			if u.Hash() != protocol.HashQuery(c.frame) {
				t.Error("a refusal could not be bound to this frame")
			}
			if u.ClaimedIssuer() != "" {
				t.Error("a refused frame still names an issuer")
			}
		})
	}
}

func TestOpenFaults(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	q := verified(t, a, ask(t, a, h))
	_, err := q.Open(a.seal)
	code(t, err, protocol.CodeSeal)
	// A claim changed after sealing, signed again: the seal must not open.
	e := envelope()
	e.ID, e.IssuedAt, e.ExpiresAt = "AAAAAAAAAAAAAAAAAAAAAA", now, now.Add(30*time.Second)
	p, err := protocol.Ask(e, question(), h.seal.Public(), a.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := jose.Parse(string(p.Frame))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := jose.Sign(a.sign, protocol.TypeQuery, []byte(strings.Replace(string(tok.Payload()), "border_control", "visa_issuance", 1)))
	if err != nil {
		t.Fatal(err)
	}
	u, err := protocol.ParseQuery([]byte(forged))
	if err != nil {
		t.Fatal(err)
	}
	q, err = u.Verify(jose.NewKeySet(a.sign.Public()), holder, now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.Open(h.seal)
	code(t, err, protocol.CodeSeal)
}

func TestReplyFaults(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	v := protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000}
	p, other := ask(t, a, h), ask(t, a, h)
	q := verified(t, a, p)
	good := answered(t, h, q, v)
	refusal, err := protocol.Refuse(holder, p.Hash, protocol.CodeExpired, h.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := protocol.NewLeaf(protocol.LeafAnswer, q.Envelope, q.Hash, protocol.Verdict{Outcome: protocol.NotMatched, Code: protocol.CodeNotMatched, FMROneIn: 10000}, now).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := h.log.Append(context.Background(), leaf)
	if err != nil {
		t.Fatal(err)
	}
	lying, err := q.Answer(v, receipt, h.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := q.Answer(v, lognote.Receipt{}, h.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	mismatched := answered(t, h, q, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeNotMatched, FMROneIn: 10000})
	unrated := answered(t, h, q, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched})
	imposter, err := q.Answer(v, receipt, a.sign, now)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		pending *protocol.Pending
		frame   []byte
		want    protocol.Code // empty: accepted
	}{
		"good":            {p, good, ""},
		"refusal":         {p, refusal, ""},
		"other-query":     {other, good, protocol.CodeAnswerInvalid},
		"other-refusal":   {other, refusal, protocol.CodeAnswerInvalid},
		"garbage":         {p, []byte("no"), protocol.CodeAnswerInvalid},
		"own-query-back":  {p, p.Frame, protocol.CodeAnswerInvalid},
		"other-signer":    {p, imposter, protocol.CodeAnswerInvalid},
		"mismatched-code": {p, mismatched, protocol.CodeAnswerInvalid},
		"no-rate":         {p, unrated, protocol.CodeAnswerInvalid},
		"lying-leaf":      {p, lying, protocol.CodeReceiptInvalid},
		"no-receipt":      {p, bare, protocol.CodeReceiptInvalid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ans, err := c.pending.Reply(c.frame, peer(h), now)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			code(t, err, c.want)
			if ans.Outcome.Accepted() || ans.Outcome != "" {
				t.Fatalf("a refused reply still says %q", ans.Outcome)
			}
		})
	}
}

// TestRefusalCodes: what must be in a ledger is not accepted without a receipt, so
// that a responder cannot answer off the record.
func TestRefusalCodes(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	p := ask(t, a, h)
	clear := map[protocol.Code]bool{
		protocol.CodeMalformed: true, protocol.CodeRevision: true, protocol.CodeNotMember: true, protocol.CodeChainExpired: true,
		protocol.CodeTrustUndetermined: true, protocol.CodePeerMismatch: true, protocol.CodeSignature: true,
		protocol.CodeAudience: true, protocol.CodeExpired: true, protocol.CodeLifetime: true,
		protocol.CodeOverloaded: true, protocol.CodeLedgerUnavailable: true, protocol.CodeInternal: true,
	}
	for _, e := range protocol.Registry() {
		frame, err := protocol.Refuse(holder, p.Hash, e.Code, h.sign, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Reply(frame, peer(h), now)
		if clear[e.Code] {
			if err != nil || got.Code != e.Code || got.Outcome != e.Outcome || got.Signed {
				t.Errorf("%s: got %+v, %v", e.Code, got.Verdict, err)
			}
			continue
		}
		if err == nil || protocol.CodeOf(err) != protocol.CodeAnswerInvalid || got.Outcome != "" {
			t.Errorf("%s was accepted without a receipt", e.Code)
		}
	}
}

// TestRefusalOfClocks: a node whose clock is off says so at its own time, and is understood; whatever
// else it says then is not.
func TestRefusalOfClocks(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	p := ask(t, a, h)
	for _, off := range []time.Duration{-48 * time.Hour, -2 * time.Minute, 2 * time.Minute, 48 * time.Hour} {
		for c, want := range map[protocol.Code]protocol.Code{protocol.CodeExpired: "", protocol.CodeLifetime: "",
			protocol.CodeSignature: protocol.CodeAnswerInvalid, protocol.CodeOverloaded: protocol.CodeAnswerInvalid} {
			frame, err := protocol.Refuse(holder, p.Hash, c, h.sign, now.Add(off))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Reply(frame, peer(h), now)
			if want != "" {
				code(t, err, want)
				continue
			}
			if err != nil || got.Code != c || got.Outcome != protocol.Refused {
				t.Errorf("%s at %v: got %s %s, %v", c, off, got.Outcome, got.Code, err)
			}
		}
	}
}

// TestRefusalCannotSayYes: the clear-text reply must not carry a verdict.
func TestRefusalCannotSayYes(t *testing.T) {
	a, h := newSide(t, "ka"), newSide(t, "gz")
	p := ask(t, a, h)
	payload := fmt.Sprintf(`{"iss":%q,"iat":%d,"query_hash":%q,"outcome":"matched","code":"TMG-VER-0001"}`, holder, now.Unix(), p.Hash)
	frame, err := jose.Sign(h.sign, protocol.TypeRefusal, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Reply([]byte(frame), peer(h), now)
	code(t, err, protocol.CodeAnswerInvalid)
}

func TestQuestionPrintsNothing(t *testing.T) {
	q := question()
	for _, s := range []string{fmt.Sprint(q), fmt.Sprintf("%+v", q), fmt.Sprintf("%#v", &q), fmt.Sprintf("%x", q), fmt.Sprintf("%v", q.Probes)} {
		for _, mark := range []string{"SYN0001", "record]", "7265636f7264", "114 101 99"} {
			if strings.Contains(s, mark) {
				t.Errorf("printed %q in %q", mark, s)
			}
		}
	}
}

func TestRegistry(t *testing.T) {
	form := regexp.MustCompile(`^TMG-[A-Z]{3}-\d{4}$`)
	seen := map[protocol.Code]bool{}
	for _, e := range protocol.Registry() {
		if !form.MatchString(string(e.Code)) || seen[e.Code] || e.Title == "" || e.Next == "" {
			t.Errorf("%s: malformed, repeated or unexplained", e.Code)
		}
		seen[e.Code] = true
		if e.Wire && !e.Outcome.Valid() {
			t.Errorf("%s goes over the wire without an outcome", e.Code)
		}
		if e.Outcome.Accepted() && e.Code != protocol.CodeMatched {
			t.Errorf("%s accepts a traveller", e.Code)
		}
	}
	if protocol.Code("TMG-XXX-9999").Outcome() != protocol.Unavailable {
		t.Error("an unknown code reads as an answer")
	}
	if o := protocol.CodeOf(errors.New("x")).Outcome(); o != protocol.Unavailable {
		t.Errorf("an error without a code reads as %q", o)
	}
	var zero protocol.Outcome
	if zero.Accepted() || zero.Valid() {
		t.Error("the zero outcome accepts somebody")
	}
}

// TestCodesInTheText keeps the table of PROTOCOL.md the registry's.
func TestCodesInTheText(t *testing.T) {
	var b strings.Builder
	b.WriteString("| Code | Outcome | Meaning |\n|---|---|---|\n")
	for _, e := range protocol.Registry() {
		if e.Wire {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.Code, e.Outcome, e.Title)
		}
	}
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- codes, written by go test -update -->\n", "<!-- end of codes -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("PROTOCOL.md has no place for the codes")
	}
	if old == b.String() {
		return
	}
	if !*update {
		t.Fatal("the codes in PROTOCOL.md are not the registry's: run go test ./federation/protocol -update")
	}
	if err := os.WriteFile("PROTOCOL.md", []byte(head+begin+b.String()+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
