package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

const asker, holder = "https://asker.example", "https://holder.example"

// pair is a Query of this package as package protocol understood it.
type pair struct {
	sent   wire.Sent
	query  protocol.Query
	key    sealing.PrivateKey
	sign   jose.PrivateKey
	reader wire.Reader
	log    *ledger.Log
	now    time.Time
}

func exchanged(t testing.TB) pair {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	p := pair{now: time.Unix(1_790_000_000, 0)}
	asking, err := jose.GenerateKey()
	must(err)
	p.sign, err = jose.GenerateKey()
	must(err)
	p.key, err = sealing.GenerateKey()
	must(err)
	d, err := wire.New(wire.Parties{Issuer: asker, Audience: holder, Signing: asking, To: p.key.Public()}, "border_control", "public_task",
		pseudonym.Identifier{Jurisdiction: "UZB", Type: pseudonym.IDPassport, Value: "SYN123456"},
		[]protocol.Probe{{Modality: "finger", Format: "iso-19794-2-2005", Position: 2, Quality: 80, Capture: "x", Data: wire.PoorFinger(2)}}, p.now)
	must(err)
	p.sent, err = d.Build(p.now)
	must(err)
	u, err := protocol.ParseQuery(p.sent.Frame)
	must(err)
	p.query, err = u.Verify(jose.NewKeySet(asking.Public()), holder, p.now)
	must(err)
	signer, err := lognote.NewSigner("holder.example/ledger", make([]byte, 32), make([]byte, 32))
	must(err)
	p.log, err = ledger.Open(t.Context(), ledger.Config{Dir: t.TempDir(), Signer: signer, Now: func() time.Time { return p.now }})
	must(err)
	t.Cleanup(func() {
		if err := p.log.Close(); !errors.Is(err, ledger.ErrClosed) {
			must(err)
		}
	})
	v, err := lognote.NewVerifier("holder.example/ledger", signer.VerifierKeys())
	must(err)
	p.reader = wire.Reader{Peer: protocol.Peer{Entity: holder, Keys: jose.NewKeySet(p.sign.Public()), Ledger: v}}
	return p
}

// answer is package protocol's Answer with a verdict, recorded as what leaf says.
func (p pair) answer(t testing.TB, v protocol.Verdict, leaf func(*protocol.Leaf), receipt func(*lognote.Receipt)) []byte {
	t.Helper()
	l := protocol.NewLeaf(protocol.LeafAnswer, p.query.Envelope, p.query.Hash, v, p.now)
	if leaf != nil {
		leaf(&l)
	}
	b, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.log.Append(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if receipt != nil {
		receipt(&r)
	}
	out, err := p.query.Answer(v, r, p.sign, p.now)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var matched = protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10_000,
	Policy: protocol.PolicyRef{Law: "law", Version: "1", ID: "id", Article: "article"}}

// TestBothReadings: two readings of PROTOCOL.md, this package's and protocol's, agree.
func TestBothReadings(t *testing.T) {
	p := exchanged(t)
	q, err := p.query.Open(p.key)
	if err != nil {
		t.Fatal(err)
	}
	probe := q.Probes[0]
	if q.Subject.Value != "SYN123456" || probe.Position != 2 || probe.Quality != 80 || probe.Capture != "x" || !bytes.Equal(probe.Data, wire.PoorFinger(2)) {
		t.Error("the sealed part says something else")
	}
	for range 3 { // the first receipt has an empty proof
		r, f := p.reader.Read(p.sent, p.answer(t, matched, nil, nil))
		if f != nil {
			t.Fatal(f)
		}
		if !r.Answer || !r.Opened || r.Code != protocol.CodeMatched || r.Rate != 10_000 || r.Policy != matched.Policy || !r.IssuedAt.Equal(p.now) {
			t.Errorf("read as %s", r.Said())
		}
	}
}

// TestFindings: each fault of a reply is found, and the requirement named.
func TestFindings(t *testing.T) {
	p := exchanged(t)
	refusal := func(c protocol.Code, h protocol.Hash, self string, k jose.PrivateKey) []byte {
		out, err := protocol.Refuse(self, h, c, k, p.now)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	other, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	with := func(edit func(*protocol.Verdict)) protocol.Verdict { v := matched; edit(&v); return v }
	resign := func(payload string) []byte {
		out, err := jose.Sign(p.sign, protocol.TypeRefusal, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return []byte(out)
	}
	hash := p.query.Hash
	for name, c := range map[string]struct {
		rules string
		reply []byte
	}{
		"signature":      {"TMG-A-001", refusal(protocol.CodeLaw, hash, holder, other)},
		"issuer":         {"TMG-A-001", refusal(protocol.CodeLaw, hash, asker, p.sign)},
		"hash":           {"TMG-A-002", refusal(protocol.CodeLaw, protocol.Hash{1}, holder, p.sign)},
		"local-code":     {"", refusal(protocol.CodeOwnLaw, hash, holder, p.sign)},
		"stray-claim":    {"TMG-A-007", resign(`{"iss":"` + holder + `","iat":1790000000,"query_hash":"` + hash.String() + `","outcome":"refused","code":"TMG-QRY-0001","x":1}`)},
		"clear-verdict":  {"TMG-A-007", resign(`{"iss":"` + holder + `","iat":1790000000,"query_hash":"` + hash.String() + `","outcome":"matched","code":"TMG-VER-0001"}`)},
		"pairing":        {"TMG-A-006", resign(`{"iss":"` + holder + `","iat":1790000000,"query_hash":"` + hash.String() + `","outcome":"unavailable","code":"TMG-QRY-0001"}`)},
		"no-rate":        {"TMG-A-006", p.answer(t, with(func(v *protocol.Verdict) { v.FMROneIn = 0 }), nil, nil)},
		"other-outcome":  {"TMG-A-006", p.answer(t, with(func(v *protocol.Verdict) { v.Outcome = protocol.NotMatched }), nil, nil)},
		"leaf-kind":      {"TMG-A-008 TMG-L-003", p.answer(t, matched, func(l *protocol.Leaf) { l.Kind = protocol.LeafVerdict }, nil)},
		"leaf-officer":   {"TMG-A-008", p.answer(t, matched, func(l *protocol.Leaf) { l.Officer = "x" }, nil)},
		"leaf-query":     {"TMG-A-008", p.answer(t, matched, func(l *protocol.Leaf) { l.Query[0] ^= 1 }, nil)},
		"leaf-verdict":   {"TMG-A-008", p.answer(t, matched, func(l *protocol.Leaf) { l.Policy.Article = "x" }, nil)},
		"receipt-leaf":   {"TMG-L-003", p.answer(t, matched, nil, func(r *lognote.Receipt) { r.Leaf = []byte{0xa0} })},
		"receipt-index":  {"TMG-L-002", p.answer(t, matched, nil, func(r *lognote.Receipt) { r.Index++ })},
		"receipt-cut":    {"TMG-L-002", p.answer(t, matched, nil, func(r *lognote.Receipt) { r.Checkpoint = r.Checkpoint[:len(r.Checkpoint)-10] })},
		"not-a-jws":      {"", []byte("hello")},
		"overloaded":     {"", []byte{0x15}},
		"another-typ":    {"", p.sent.Frame},
		"sealed-to-none": {"TMG-A-003 TMG-A-004", exchangedAnswer(t, p)},
	} {
		_, f := p.reader.Read(p.sent, c.reply)
		if f == nil || f.Rules != c.rules || f.Expected == "" || f.Got == "" {
			t.Errorf("%s: want %q, got %+v", name, c.rules, f)
		}
	}
}

// exchangedAnswer is an Answer sealed to another Query's reply key and bound to p's.
func exchangedAnswer(t *testing.T, p pair) []byte {
	t.Helper()
	q := exchanged(t).query
	q.Hash = p.query.Hash
	out, err := q.Answer(matched, lognote.Receipt{}, p.sign, p.now)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRecords: what the suite makes is what the formats allow.
func TestRecords(t *testing.T) {
	samples, err := exchange.DecodeFinger(wire.PoorFinger(2))
	if err != nil || len(samples) != 1 || len(samples[0].Minutiae) != 1 || samples[0].Position != 2 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	if _, err := finger.Prepare(samples[0]); err == nil {
		t.Error("one minutia is enough for the matcher")
	}
	if _, err := exchange.DecodeEmbedding(wire.ForeignFace()); err != nil {
		t.Error(err)
	}
}

// TestShows: the canary finds marks in every form, at every alignment.
func TestShows(t *testing.T) {
	mark := []byte("SYN4K7Q2Z")
	for shift := range 4 {
		text := append(bytes.Repeat([]byte("~"), shift), append(bytes.Clone(mark), "~~~"...)...)
		for name, layer := range map[string][]byte{"raw": text, "lower": bytes.ToLower(text), "hex": []byte(hex.EncodeToString(text)),
			"base64": []byte(base64.StdEncoding.EncodeToString(text)), "base64url": []byte(base64.RawURLEncoding.EncodeToString(text))} {
			if !(wire.Reply{Payload: layer}).Shows([][]byte{mark}) {
				t.Errorf("%s behind %d bytes is not found", name, shift)
			}
		}
	}
	if (wire.Reply{Payload: []byte("SYN4K7Q2")}).Shows([][]byte{mark}) {
		t.Error("found what is not there")
	}
}

// FuzzRead: no reply breaks the reader, and none that the target did not sign is opened.
func FuzzRead(f *testing.F) {
	p := exchanged(f)
	good := p.answer(f, matched, nil, nil)
	f.Add(good)
	f.Add([]byte{0x15})
	f.Add([]byte("a.b.c"))
	f.Add(good[:len(good)-1])
	refused, err := protocol.Refuse(holder, p.query.Hash, protocol.CodeLaw, p.sign, p.now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(refused)
	if err := p.log.Close(); err != nil { // its goroutines would be taken for coverage
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, finding := p.reader.Read(p.sent, frame)
		if finding == nil && (!r.Opened || (!bytes.Equal(frame, good) && !bytes.Equal(frame, refused))) {
			t.Error("accepted what the target did not say")
		}
	})
}
