package api

import (
	"context"
	"net/http"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/law"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/peers"
	"github.com/tamga-id/tamga/node/api/upkeep"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/undo"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/requester"
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
	Undo(ctx context.Context, batch string) (undo.Done, error)
	// Erase destroys all that is held of a subject and returns how many records that were.
	Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error)
	// Finality says when who was just erased is gone from backups of before.
	Finality() registrar.Finality
	peers.Node
	Consenting
	law.Node
	upkeep.Node
	Decoys
	// Officer is the pseudonym of an account of the caller's system.
	Officer(account string) string
	// Status reports the node's state from memory.
	Status() node.Status
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
	next, b := build(n, now)
	doc, known := b.Export()
	return guard.New(guard.Config{Tokens: n, Routes: routes(), Next: next, Document: doc, Known: known, Now: now})
}

// service holds the operations. It is immutable.
type service struct {
	node  Node
	now   func() time.Time
	undos chan struct{} // room for one: looking for a batch reads all subjects
}

// build registers every operation and returns the mux that serves them, with the
// book that the OpenAPI document is made from.
func build(n Node, now func() time.Time) (http.Handler, *operation.Book) {
	b, mux := operation.New(routes())
	s := &service{node: n, now: now, undos: make(chan struct{}, 1)}
	ledgers := make(chan struct{}, 1) // room for one: who reads all of a ledger
	s.verification(b)
	s.identification(b)
	s.resolution(b)
	s.enrolment(b)
	s.undoing(b)
	s.erasing(b)
	s.withdrawing(b)
	s.canaries(b)
	s.status(b)
	s.live(b)
	s.ready(b)
	upkeep.Register(b, n, ledgers)
	peers.Register(b, n)
	law.Register(b, n, ledgers)
	b.Finish()
	return mux, b
}
