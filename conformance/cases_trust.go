package conformance

import (
	"context"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/federation/trust"
)

// trustCases look at what a node says about itself, TMG-E-001 and TMG-E-006.
func trustCases() []Case {
	own := func(s *session) any { return trustRequest("get-entity-configuration", s.Target.Entity) }
	return []Case{
		{ID: "TMG-CONF-E-001", Title: "the node hands out its Entity Configuration, complete", Requirements: []string{"TMG-E-001", "TMG-E-006", "TMG-E-014"},
			steps: configuration},
		{ID: "TMG-CONF-E-002", Title: "of another Entity it says not-found", Negative: true, Requirements: []string{"TMG-E-006"},
			steps: status("not-found", func(*session) any { return trustRequest("get-entity-configuration", "https://elsewhere.example") }, nil)},
		{ID: "TMG-CONF-E-003", Title: "an operation that does not exist is malformed", Negative: true, Requirements: []string{"TMG-E-006"},
			steps: status("malformed", func(s *session) any { return trustRequest("get-everything", s.Target.Entity) }, nil)},
		{ID: "TMG-CONF-E-004", Title: "an encoding that is not deterministic is malformed", Negative: true, Requirements: []string{"TMG-E-006"},
			steps: status("malformed", own, longForm)},
		{ID: "TMG-CONF-E-005", Title: "bytes behind the request are malformed", Negative: true, Requirements: []string{"TMG-E-006"},
			steps: status("malformed", own, func(b []byte) []byte { return append(b, 0) })},
	}
}

func trustRequest(operation, entity string) map[uint64]any {
	return map[uint64]any{1: operation, 2: entity}
}

// trustReply is { 1: status, ? 2: tstr }.
type trustReply struct {
	Status string  `cbor:"1,keyasint"`
	Token  *string `cbor:"2,keyasint,omitempty"`
}

// ask sends one frame of /tamga/trust/1, after edit, and wants the status.
func ask(ctx context.Context, s *session, request any, edit func([]byte) []byte, want string) (trustReply, error) {
	var r trustReply
	if s.Tester.Trust == nil {
		return r, &skip{Reason: "the tester has no line for /tamga/trust/1"}
	}
	frame, err := wire.Deterministic(request)
	if err != nil {
		return r, err
	}
	if edit != nil {
		frame = edit(frame)
	}
	raw, err := s.Tester.Trust.Exchange(ctx, frame)
	if err != nil {
		return r, exchange.Broke("", "status "+want, "no reply")
	}
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil {
		return r, err
	}
	if err := mode.Unmarshal(raw, &r); err != nil {
		return r, exchange.Broke("", "the CBOR map of a status and at most a token", "something else")
	}
	if r.Status != want || (want == "ok") != (r.Token != nil) {
		return r, exchange.Broke("", "status "+want, "another status, or a token where none belongs")
	}
	return r, nil
}

func status(want string, request func(*session) any, edit func([]byte) []byte) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		_, err := ask(ctx, s, request(s), edit, want)
		return err
	}
}

// configuration asks for the node's statement and compares it with what the Trust
// Chain said. Its signature is for the chain to verify.
func configuration(ctx context.Context, s *session) error {
	r, err := ask(ctx, s, trustRequest("get-entity-configuration", s.Target.Entity), nil, "ok")
	if err != nil {
		return err
	}
	statement, err := trust.ParseStatement(*r.Token)
	if err != nil {
		return exchange.Broke("TMG-E-006", "an Entity Configuration", "something else")
	}
	m, err := statement.Metadata()
	if err != nil || m.TamgaNode == nil || !statement.IsConfiguration() || string(statement.Subject()) != s.Target.Entity {
		return exchange.Broke("TMG-E-001", "the target's own statement with metadata of type tamga_node", "another statement")
	}
	n := m.TamgaNode
	switch {
	case n.Jurisdiction != s.Target.Jurisdiction || n.PeerID == "" || n.Ledger == nil || len(n.SealingKeys) == 0:
		return exchange.Broke("TMG-E-001", "jurisdiction, peer_id, sealing_keys and ledger", "one missing or of another node")
	case !slices.Contains(n.Revisions, Revision):
		return exchange.Broke("TMG-E-001", "revision 1 among the revisions", "others")
	case len(statement.AuthorityHints()) == 0:
		return exchange.Broke("TMG-E-001", "authority_hints that name a superior", "none")
	}
	if _, err := statement.Node(); err != nil {
		return exchange.Broke("TMG-E-014", "metadata that holds together, with a proof for every peer ID", "a proof missing or wrong, or a member that is malformed")
	}
	for _, k := range s.Target.Peer.Keys.Keys() {
		if _, ok := n.Keys.Key(k.KeyID()); ok {
			return nil
		}
	}
	return exchange.Broke("TMG-E-001", "a signing key that the Trust Chain knows", "others")
}
