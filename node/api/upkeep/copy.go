package upkeep

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/stores"
)

type copyInput struct{ Body copyRequest }

type copyRequest struct {
	Engine  string `json:"engine" enum:"badger,postgres" doc:"What is to keep the rows: badger in the node's data folder, or postgres."`
	DSNFile string `json:"dsn_file,omitempty" maxLength:"4096" doc:"For postgres: absolute path, on the node's machine, of the file with the connection string."`
}

type copyOutput struct{ Body copyReport }

type copyReport struct {
	Subjects uint64 `json:"subjects" doc:"Subjects in the copy."`
	Rows     uint64 `json:"rows" doc:"Rows in the copy."`
	Written  uint64 `json:"written" doc:"Rows that this run wrote."`
	Removed  uint64 `json:"removed" doc:"Rows that this run removed, because the gallery has them no more."`
}

func (s service) copying(b *operation.Book) {
	op := b.Describe("copy-gallery", http.MethodPost, "/v1/gallery/copy", "Copy the gallery into another store",
		"Makes another store hold what the gallery holds, while people are enrolled, and reads it back. Cut off, it is sent again and does the rest; sent again later, "+
			"it takes over what changed. Needs the operator's token and leaves a ledger entry. One runs at a time, and a large register takes hours the first time.",
		"Enrolments", copyReport{Subjects: 2, Rows: 10, Written: 10})
	op.RequestBody = operation.RequestBody("application/json", copyRequest{"postgres", "/etc/tamga/store.dsn"})
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.copyGallery)
	b.Rules.Body(op)
}

func (s service) copyGallery(ctx context.Context, in *copyInput) (*copyOutput, error) {
	select {
	case s.copies <- struct{}{}:
		defer func() { <-s.copies }()
	default:
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded, "The gallery is being copied for another caller.")
	}
	if (in.Body.Engine == config.EnginePostgres) != (in.Body.DSNFile != "") {
		return nil, problem.Invalid("/dsn_file", "must be there for postgres, and for nothing else")
	}
	done, err := s.node.CopyGallery(ctx, config.Store{Engine: in.Body.Engine, DSNFile: in.Body.DSNFile}, nil)
	switch {
	case err == nil:
		return &copyOutput{Body: copyReport{done.Subjects, done.Rows, done.Written, done.Removed}}, nil
	case errors.Is(err, snapshot.ErrSameStore):
		return nil, problem.New(http.StatusConflict, protocol.CodeStoreTarget, "It is the store that the gallery is in.")
	case errors.Is(err, snapshot.ErrNotEmpty):
		return nil, problem.New(http.StatusConflict, protocol.CodeStoreTarget, "It holds another gallery, something else, or commits that this gallery has not.")
	case errors.Is(err, stores.ErrDSN), errors.Is(err, store.ErrConnection):
		return nil, problem.New(http.StatusConflict, protocol.CodeStoreTarget, "The file with the connection string, or what it says, is of no use to the node: it must be readable for it and nobody else, one line, and over a network with TLS.")
	}
	return nil, problem.OfStore(err, "The copy is not complete. Send the same again: it does the rest.")
}
