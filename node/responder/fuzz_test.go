package responder_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
)

// FuzzHandle: whatever comes in, a signed reply goes out; a frame that no member
// signed gets a Refusal, no ledger entry, and reaches neither law nor gallery.
func FuzzHandle(f *testing.F) {
	p := person(7)
	q := about(p, faceProbe(p.FaceProbe(1)))
	pending, err := protocol.AskExactly(q.env, q.question, q.to.Public(), q.sign, must(sealing.GenerateKey()))
	if err != nil {
		f.Fatal(err)
	}
	stranger, err := protocol.AskExactly(q.env, q.question, q.to.Public(), strangerSigning(), must(sealing.GenerateKey()))
	if err != nil {
		f.Fatal(err)
	}
	good := pending.Frame
	f.Add(bytes.Clone(good), "peer-of-uzb")
	f.Add(bytes.Clone(good), "")
	f.Add(stranger.Frame, "peer-of-uzb")
	f.Add(good[:len(good)-1], "peer-of-uzb")
	f.Add([]byte("e30.e30.AA"), "peer-of-uzb")
	f.Add([]byte{}, "peer-of-uzb")
	f.Fuzz(func(t *testing.T, frame []byte, from string) {
		w := newWorld()
		reply, err := w.Handle(context.Background(), transport.PeerID(from), frame)
		if err != nil {
			t.Fatal(err)
		}
		// Not compared with good: each worker process seals another.
		u, err := protocol.ParseQuery(frame)
		trusted := err == nil && u.ClaimedIssuer() == asker && from == string(askerKey)
		if trusted {
			_, err = u.Verify(jose.NewKeySet(askerSigning().Public()), self, start)
			trusted = err == nil
		}
		recorded := contains(w.trace.calls, "ledger")
		if recorded != trusted {
			t.Fatalf("recorded %t, signed by a member and sent by it %t", recorded, trusted)
		}
		if trusted {
			return
		}
		if contains(w.trace.calls, "law") || contains(w.trace.calls, "gallery") || contains(w.trace.calls, "replay") {
			t.Fatalf("reached %s", w.reached())
		}
		p := protocol.Pending{Envelope: q.env, Hash: protocol.HashQuery(frame), Frame: frame}
		a, err := p.Reply(reply, peer(), start)
		if err != nil {
			t.Fatalf("the refusal does not verify: %v", err)
		}
		if a.Signed || a.Outcome.Accepted() {
			t.Fatalf("got %+v", a.Verdict)
		}
	})
}
