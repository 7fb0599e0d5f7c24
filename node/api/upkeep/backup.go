package upkeep

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/backup"
)

// backupHeader is the trailer with the manifest of a backup, JSON in base64url. A
// response without it was cut.
const backupHeader = "Tamga-Backup-Manifest"

type backupInput struct {
	Body backupRequest
}

type backupRequest struct {
	Recipients []string `json:"recipients" minItems:"2" maxItems:"32" nullable:"false" doc:"age recipients, all different: any of their identities opens the backup."`
}

func (s service) backup(b *operation.Book) {
	op := b.Describe("backup", http.MethodPost, "/v1/backups", "Take an encrypted backup of the node",
		"Streams a file that `tamga backup verify` and `restore` read, encrypted to at least two recipients, and records that in the ledger. "+
			"No key of the node is in it: take the key escrow afterwards, too. Needs the operator's token. One runs at a time. The trailer "+backupHeader+
			" holds the manifest, JSON in base64url; a response that ends without it is not a backup.", "Operation", nil, ofRecipients())
	op.RequestBody = operation.RequestBody("application/json", backupExample())
	huma.Register(b.API, *op, s.takeBackup)
	op.Responses["200"].Content = binary()
}

// binary describes a file of package node/backup.
func binary() map[string]*huma.MediaType {
	return map[string]*huma.MediaType{backupMedia: {
		Schema:  &huma.Schema{Type: huma.TypeString, Description: "An age file with a label behind it, binary."},
		Example: "age-encryption.org/v1 and so on, in binary",
	}}
}

const backupMedia = "application/octet-stream"

func (s service) takeBackup(ctx context.Context, in *backupInput) (*huma.StreamResponse, error) {
	if _, err := backup.ParseRecipients(in.Body.Recipients); err != nil {
		return nil, ofRecipients()
	}
	select {
	case s.backups <- struct{}{}:
	default:
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded, "A backup is being taken for another caller.")
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer func() { <-s.backups }()
		h.SetHeader("Content-Type", backupMedia)
		m, err := s.node.Backup(ctx, h.BodyWriter(), in.Body.Recipients, nil)
		var payload []byte
		if err == nil {
			payload, err = json.Marshal(m)
		}
		if err != nil {
			// The status is sent; only a broken connection still says that it failed.
			panic(http.ErrAbortHandler)
		}
		h.SetHeader(http.TrailerPrefix+backupHeader, base64.RawURLEncoding.EncodeToString(payload))
	}}, nil
}

type escrowOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s service) escrow(b *operation.Book) {
	op := b.Describe("escrow", http.MethodPost, "/v1/escrows", "Take the key escrow of the node",
		"Returns the node's keys as they are now, sealed under its root key and encrypted to at least two recipients, and records that in the ledger. "+
			"With it and a backup `tamga backup restore` makes the node again. It takes the place of every key escrow of before: "+
			"those hold keys that were destroyed since. Needs the operator's token.", "Operation", nil, ofRecipients())
	op.RequestBody = operation.RequestBody("application/json", backupExample())
	huma.Register(b.API, *op, func(ctx context.Context, in *backupInput) (*escrowOutput, error) {
		if _, err := backup.ParseRecipients(in.Body.Recipients); err != nil {
			return nil, ofRecipients()
		}
		b, _, err := s.node.Escrow(ctx, in.Body.Recipients)
		if err != nil {
			return nil, problem.New(http.StatusInternalServerError, protocol.CodeInternal, "The key escrow could not be made.")
		}
		return &escrowOutput{backupMedia, b}, nil
	})
	op.Responses["200"].Content = binary()
}

func ofRecipients() *problem.Problem {
	return problem.Invalid("/recipients", "must be at least two different age recipients, all of one kind")
}

func backupExample() backupRequest {
	return backupRequest{Recipients: []string{
		"age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg",
		"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
	}}
}
