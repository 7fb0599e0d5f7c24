package requester_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/requester"
)

// TestProof: a responder that says that it cannot tell who is a member is asked once more,
// with the Trust Chain; whoever says no is not.
func TestProof(t *testing.T) {
	own, foreign := books(t)
	for code, times := range map[protocol.Code]int{
		protocol.CodeTrustUndetermined: 2, protocol.CodeChainExpired: 2, protocol.CodeNotMember: 1, protocol.CodeSignature: 1,
	} {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(own, foreign)
			w.Requester = requester.New(requester.Config{Self: self, Country: "UZB", Signing: selfSigning(), Directory: w, Law: w, Ledger: w,
				Exchanger: w, Now: w.clock, Logger: slog.New(slog.DiscardHandler), Proof: func() []string { return []string{"a.b.c", "d.e.f"} }})
			var brought [][]string
			w.peer = func(_ context.Context, a asked) ([]byte, error) {
				u, err := protocol.ParseQuery(a.frame)
				if err != nil {
					t.Fatal(err)
				}
				brought = append(brought, u.TrustChain())
				if len(brought) < times || times == 1 {
					return w.refusal(a, code), nil
				}
				return w.answer(a, verdict(protocol.CodeMatched)), nil
			}
			res, err := w.Verify(t.Context(), request())
			want := code
			if times == 2 {
				want = protocol.CodeMatched
			}
			if err != nil || res.Code != want || len(brought) != times || brought[0] != nil {
				t.Fatalf("got %s, %v after %d Queries, the first with %v", res.Code, err, len(brought), brought[0])
			}
			if times == 2 && !slices.Equal(brought[1], []string{"a.b.c", "d.e.f"}) {
				t.Errorf("brought %v", brought[1])
			}
		})
	}
}
