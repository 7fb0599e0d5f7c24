package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/rotation"
)

// Node is what the API needs of a node. Every method is safe for concurrent use.
type Node interface {
	// Verify asks another country's node. An error is a *protocol.Fault with
	// CodeRequest when the request cannot be put; all else is an outcome.
	Verify(ctx context.Context, req requester.Request) (requester.Result, error)
	// Identify asks another country's node of whom a probe may be, and Resolve who a candidate is.
	// Errors are those of Verify.
	Identify(ctx context.Context, s requester.Search) (requester.Result, error)
	Resolve(ctx context.Context, s requester.Search) (requester.Result, error)
	// Enrol stores subjects; a result other than Failed is durable. With an error
	// the results still say which enrolments stand.
	Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error)
	// Plan says what Enrol would do, and changes nothing.
	Plan(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error)
	// Undo takes back what enrolments under batch added; again after an error, the rest.
	Undo(ctx context.Context, batch string) (gallery.Undone, error)
	// Erase destroys all that is held of a subject and returns how many records that were.
	Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error)
	// Finality says when who was just erased is gone from backups of before.
	Finality() registrar.Finality
	// RenewTemplates begins to renew the stored face templates, or joins in, and returns
	// meanwhile.
	RenewTemplates(ctx context.Context) (registrar.Renewal, error)
	// Renewal reports from memory how far that is.
	Renewal() registrar.Renewal
	// TakeUpKeys puts a changed keystore into use, begins what it says is to be retired,
	// and returns meanwhile.
	TakeUpKeys(ctx context.Context) (map[keys.Family]rotation.Retirement, error)
	// Retirements reports from memory how far those are that are under way.
	Retirements() map[keys.Family]rotation.Retirement
	// Replicas are the other nodes of the gallery's store, from memory.
	Replicas() []presence.Other
	// CopyGallery makes another store hold what the gallery does; again after an error,
	// the rest.
	CopyGallery(ctx context.Context, to config.Store, progress func(rows uint64)) (snapshot.Copied, error)
	// CheckGallery begins to read everything that the gallery holds, or joins in, and
	// returns meanwhile.
	CheckGallery() checkup.Progress
	// GalleryCheck reports from memory how far that is.
	GalleryCheck() checkup.Progress
	// VerifyLedger recomputes the node's ledger; an error that matches
	// ledger.ErrTampered is a finding.
	VerifyLedger(ctx context.Context) (ledger.Report, error)
	// Backup streams an encrypted backup to w after recording that in the ledger; with
	// an error what was written is none.
	Backup(ctx context.Context, w io.Writer, recipients []string, progress func(part string, records uint64)) (backup.Manifest, error)
	// Escrow makes a key escrow after recording that in the ledger.
	Escrow(ctx context.Context, recipients []string) ([]byte, backup.Manifest, error)
	Peering
	Consenting
	Lawgiving
	Decoys
	// Officer is the pseudonym of an account of the caller's system.
	Officer(account string) string
	// Status reports the node's state from memory.
	Status() node.Status
	// Jurisdiction is the ISO 3166-1 alpha-3 code of the register the node holds.
	Jurisdiction() string
	guard.Tokens
	// Prove returns what only the holder of each token can compute: HMAC-SHA256 under
	// the token of "tamga/v1/api-proof", a zero byte and challenge.
	Prove(challenge []byte) (api, enrol []byte)
}

var _ Node = (*node.Node)(nil)

// Handler returns the API of n. It may be called more than once; handlers share
// nothing but n.
func Handler(n Node) http.Handler { return handler(n, time.Now) }

func handler(n Node, now func() time.Time) *guard.Guard {
	next, api := build(n, now)
	doc, known := export(api)
	return guard.New(guard.Config{Tokens: n, Routes: routes(), Next: next, Document: doc, Known: known, Now: now})
}

// service holds the operations. It is immutable.
type service struct {
	node    Node
	now     func() time.Time
	ledgers chan struct{} // room for one: recomputing a ledger reads all of it
	undos   chan struct{} // room for one: looking for a batch reads all subjects
	backups chan struct{} // room for one: a backup reads everything
	copies  chan struct{} // room for one: two copies into one store would mix
}

// build registers every operation and returns the mux that serves them, with the
// OpenAPI document and the shapes that problems are explained from.
func build(n Node, now func() time.Time) (http.Handler, huma.API) {
	mux := http.NewServeMux()
	registry := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	rules := problem.NewRulebook(registry)
	format := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	// No CreateHooks, SchemasPath or DocsPath: they add "$schema" members with a URL
	// made from the Host header, and pages that load scripts from elsewhere.
	api := humago.New(mux, huma.Config{
		OpenAPI:       document(registry),
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{rules.Transform, inLanguage},
	})
	s := &service{node: n, now: now, ledgers: make(chan struct{}, 1), undos: make(chan struct{}, 1), backups: make(chan struct{}, 1), copies: make(chan struct{}, 1)}
	s.verification(api, rules)
	s.identification(api, rules)
	s.resolution(api, rules)
	s.enrolment(api)
	s.undoing(api, rules)
	s.erasing(api, rules)
	s.withdrawing(api, rules)
	s.canaries(api, rules)
	s.renewing(api)
	s.keys(api)
	s.checking(api)
	s.copying(api, rules)
	s.peers(api, rules)
	s.law(api, rules)
	s.ledgerVerification(api)
	s.backup(api)
	s.escrow(api)
	s.status(api)
	s.live(api)
	s.ready(api)
	finish(registry)
	return mux, api
}

// marshal writes v. A failing write is the caller's going away, which huma would
// otherwise turn into a panic.
func marshal(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, _ = w.Write(append(b, '\n'))
	}
	return err
}

// unmarshal decodes a body that [scan] accepted. huma calls it twice with the same
// pooled bytes, last into the operation's own type; they are wiped then, as the pool
// would keep a person's data for longer than the request.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if _, first := v.(*any); !first {
		clear(data)
	}
	return err
}
