package upkeep

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
)

type ledgerOutput struct{ Body ledgerReport }

type ledgerReport struct {
	OK         bool    `json:"ok" doc:"Whether the entries on disk are those that were signed."`
	Size       uint64  `json:"size" doc:"Number of entries that were read and hashed; 0 when not ok."`
	Root       string  `json:"root,omitempty" doc:"Tree hash computed from them, base64; absent when not ok."`
	FirstBad   *uint64 `json:"first_bad,omitempty" doc:"Index of the first bad entry; absent when ok, or when the damage cannot be pinned to one."`
	RolledBack bool    `json:"rolled_back,omitempty" doc:"Set when entries that were acknowledged are gone from the end."`
	Code       string  `json:"code,omitempty" pattern:"^TMG-[A-Z]{3}-[0-9]{4}$" doc:"The finding; absent when ok."`
	Title      string  `json:"title,omitempty" doc:"What the code means, in one sentence."`
	Next       string  `json:"next,omitempty" doc:"What to do now."`
}

func (s service) ledgerVerification(b *operation.Book) {
	op := b.Describe("verify-ledger", http.MethodPost, "/v1/ledger/verifications", "Recompute the node's ledger",
		"Reads every entry, recomputes the tree and compares it with what was signed. Needs the operator's token. One runs at a time; a long ledger takes minutes. "+
			"A finding is data: the response is 200 with `ok` false.", "Operation", ledgerExample(), busyLedger())
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.verifyLedger)
}

func (s service) verifyLedger(ctx context.Context, _ *struct{}) (*ledgerOutput, error) {
	select {
	case s.ledgers <- struct{}{}:
		defer func() { <-s.ledgers }()
	default:
		return nil, busyLedger()
	}
	r, err := s.node.VerifyLedger(ctx)
	if err == nil {
		return &ledgerOutput{Body: ledgerReport{OK: true, Size: r.Size, Root: base64.StdEncoding.EncodeToString(r.Root[:])}}, nil
	}
	if !errors.Is(err, ledger.ErrTampered) {
		return nil, problem.New(http.StatusInternalServerError, protocol.CodeInternal, "The ledger could not be read to its end.")
	}
	e, _ := protocol.Lookup(protocol.CodeLedgerTampered)
	body := ledgerReport{Code: string(e.Code), Title: e.Title, Next: e.Next, RolledBack: errors.Is(err, ledger.ErrRolledBack)}
	if t, ok := errors.AsType[*ledger.TamperError](err); ok && t.Entry >= 0 {
		at := uint64(t.Entry)
		body.FirstBad = &at
	}
	return &ledgerOutput{Body: body}, nil
}

func busyLedger() *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded, "The ledger is being recomputed for another caller.")
}

func ledgerExample() ledgerReport {
	return ledgerReport{OK: true, Size: 42, Root: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}
}

// In implements operation.Spoken.
func (r ledgerReport) In(language string) any {
	operation.Say(language, r.Code, &r.Title, &r.Next)
	return r
}
