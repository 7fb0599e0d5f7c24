package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
)

type undoInput struct{ Body undoRequest }

type undoRequest struct {
	Batch string `json:"batch" minLength:"16" maxLength:"16" pattern:"^[a-z2-7]{16}$" doc:"The import, as it was sent in Tamga-Batch."`
}

type undoOutput struct{ Body undoReport }

type undoReport struct {
	Subjects int `json:"subjects" minimum:"0" doc:"Subjects of whom nothing was left, and who are not enrolled any more."`
	Reduced  int `json:"reduced" minimum:"0" doc:"Subjects of whom there is something left that did not come from this import."`
	Records  int `json:"records" minimum:"0" doc:"Templates removed from both."`
}

func (s *service) undoing(b *operation.Book) {
	op := b.Describe("undo", http.MethodPost, "/v1/enrolments/undo", "Take an import back",
		"Removes everything that enrolments with this `Tamga-Batch` added: templates, findings and holder keys. What other imports brought stays. "+
			"Needs the operator's token. One runs at a time, beside enrolments, and a large register takes minutes; "+
			"cut off, it is sent again and does the rest. A batch that added nothing, or is unknown, is all zeros.",
		"Enrolments", undoReport{Subjects: 2, Reduced: 1, Records: 5})
	op.RequestBody = operation.RequestBody("application/json", undoRequest{Batch: "abcdefghijklmnop"})
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.undo)
	b.Rules.Body(op)
}

func (s *service) undo(ctx context.Context, in *undoInput) (*undoOutput, error) {
	select {
	case s.undos <- struct{}{}:
		defer func() { <-s.undos }()
	default:
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded, "An import is being taken back for another caller.")
	}
	done, err := s.node.Undo(ctx, in.Body.Batch)
	if err != nil {
		return nil, problem.OfStore(err, "Not everything was taken back. Send the same again: it does the rest.")
	}
	return &undoOutput{Body: undoReport{done.Subjects, done.Reduced, done.Records}}, nil
}
