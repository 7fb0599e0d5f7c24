// Package problem puts what is wrong with a request into RFC 9457 problem details.
//
// Every text of a problem is a constant of the program or of the schema: it says where a
// request breaks which rule, and never repeats a submitted value.
package problem

import (
	"encoding/json"
	"net/http"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/protocol/sentences"
)

// Problem is an RFC 9457 problem detail. Every text in it is a constant of the
// program or of the schema.
type Problem struct {
	Type   string      `json:"type" doc:"Stable identifier of the kind of problem: urn:tamga:problem: and the code." format:"uri"`
	Title  string      `json:"title" doc:"What the code means, in one sentence."`
	Status int         `json:"status" doc:"The HTTP status."`
	Detail string      `json:"detail,omitempty" doc:"What it means here. Never a submitted value."`
	Code   string      `json:"code" doc:"Code from the registry; tamga help CODE explains it." pattern:"^TMG-[A-Z]{3}-[0-9]{4}$"`
	Next   string      `json:"next" doc:"What to do now."`
	Errors []Violation `json:"errors,omitempty" nullable:"false" doc:"Where the request breaks the schema, and which rule. At most 32 are listed."`
}

// Violation is one broken rule.
type Violation struct {
	Pointer string `json:"pointer" doc:"JSON Pointer (RFC 6901) into the request body; empty for the whole of it, or for what is not in the body."`
	Rule    string `json:"rule" doc:"The rule that is broken, in words. Never a submitted value."`
}

// maxViolations bounds a problem: more would not help anybody mend a request.
const maxViolations = 32

// MediaType is that of a problem.
const MediaType = "application/problem+json"

// New is the problem of a code, with the registry's words for it.
func New(status int, code protocol.Code, detail string, errs ...Violation) *Problem {
	e, _ := protocol.Lookup(code)
	return &Problem{
		Type: "urn:tamga:problem:" + string(code), Title: e.Title, Status: status, Detail: detail,
		Code: string(code), Next: e.Next, Errors: errs[:min(len(errs), maxViolations)],
	}
}

// Invalid is the problem of a request that breaks one rule of the schema.
func Invalid(pointer, rule string) *Problem {
	return New(http.StatusUnprocessableEntity, protocol.CodeRequest, "", Violation{pointer, rule})
}

func (p *Problem) Error() string { return p.Code }

// GetStatus makes a problem an error that huma writes as it is.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of a problem.
func (p *Problem) ContentType(string) string { return MediaType }

// In is the problem with the registry's words in the language; what is of the API alone, detail and rules, stays English.
func (p *Problem) In(language string) *Problem {
	e, ok := protocol.Lookup(protocol.Code(p.Code))
	if !ok {
		return p
	}
	other := *p
	e = sentences.In(language, e)
	other.Title, other.Next = e.Title, e.Next
	return &other
}

// Write answers with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", MediaType)
	w.WriteHeader(p.Status)
	if b, err := json.Marshal(p); err == nil {
		_, _ = w.Write(append(b, '\n')) // failing, the caller has gone away
	}
}
