package responder_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
)

// TestPresentedChain: a Trust Chain in a Query stands in where this node could not tell,
// or knows older keys, and nowhere else.
func TestPresentedChain(t *testing.T) {
	good := trust.Node{EntityID: asker, Jurisdiction: "UZB", PeerID: string(askerKey), SigningKeys: jose.NewKeySet(strangerSigning().Public())}
	other, elsewhere := good, good
	other.EntityID, elsewhere.PeerID = "https://tjk.example", "peer-of-tjk"
	for _, tc := range []struct {
		name    string
		known   error // what the directory says
		chain   []string
		node    trust.Node
		err     error
		trusted bool
	}{
		{"new-key", nil, []string{"x"}, good, nil, true},
		{"expired", trust.ErrExpired, []string{"x"}, good, nil, true},
		{"undetermined", trust.ErrUndetermined, []string{"x"}, good, nil, true},
		{"no-member", trust.ErrNotMember, []string{"x"}, good, nil, false},
		{"no-chain", trust.ErrExpired, nil, good, nil, false},
		{"refused", nil, []string{"x"}, trust.Node{}, errors.New("refused"), false},
		{"other-entity", trust.ErrExpired, []string{"x"}, other, nil, false},
		{"other-peer", nil, []string{"x"}, elsewhere, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld()
			w.law.d = policy.Decision{}
			w.members.err = tc.known
			w.presented = func(chain []string, _ time.Time) (trust.Node, error) {
				if len(chain) != 1 || chain[0] != "x" {
					t.Errorf("got chain %v", chain)
				}
				return tc.node, tc.err
			}
			w.clock.set(start.Add(-time.Hour))
			w.Responder = w.build(w.clock.Now)
			w.clock.set(start)
			_, q := traveller()
			p, err := protocol.AskWithChain(q.env, q.question, q.to.Public(), strangerSigning(), tc.chain, start)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Handle(t.Context(), q.from, p.Frame); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(w.reached(), "law"); got != tc.trusted {
				t.Errorf("got trusted %v, reached %q", got, w.reached())
			}
		})
	}
}
