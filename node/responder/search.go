package responder

import (
	"context"

	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
)

// Desk performs the operations that are about somebody of whom no identifier is known. identify.Desk
// does.
type Desk interface {
	// Serve judges a Query of one of them, whose seal the key opens and of which law, asked this,
	// said d: that it may be allowed once the seal is open. What Served says of law holds with an error, too.
	Serve(ctx context.Context, q protocol.Query, key sealing.PrivateKey, asked policy.Request, d policy.Decision) (Served, error)
}

// Served is what came of it.
type Served struct {
	Code       protocol.Code
	Found      protocol.Found
	Decision   policy.Decision // with the seal open
	Modalities string          // what the ledger keeps of what was asked, and
	Consent    string          // of what permitted it; empty when that was not settled
}

// serve is TMG-R-017 and TMG-R-018.
func (r *Responder) serve(ctx context.Context, q protocol.Query, visible policy.Request, d policy.Decision, v *judgement) error {
	if r.cfg.Desk == nil || q.Operation != protocol.OperationIdentify && q.Operation != protocol.OperationResolve {
		return &protocol.Fault{Code: protocol.CodeOperation}
	}
	key, ok := r.sealing[q.SealKey]
	if !ok {
		return &protocol.Fault{Code: protocol.CodeSeal}
	}
	s, err := r.cfg.Desk.Serve(ctx, q, key, visible, d)
	v.Policy = ruleOf(s.Decision)
	v.inputs.Modalities, v.inputs.Consent = s.Modalities, s.Consent
	if err != nil {
		return err
	}
	v.found = s.Found
	switch v.Code = s.Code; v.Code {
	case protocol.CodeCandidates, protocol.CodeNoCandidate:
		v.FMROneIn = s.Decision.FMROneIn
	case protocol.CodeResolved, protocol.CodeNoIdentifier:
	default:
		v.Code = told(v.Code, s.Decision)
	}
	v.Outcome = v.Code.Outcome()
	return nil
}
