package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/crypto/pseudonym"
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
}

func (s *service) erasing(api huma.API, rules *rulebook) {
	op := operation(api, "erase", http.MethodPost, "/v1/subjects/erase", "Erase a subject",
		"Destroys everything that the own register holds of a person: key, templates, findings and holder key. It stands when answered, past a crash and past older copies "+
			"of the data folder. Needs the operator's token and leaves a ledger entry that names nobody. The person can be enrolled anew.",
		"Enrolments", eraseReport{Erased: true, Records: 3})
	op.RequestBody = requestBody("application/json", eraseRequest{Subject: subject{"KAZ", "passport", "N1234567"}})
	op.DefaultStatus = http.StatusOK
	huma.Register(api, *op, s.erase)
	rules.bodies[op.OperationID] = rules.resolve(op.RequestBody.Content["application/json"].Schema)
}

func (s *service) erase(ctx context.Context, in *eraseInput) (*eraseOutput, error) {
	b := in.Body.Subject
	id, err := pseudonym.Identifier{Jurisdiction: b.Jurisdiction, Type: b.Type, Value: b.Value}.Normalize()
	if err != nil {
		return nil, invalid("/subject/value", "must be 1 to 32 of A-Z and 0-9 besides spaces, hyphens, underscores and full stops")
	}
	n, err := s.node.Erase(ctx, id)
	if errors.Is(err, gallery.ErrUnknownSubject) {
		return &eraseOutput{}, nil
	}
	if err != nil {
		return nil, ofStore(err, "Whether it was erased is not known. Send the same again.")
	}
	return &eraseOutput{Body: eraseReport{true, n}}, nil
}
