package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/gallery"
)

type eraseInput struct{ Body eraseRequest }

type eraseRequest struct {
	Subject subject `json:"subject" doc:"Whom to erase from the own register."`
}

type eraseOutput struct{ Body eraseReport }

type eraseReport struct {
	Erased  bool `json:"erased" doc:"False when nobody is enrolled under this number."`
	Records int  `json:"records" minimum:"0" doc:"Templates that were destroyed."`
	// Of backups that were taken before.
	FinalKEK uint32     `json:"final_kek,omitempty" doc:"Backups from before open until this generation of the KEK, and those before it, are retired and the key escrows of before are destroyed."`
	FinalBy  *time.Time `json:"final_by,omitempty" doc:"When kek.retention has it retired at the latest; absent when only an operator does."`
}

func (s *service) erasing(b *operation.Book) {
	at := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
	op := b.Describe("erase", http.MethodPost, "/v1/subjects/erase", "Erase a subject",
		"Destroys everything that the own register holds of a person: key, templates, findings and holder key. It stands when answered, past a crash and past older copies "+
			"of the data folder. Needs the operator's token and leaves a ledger entry that names nobody. The person can be enrolled anew.",
		"Enrolments", eraseReport{Erased: true, Records: 3, FinalKEK: 7, FinalBy: &at})
	op.RequestBody = operation.RequestBody("application/json", eraseRequest{Subject: subject{"KAZ", "passport", "N1234567"}})
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.erase)
	b.Rules.Body(op)
}

func (s *service) erase(ctx context.Context, in *eraseInput) (*eraseOutput, error) {
	b := in.Body.Subject
	id, err := pseudonym.Identifier{Jurisdiction: b.Jurisdiction, Type: b.Type, Value: b.Value}.Normalize()
	if err != nil {
		return nil, problem.Invalid("/subject/value", "must be 1 to 32 of A-Z and 0-9 besides spaces, hyphens, underscores and full stops")
	}
	n, err := s.node.Erase(ctx, id)
	if errors.Is(err, gallery.ErrUnknownSubject) {
		return &eraseOutput{}, nil
	}
	if err != nil {
		return nil, problem.OfStore(err, "Whether it was erased is not known. Send the same again.")
	}
	f := s.node.Finality()
	out := eraseReport{Erased: true, Records: n, FinalKEK: f.KEK}
	if !f.By.IsZero() {
		out.FinalBy = &f.By
	}
	return &eraseOutput{Body: out}, nil
}
