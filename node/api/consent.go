package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
)

// Consenting is what the API needs to know of consents.
type Consenting interface {
	// WithdrawConsent takes a withdrawal; it is in effect when answered. An error matches
	// node.ErrWithdrawal when it is none.
	WithdrawConsent(ctx context.Context, token string) (node.Withdrawal, error)
}

const withdrawalPath = "/v1/consents/withdrawals"

type withdrawalInput struct{ Body withdrawalRequest }

type withdrawalRequest struct {
	Withdrawal string `json:"withdrawal" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$" doc:"The withdrawal, a compact JWS that the person's key or the office's signed."`
}

type withdrawalOutput struct{ Body withdrawalReport }

type withdrawalReport struct {
	Withdrawn bool   `json:"withdrawn" doc:"True: the consent permits nothing here from now on."`
	Known     bool   `json:"known" doc:"Whether it was withdrawn here before."`
	Peer      string `json:"peer" doc:"Entity Identifier of the other side; empty when a person was enrolled by the consent: there is none then."`
	Told      bool   `json:"told" doc:"Whether the other side has taken it; otherwise this node goes on trying."`
	Erased    int    `json:"erased" doc:"How many people were erased now, whom this consent alone held: those enrolled by it."`
}

func (s *service) withdrawing(b *operation.Book) {
	op := b.Describe("withdraw-consent", http.MethodPost, withdrawalPath, "Withdraw a consent",
		"Takes a withdrawal that the person signed, or the office that attested. It stands when answered, for all nodes of the store, and is handed on to the other side.",
		"Consents", withdrawalReport{Withdrawn: true, Peer: "https://kaz.example", Told: true})
	op.RequestBody = operation.RequestBody("application/json", withdrawalRequest{Withdrawal: "eyJ0.eyJq.AAAA"})
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.withdraw)
	b.Rules.Body(op)
}

func (s *service) withdraw(ctx context.Context, in *withdrawalInput) (*withdrawalOutput, error) {
	w, err := s.node.WithdrawConsent(ctx, in.Body.Withdrawal)
	if errors.Is(err, node.ErrWithdrawal) {
		return nil, problem.New(http.StatusUnprocessableEntity, protocol.CodeConsentInvalid, "It is no withdrawal, not signed by who gave the consent or by an office that policy.offices of this node names, or about a consent of two other nodes.")
	}
	if err != nil {
		return nil, problem.OfStore(err, "Whether it was taken is not known. Send the same again.")
	}
	return &withdrawalOutput{Body: withdrawalReport{true, !w.Fresh, string(w.Peer), w.Told, w.Erased}}, nil
}
