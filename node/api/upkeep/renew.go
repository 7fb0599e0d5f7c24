package upkeep

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/registrar"
)

type renewalOutput struct{ Body renewal }

type renewal struct {
	State      string   `json:"state" enum:"idle,running,done,failed" doc:"Idle: none since the node was started. Failed: tried again by itself; nothing was lost."`
	Generation uint32   `json:"generation" minimum:"1" doc:"Of the secret that templates are stored under, or will be when it is done."`
	Resumed    bool     `json:"resumed" doc:"Whether this goes on with one that was begun before and cut off; no other secret was made."`
	Looked     uint64   `json:"looked" doc:"Subjects that were looked at."`
	Renewed    uint64   `json:"renewed" doc:"Of them, those who had a template under another secret."`
	Subjects   uint64   `json:"subjects" doc:"How many people are enrolled."`
	Destroyed  []uint32 `json:"destroyed" nullable:"false" doc:"Generations of the secret that are gone from the keystore, once it is done."`
	Code       string   `json:"code,omitempty" pattern:"^TMG-[A-Z]{3}-[0-9]{4}$" doc:"What keeps it from being done; absent unless failed."`
	Title      string   `json:"title,omitempty" doc:"What the code means, in one sentence."`
	Next       string   `json:"next,omitempty" doc:"What to do now."`
}

const renewalPath = "/v1/templates/renewal"

func renewalExample() renewal {
	return renewal{State: "running", Generation: 2, Looked: 250_000, Renewed: 250_000, Subjects: 1_000_000, Destroyed: []uint32{}}
}

func (s service) renewing(b *operation.Book) {
	start := b.Describe("renew-templates", http.MethodPost, renewalPath, "Renew the stored face templates",
		"Makes a new secret, moves every stored face template to it while the node goes on, and then destroys the old secret. "+
			"Answers at once; ask for the state to see how far it is. One that is under way, or was cut off, goes on, and no other secret is made. "+
			"Needs the operator's token and leaves a ledger entry.", "Operation", renewalExample())
	start.DefaultStatus = http.StatusOK
	huma.Register(b.API, *start, s.renew)
	look := b.Describe("renewal", http.MethodGet, renewalPath, "How far the renewal is",
		"From memory. Needs the operator's token.", "Operation", renewalExample())
	huma.Register(b.API, *look, func(context.Context, *struct{}) (*renewalOutput, error) {
		return &renewalOutput{Body: newRenewal(s.node.Renewal())}, nil
	})
}

func (s service) renew(ctx context.Context, _ *struct{}) (*renewalOutput, error) {
	r, err := s.node.RenewTemplates(ctx)
	switch {
	case err == nil:
	case errors.Is(err, custody.ErrBusy):
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeStoreLocked, "Another command is changing the keystore. Nothing was begun.")
	case errors.Is(err, custody.ErrRoot):
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeCustody,
			"The root key that the node holds does not open the keystore: it was replaced, or the keystore was. Start the node anew, or put the keystore back.")
	case protocol.CodeOf(err) == protocol.CodeLedgerUnavailable:
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeLedgerUnavailable, "Nothing was begun.")
	default:
		return nil, problem.New(http.StatusInternalServerError, protocol.CodeInternal, "Whether it was begun is not known. Ask for the state, or send the same again.")
	}
	return &renewalOutput{Body: newRenewal(r)}, nil
}

func newRenewal(r registrar.Renewal) renewal {
	out := renewal{State: string(r.State), Generation: r.Generation, Resumed: r.Resumed, Looked: r.Looked, Renewed: r.Renewed,
		Subjects: r.Subjects, Destroyed: append([]uint32{}, r.Destroyed...)}
	if r.State == registrar.RenewalFailed {
		e, _ := protocol.Lookup(keyCode(r.Err))
		out.Code, out.Title, out.Next = string(e.Code), e.Title, e.Next
	}
	return out
}

// In implements operation.Spoken.
func (r renewal) In(language string) any {
	operation.Say(language, r.Code, &r.Title, &r.Next)
	return r
}
