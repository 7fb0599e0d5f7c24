package conformance

import (
	"context"
	"slices"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
)

// Registries of PROTOCOL.md section 9.
var purposes, legalBases = vocabulary.Purposes(), vocabulary.LegalBases()

// lawCases ask what the target's law does not allow, TMG-R-007 and TMG-R-008.
func lawCases() []Case {
	return []Case{
		{ID: "TMG-CONF-R-010", Title: "a purpose that no law knows is refused, with policy and article", Negative: true, Requirements: []string{"TMG-R-007"},
			Hint: "Default is deny; the refusal names the act and article that say so.", steps: unlawful(claim("purpose", "no_such_purpose"))},
		{ID: "TMG-CONF-R-011", Title: "a legal basis that no law knows is refused, with policy and article", Negative: true, Requirements: []string{"TMG-R-007"},
			Hint: "Default is deny; the refusal names the act and article that say so.", steps: unlawful(claim("legal_basis", "no_such_basis"))},
		{ID: "TMG-CONF-R-012", Title: "purposes that the metadata does not list are refused on every legal basis", Negative: true,
			Requirements: []string{"TMG-R-007", "TMG-E-001"}, steps: unlisted, Hint: "Metadata and law disagree."},
		{ID: "TMG-CONF-R-013", Title: "law decides before the seal is opened", Negative: true, Requirements: []string{"TMG-R-007"},
			Hint: "What the law does not allow must not be opened.",
			steps: unlawful(func(s *session, d *draft) error {
				d.Claims["purpose"], d.Sealed = "no_such_purpose", flipped(s)
				return nil
			})},
		{ID: "TMG-CONF-R-014", Title: "an operation that the protocol does not define is not performed", Negative: true,
			Requirements: []string{"TMG-R-007", "TMG-R-008"},
			steps:        answers(claim("operation", "no_such_operation"), protocol.CodeLaw, protocol.CodeOperation)},
		{ID: "TMG-CONF-R-017", Title: "nobody is searched for on a person's consent", Negative: true, Requirements: []string{"TMG-R-017", "TMG-A-009"},
			Hint:  "Only a court's order or a vital interest lets a register be searched, whatever the law says.",
			steps: answers(searchOn("consent"), protocol.CodeLaw, protocol.CodeOperation, protocol.CodeSearchGround)},
		{ID: "TMG-CONF-R-018", Title: "the sealed part of a verification searches for nobody", Negative: true,
			Requirements: []string{"TMG-R-017", "TMG-Q-016"}, Hint: "The sealed part of an identify is another one, and needs an order of two officers.",
			steps: answers(searchOn("vital_interest"), protocol.CodeLaw, protocol.CodeOperation, protocol.CodeSealedContent)},
	}
}

// searchOn has the Query ask for a search on a legal basis.
func searchOn(basis string) fault {
	return func(_ *session, d *draft) error {
		d.Claims["operation"], d.Claims["purpose"], d.Claims["legal_basis"] = protocol.OperationIdentify, "humanitarian_aid", basis
		return nil
	}
}

func unlawful(f fault) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		d, err := s.Mated(s.Target.Ground())
		if err != nil {
			return err
		}
		if err := f(s, d); err != nil {
			return err
		}
		return lawRefuses(ctx, s, d)
	}
}

func lawRefuses(ctx context.Context, s *session, d *draft) error {
	r, err := s.Answered(ctx, d, protocol.CodeLaw)
	if err != nil {
		return err
	}
	if r.Policy.Law == "" || r.Policy.ID == "" || r.Policy.Article == "" {
		return exchange.Broke("TMG-R-007", "law, policy and article of the refusal", "a refusal without")
	}
	return nil
}

func unlisted(ctx context.Context, s *session) error {
	tried := false
	for _, purpose := range purposes {
		if slices.Contains(s.Target.Purposes, purpose) {
			continue
		}
		for _, basis := range legalBases {
			d, err := s.Mated(party.Ground{Purpose: purpose, LegalBasis: basis})
			if err != nil {
				return err
			}
			if err := lawRefuses(ctx, s, d); err != nil {
				return err
			}
			tried = true
		}
	}
	if !tried {
		return &skip{Reason: "the target's metadata lists every purpose of the registry"}
	}
	return nil
}
