package requester_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/requester"
)

const (
	self   = "https://uzb.example"
	holder = "https://kaz.example"
	origin = "kaz.example/ledger"
)

var start = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func seed(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func selfSigning() jose.PrivateKey     { return must(jose.NewPrivateKey(seed(1))) }
func holderSigning() jose.PrivateKey   { return must(jose.NewPrivateKey(seed(2))) }
func strangerSigning() jose.PrivateKey { return must(jose.NewPrivateKey(seed(3))) }
func holderSealing() sealing.PrivateKey {
	return must(sealing.NewPrivateKey(seed(4)))
}

// world is a Requester, what it holds, and the peer that it asks.
type world struct {
	mu    sync.Mutex
	calls []string // order of everything that left a mark or the node

	clock     func() time.Time
	node      trust.Node // the peer, as the directory has it
	lookup    error
	law       policy.Decision
	asked     policy.Request
	fail      map[protocol.LeafKind]error // appends that fail
	leaves    []protocol.Leaf             // the own ledger
	peer      func(ctx context.Context, q asked) ([]byte, error)
	sent      [][]byte
	withdrawn bool          // what the node knows of every consent
	untold    error         // or why it cannot tell
	limit     time.Duration // until the deadline that the exchange was given
	logs      bytes.Buffer
	book      *ledger.Log // the peer's ledger
	another   *ledger.Log // one of other keys
	*requester.Requester
}

// asked is the frame as the peer reads it.
type asked struct {
	frame []byte
	q     protocol.Query
}

// newWorld has a peer that answers with code Matched, from a ledger of its own.
func newWorld(books ...*ledger.Log) *world {
	w := &world{clock: func() time.Time { return start }, fail: map[protocol.LeafKind]error{},
		law: policy.Decision{Allowed: true, PolicyID: "uzb-1", Law: "Act U", Article: "Article 1", Version: "u.1", FMROneIn: 1000,
			Modalities: []string{"face", "finger"}}}
	if len(books) > 0 {
		w.book, w.another = books[0], books[1]
	}
	w.node = trust.Node{EntityID: holder, Jurisdiction: "KAZ", PeerID: "peer-of-kaz", Addresses: []string{"/ip4/127.0.0.1/tcp/1"},
		SigningKeys: jose.NewKeySet(holderSigning().Public()), SealingKeys: []sealing.PublicKey{holderSealing().Public()},
		LedgerKeys: signer(6).VerifierKeys(), LedgerOrigin: origin, ExpiresAt: start.Add(time.Hour)}
	w.peer = func(_ context.Context, a asked) ([]byte, error) { return w.answer(a, matched()), nil }
	w.witness(nil)
	return w
}

// witness makes the Requester anew, with a Witness or none.
func (w *world) witness(by requester.Witness) {
	w.Requester = requester.New(requester.Config{Self: self, Witness: by, Country: "UZB", Signing: selfSigning(), Directory: w, Law: w, Ledger: w,
		Exchanger: w, Now: func() time.Time { return w.clock() }, Withdrawn: func(string) (bool, error) { return w.withdrawn, w.untold },
		Logger: slog.New(slog.NewJSONHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
}

func signer(b byte) lognote.Signer { return must(lognote.NewSigner(origin, seed(b), seed(b+1))) }

// books are the peer's ledger and one of the same name that others sign.
func books(t testing.TB) (own, foreign *ledger.Log) {
	t.Helper()
	open := func(name string, key byte) *ledger.Log {
		l, err := ledger.Open(context.Background(), ledger.Config{Dir: filepath.Join(t.TempDir(), name), Signer: signer(key),
			Now: func() time.Time { return start }})
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
	return open("own", 6), open("foreign", 8)
}

func (w *world) mark(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, what)
}

func (w *world) order() string { return strings.Join(w.calls, " > ") }

// Country is the Directory.
func (w *world) Below(alpha3 string, id trust.EntityID, now time.Time) (trust.Node, error) {
	n, err := w.Country(alpha3, now)
	if err == nil && n.EntityID != id {
		return trust.Node{}, trust.ErrNotMember
	}
	return n, err
}

func (w *world) Country(alpha3 string, _ time.Time) (trust.Node, error) {
	if w.lookup != nil {
		return trust.Node{}, w.lookup
	}
	if alpha3 != "KAZ" {
		return trust.Node{}, trust.ErrNotMember
	}
	return w.node, nil
}

// Decide is the Law.
func (w *world) Decide(r policy.Request) policy.Decision {
	if steps := w.order(); !strings.HasSuffix(steps, "law") { // once for every modality
		w.mark("law")
	}
	w.asked = r
	return w.law
}

// Append is the own Ledger.
func (w *world) Append(ctx context.Context, leaf []byte) (lognote.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return lognote.Receipt{}, err
	}
	l, err := protocol.ParseLeaf(leaf)
	if err != nil {
		return lognote.Receipt{}, err
	}
	w.mark(string(l.Kind))
	if err := w.fail[l.Kind]; err != nil {
		return lognote.Receipt{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaves = append(w.leaves, l)
	return lognote.Receipt{Index: uint64(len(w.leaves) + 99), Leaf: leaf}, nil
}

// Exchange is the way out.
func (w *world) Exchange(ctx context.Context, to transport.PeerID, addrs []string, name string, frame []byte) ([]byte, error) {
	w.mark("send")
	if to != "peer-of-kaz" || !slices.Equal(addrs, w.node.Addresses) || name != transport.ProtocolQuery {
		return nil, errors.New("sent astray")
	}
	if d, ok := ctx.Deadline(); ok {
		w.limit = time.Until(d)
	}
	w.sent = append(w.sent, slices.Clone(frame))
	u, err := protocol.ParseQuery(frame)
	if err != nil {
		return nil, err
	}
	q, err := u.Verify(jose.NewKeySet(selfSigning().Public()), holder, w.clock())
	if err != nil {
		return nil, err
	}
	return w.peer(ctx, asked{frame, q})
}

func matched() protocol.Verdict {
	return protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000,
		Policy: protocol.PolicyRef{Law: "Act K", Version: "k.1", ID: "kaz-1", Article: "Article 9"}}
}

// verdict is v with the outcome and code of c.
func verdict(c protocol.Code) protocol.Verdict {
	v := matched()
	v.Code, v.Outcome = c, c.Outcome()
	if v.Outcome != protocol.Matched && v.Outcome != protocol.NotMatched {
		v.FMROneIn = 0
	}
	return v
}

// answer is what an honest responder replies.
func (w *world) answer(a asked, v protocol.Verdict) []byte {
	return must(a.q.Answer(v, w.receipt(w.book, a, v), holderSigning(), w.clock()))
}

// receipt is from log, for a leaf about a and v.
func (w *world) receipt(log *ledger.Log, a asked, v protocol.Verdict) lognote.Receipt {
	leaf := must(protocol.NewLeaf(protocol.LeafAnswer, a.q.Envelope, a.q.Hash, v, w.clock()).Marshal())
	return must(log.Append(context.Background(), leaf))
}

// refusal is what a responder replies in clear.
func (w *world) refusal(a asked, c protocol.Code) []byte {
	return must(protocol.Refuse(holder, a.q.Hash, c, holderSigning(), w.clock()))
}

func person(i int) synth.Person { return synth.New(20260921, "KAZ").Person(i) }

// request is a lawful question about person 7.
func request() requester.Request {
	p := person(7)
	return requester.Request{
		Question: protocol.Question{
			Subject: pseudonym.Identifier{Jurisdiction: p.Jurisdiction, Type: pseudonym.IDPassport, Value: p.PassportNumber},
			Probes:  []protocol.Probe{{Modality: "face", Format: "tamga-embedding-1", Data: p.FaceProbe(1)}},
		},
		Purpose: "border_control", LegalBasis: "public_task", Officer: "o7",
	}
}

// intent and outcome demand the two entries of a Query that was sent.
func (w *world) entries(t *testing.T, res requester.Result) {
	t.Helper()
	if len(w.leaves) != 2 {
		t.Fatalf("%d entries, want intent and verdict", len(w.leaves))
	}
	intent, end := w.leaves[0], w.leaves[1]
	common := protocol.Leaf{Kind: protocol.LeafIntent, Time: start, Requester: self, Responder: holder, Query: protocol.HashQuery(w.sent[0]),
		Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Officer: "o7"}
	common.Inputs = protocol.Inputs{RequesterCountry: "UZB", ResponderCountry: "KAZ", Modalities: "face", Consent: "none"}
	common.Policy = protocol.PolicyRef{Law: "Act U", Version: "u.1", ID: "uzb-1", Article: "Article 1"}
	if intent != common {
		t.Errorf("intent %+v, want %+v", intent, common)
	}
	common.Kind, common.Verdict = protocol.LeafVerdict, res.Verdict
	if end != common {
		t.Errorf("verdict %+v, want %+v", end, common)
	}
	if res.Entry != 101 || res.Query != common.Query || res.Peer != holder {
		t.Errorf("entry %d, query %s, peer %s", res.Entry, res.Query, res.Peer)
	}
}
