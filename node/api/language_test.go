package api_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/protocol/sentences"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/requester"
)

// TestAcceptLanguage: outcomes, problems of operations and what the guard refuses carry the operator's sentence in the
// language that was asked for; codes and members stay as they are.
func TestAcceptLanguage(t *testing.T) {
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		return requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Refused, Code: protocol.CodeLaw}}, nil
	}}
	h := api.Handler(n)
	for name, c := range map[string]struct {
		path, body string
		edit       func(*http.Request)
		code       protocol.Code
	}{
		"outcome":   {"/v1/verifications", asking, func(*http.Request) {}, protocol.CodeLaw},
		"operation": {"/v1/verifications", `{"subject":{}}`, func(*http.Request) {}, protocol.CodeRequest},
		"guard":     {"/v1/verifications", asking, func(r *http.Request) { r.Header.Del("Authorization") }, protocol.CodeUnauthenticated},
		"nowhere":   {"/v1/nothing", "{}", func(*http.Request) {}, protocol.CodeNotFound},
	} {
		for accept, language := range map[string]string{"": "en", "ru-KG, en;q=0.5": "ru", "de": "en", "en, ru": "en"} {
			r := newRequest("POST", c.path, c.body)
			if c.edit(r); accept != "" {
				r.Header.Set("Accept-Language", accept)
			}
			res, body := send(t, h, r)
			e, _ := protocol.Lookup(c.code)
			e = sentences.In(language, e)
			if body["code"] != string(c.code) || body["title"] != e.Title || body["next"] != e.Next || res.Header.Get("Vary") != "Accept-Language" {
				t.Errorf("%s in %q: %v, want %q", name, accept, body, e.Title)
			}
		}
	}
}
