package responder_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/responder"
)

// A Query from somebody who is no member is refused, with a reply that its sender
// can verify, and reaches neither law nor gallery.
func Example() {
	r := responder.New(responder.Config{
		Self: self, Country: "KAZ", Signing: selfSigning(), Sealing: []sealing.PrivateKey{currentSealing()},
		Members: &members{trace: new(trace), err: trust.ErrNotMember}, Law: new(policy.Law),
		Gallery: &register{trace: new(trace)}, Ledger: &book{trace: new(trace)},
		Replay: new(responder.ReplayMemory), Now: (&clock{at: start}).Now, Logger: slog.New(slog.DiscardHandler),
	})
	query := about(person(7), faceProbe(person(7).FaceProbe(1)))
	pending, err := protocol.AskExactly(query.env, query.question, currentSealing().Public(), strangerSigning(), must(sealing.GenerateKey()))
	if err != nil {
		fmt.Println(err)
		return
	}
	reply, err := r.Handle(context.Background(), "peer-of-nobody", pending.Frame)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := pending.Reply(reply, peer(), start)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Outcome, answer.Code)
	fmt.Println(answer.Code.Title())
	// Output:
	// refused TMG-TRU-0001
	// The sender is not a member of the federation.
}
