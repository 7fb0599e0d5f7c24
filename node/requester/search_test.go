package requester_test

import (
	"context"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/requester"
)

// TestResolvedElsewhere: a register names people of its own country, and of no other.
func TestResolvedElsewhere(t *testing.T) {
	own, foreign := books(t)
	for country, want := range map[string]protocol.Code{"KAZ": protocol.CodeResolved, "UZB": protocol.CodeAnswerInvalid, "KGZ": protocol.CodeAnswerInvalid} {
		w := newWorld(own, foreign)
		who := pseudonym.Identifier{Jurisdiction: country, Type: pseudonym.IDPassport, Value: "SYN1"}
		w.peer = func(_ context.Context, a asked) ([]byte, error) {
			v := verdict(protocol.CodeResolved)
			return a.q.AnswerFound(v, protocol.Found{Subject: who}, w.receipt(w.book, a, v), holderSigning(), start)
		}
		res, err := w.Resolve(t.Context(), requester.Search{Country: "KAZ", Handle: protocol.Handle{1}, Order: "a.b.c", Purpose: "law_enforcement",
			LegalBasis: "court_order", Officer: "o7"})
		if err != nil || res.Code != want || (res.Found.Subject == who) != (want == protocol.CodeResolved) || res.Reply == "" {
			t.Errorf("somebody of %s: %s, %v", country, res.Code, err)
		}
	}
}
