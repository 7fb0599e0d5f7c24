package requester_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
)

// doubter is a Witness who marks when it is called, and finds err in every Answer.
type doubter struct {
	w   *world
	err error
}

func (d doubter) Expect(peer trust.Node) func(context.Context, protocol.Answer) error {
	d.w.mark("expect " + string(peer.EntityID))
	return func(_ context.Context, a protocol.Answer) error {
		d.w.mark("compare")
		if len(a.Receipt.Checkpoint) == 0 || a.Checkpoint.Size <= a.Receipt.Index {
			return errors.New("no receipt that was verified")
		}
		return d.err
	}
}

// TestWitness: what the Witness knows counts from before the Query is sent, and an Answer
// that it doubts is none. It is asked about Answers that verify alone.
func TestWitness(t *testing.T) {
	own, foreign := books(t)
	doubt := &protocol.Fault{Code: protocol.CodeLedgerContradicted, Err: errors.New("another tree")}
	const before = "law > intent > expect " + holder + " > send > "
	for name, c := range map[string]struct {
		err   error
		peer  func(w *world) func(context.Context, asked) ([]byte, error)
		want  protocol.Code
		order string
	}{
		"agrees":  {nil, answering, protocol.CodeMatched, before + "compare > verdict"},
		"doubts":  {doubt, answering, protocol.CodeLedgerContradicted, before + "compare > verdict"},
		"refusal": {doubt, refusing, protocol.CodeExpired, before + "verdict"},
		"garbage": {doubt, babbling, protocol.CodeAnswerInvalid, before + "verdict"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(own, foreign)
			w.witness(doubter{w, c.err})
			w.peer = c.peer(w)
			res, err := w.Verify(t.Context(), request())
			if err != nil || res.Code != c.want || res.Outcome != c.want.Outcome() {
				t.Errorf("got %+v, %v", res.Verdict, err)
			}
			if doubted := c.want == protocol.CodeLedgerContradicted; doubted && (res.Reply == "" || res.Receipt.Leaf != nil) {
				t.Errorf("evidence %t, receipt %t", res.Reply != "", res.Receipt.Leaf != nil)
			}
			if w.order() != c.order {
				t.Errorf("order %q, want %q", w.order(), c.order)
			}
			w.entries(t, res)
		})
	}
}

func answering(w *world) func(context.Context, asked) ([]byte, error) { return w.peer }

func refusing(w *world) func(context.Context, asked) ([]byte, error) {
	return func(_ context.Context, a asked) ([]byte, error) { return w.refusal(a, protocol.CodeExpired), nil }
}

func babbling(*world) func(context.Context, asked) ([]byte, error) {
	return func(context.Context, asked) ([]byte, error) { return []byte("yes"), nil }
}
