package conformance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
)

const (
	targetEntity = "https://target.example"
	testerEntity = "https://tester.example"
)

// fake is a target in memory made of federation/protocol: what the suite builds must
// be understood by it, and what it says by the suite. code decides its verdicts.
type fake struct {
	signing jose.PrivateKey
	sealing sealing.PrivateKey
	tester  jose.PrivateKey
	log     *ledger.Log
	peer    protocol.Peer
	now     func() time.Time
	code    func(protocol.Query, protocol.Question) protocol.Code
	edit    func([]byte) []byte

	mu   sync.Mutex // guards seen
	seen map[string]bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	f := &fake{seen: make(map[string]bool), now: func() time.Time { return time.Unix(1_790_000_000, 0) },
		code: func(protocol.Query, protocol.Question) protocol.Code { return protocol.CodeMatched }}
	var err error
	f.signing, err = jose.GenerateKey()
	must(err)
	f.tester, err = jose.GenerateKey()
	must(err)
	f.sealing, err = sealing.GenerateKey()
	must(err)
	signer, err := lognote.NewSigner("target.example/ledger", make([]byte, 32), make([]byte, 32))
	must(err)
	f.log, err = ledger.Open(t.Context(), ledger.Config{Dir: t.TempDir(), Signer: signer, Now: f.now})
	must(err)
	t.Cleanup(func() { must(f.log.Close()) })
	v, err := lognote.NewVerifier("target.example/ledger", signer.VerifierKeys())
	must(err)
	f.peer = protocol.Peer{Entity: targetEntity, Keys: jose.NewKeySet(f.signing.Public()), Ledger: v}
	return f
}

func (f *fake) options() Options {
	return Options{
		Target: party.Target{Entity: targetEntity, Jurisdiction: "UZB", Peer: f.peer, SealingKey: f.sealing.Public(),
			Modalities: []string{"finger", "face"}, Purposes: []string{"border_control", "travel_check_in"}},
		Tester:   party.Tester{Entity: testerEntity, Jurisdiction: "KAZ", Signing: f.tester, Exchanger: f},
		Subjects: party.Synthetic(1, "UZB", 8), Seed: 71, Now: f.now,
	}
}

// Exchange answers like a node that knows one member, the tester.
func (f *fake) Exchange(ctx context.Context, frame []byte) ([]byte, error) {
	reply, err := f.reply(ctx, frame)
	if err == nil && f.edit != nil {
		reply = f.edit(reply)
	}
	return reply, err
}

func (f *fake) reply(ctx context.Context, frame []byte) ([]byte, error) {
	u, err := protocol.ParseQuery(frame)
	var q protocol.Query
	if err == nil && u.ClaimedIssuer() != testerEntity {
		err = &protocol.Fault{Code: protocol.CodeNotMember}
	}
	if err == nil {
		q, err = u.Verify(jose.NewKeySet(f.tester.Public()), targetEntity, f.now())
	}
	if err != nil {
		return protocol.Refuse(targetEntity, protocol.HashQuery(frame), protocol.CodeOf(err), f.signing, f.now())
	}
	v := protocol.Verdict{Code: f.judge(q), Policy: protocol.PolicyRef{Law: "law", Version: "1", ID: "id", Article: "article"}}
	v.Outcome = v.Code.Outcome()
	if v.Outcome == protocol.Matched || v.Outcome == protocol.NotMatched {
		v.FMROneIn = 10_000
	}
	leaf, err := protocol.NewLeaf(protocol.LeafAnswer, q.Envelope, q.Hash, v, f.now()).Marshal()
	if err != nil {
		return nil, err
	}
	r, err := f.log.Append(ctx, leaf)
	if err != nil {
		return nil, err
	}
	return q.Answer(v, r, f.signing, f.now())
}

func (f *fake) judge(q protocol.Query) protocol.Code {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[q.ID] {
		return protocol.CodeReplay
	}
	f.seen[q.ID] = true
	question, err := q.Open(f.sealing)
	if err != nil {
		return protocol.CodeOf(err)
	}
	return f.code(q, question)
}

// dead is a connection to nobody.
type dead struct{}

func (dead) Exchange(context.Context, []byte) ([]byte, error) { return nil, errors.New("no route") }
