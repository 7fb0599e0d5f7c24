// Package operation describes the operations of the API in its OpenAPI 3.1 document and
// registers them with huma, so that what is documented is what is served.
//
// [New] makes a Book; packages of operations add theirs with Describe and huma.Register, or
// [Post]; Finish and Export end it.
//
// Not here: the operations, and what is refused before one is reached (node/api/guard).
package operation

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/problem"
)

// Book is where operations are registered, by one goroutine.
type Book struct {
	API   huma.API
	Rules *problem.Rulebook // the shapes that problems are explained from

	routes []guard.Route
}

// New returns a Book of the operations that are reached by routes, and the handler that serves them.
func New(routes []guard.Route) (*Book, http.Handler) {
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
	return &Book{API: api, Rules: rules, routes: routes}, mux
}

// Post registers an operation that takes a JSON body and answers 200.
func Post[I, O any](b *Book, op *huma.Operation, example any, do func(context.Context, *I) (*O, error)) {
	op.RequestBody = RequestBody("application/json", example)
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, do)
	b.Rules.Body(op)
}

// List keeps null out of responses.
func List(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
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

// unmarshal decodes a body that the guard accepted. huma calls it twice with the same
// pooled bytes, last into the operation's own type; they are wiped then, as the pool
// would keep a person's data for longer than the request.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if _, first := v.(*any); !first {
		clear(data)
	}
	return err
}
