package operation

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/problem"
)

const (
	schemaPrefix = "#/components/schemas/"
	tokenScheme  = "token"
	enrolScheme  = "enrol_token"
)

// document is the frame of the OpenAPI document.
func document(registry huma.Registry) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "Tamga node API",
			Version: "1.0.0",
			Description: "The API of one country's node for the systems of that country. It answers on loopback only; a gateway of " +
				"your own that reaches it from elsewhere sends it `Host: localhost` and no `Origin`. Errors are RFC 9457 problem details and never repeat a submitted value. " +
				"Clients ignore members of responses that they do not know. This document is served at `" + guard.DocumentPath + "`, without a token.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/", Description: "The address listen.api of the node's configuration."}},
		Tags: []*huma.Tag{
			{Name: "Verifications", Description: "Asking other countries' nodes."},
			{Name: "Enrolments", Description: "Filling the node's own gallery."},
			{Name: "Peers", Description: "What the node knows of the other members, and what its operator decides about them."},
			{Name: "Operation", Description: "What an operator and a supervisor look at."},
		},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				tokenScheme: {Type: "http", Scheme: "bearer",
					Description: "The API token, for systems of officers: the content of the node's api-token file. It may ask about people, and no more."},
				enrolScheme: {Type: "http", Scheme: "bearer",
					Description: "The operator's token: the content of the node's enrol-token file. It may enrol and audit, and not ask. Give it to no system of officers."},
			},
		},
	}
}

// Describe documents one operation, of which more are examples of problems that it alone ends in. Its
// answers and other problems follow from what the guard does with its route.
func (b *Book) Describe(id, method, path, summary, description, tag string, example any, more ...*problem.Problem) *huma.Operation {
	op := &huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Description: description, Tags: []string{tag},
		// The guard has read the body, with a limit and a deadline of its own. A deadline
		// that huma sets now would stay, and end the context of an operation that waits
		// for a peer for longer.
		BodyReadTimeout: -1, MaxBodyBytes: -1,
		Responses: map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
			Description: "Done.",
			Content:     map[string]*huma.MediaType{"application/json": {Example: plain(example)}},
		}},
	}
	var rt guard.Route
	for _, r := range b.routes {
		if r.Method == method && r.Path == path {
			rt = r
		}
	}
	if rt.Who == guard.Officer || rt.Who == guard.Local {
		op.Security = append(op.Security, map[string][]string{tokenScheme: {}})
	}
	if rt.Who == guard.Operator || rt.Who == guard.Local {
		op.Security = append(op.Security, map[string][]string{enrolScheme: {}})
	}
	schema := b.API.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem.Problem](), true, "")
	for _, p := range append(problems(id, rt), more...) {
		op.Responses[strconv.Itoa(p.Status)] = &huma.Response{
			Description: http.StatusText(p.Status) + ".",
			Content:     map[string]*huma.MediaType{problem.MediaType: {Schema: schema, Example: plain(p)}},
		}
	}
	return op
}

// problems are examples of what an operation can end in besides 200.
func problems(id string, rt guard.Route) []*problem.Problem {
	list := []*problem.Problem{
		problem.New(http.StatusForbidden, protocol.CodeForeign, "The request carries an Origin header: web pages of other origins may not call this API."),
		problem.New(http.StatusMisdirectedRequest, protocol.CodeForeign, "The Host header must be localhost or a loopback address: this API answers on this machine only."),
		problem.Invalid("", "takes no query parameters"),
	}
	if rt.Who != guard.Anyone {
		list = append(list, problem.New(http.StatusUnauthorized, protocol.CodeUnauthenticated, ""))
	}
	if rt.Who == guard.Officer || rt.Who == guard.Operator {
		list = append(list, guard.Forbidden(rt.Who))
	}
	if rt.Content != "" {
		list = append(list,
			problem.New(http.StatusBadRequest, protocol.CodeNotInTime, "The body could not be read."),
			problem.New(http.StatusRequestTimeout, protocol.CodeNotInTime, "The body did not arrive in time."),
			problem.New(http.StatusConflict, protocol.CodeIdempotency, "The request with this Idempotency-Key is still being worked on."),
			guard.TooLarge(rt),
			problem.New(http.StatusUnsupportedMediaType, protocol.CodeMediaType, "The Content-Type must be "+rt.Content+"."),
			problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded, ""))
	}
	switch id {
	case "verify", "identify", "resolve", "enrol", "undo", "erase", "withdraw-consent", "add-canaries", "canaries", "alarms", "copy-gallery", "verify-ledger", "backup", "escrow", "test-peer", "pause-peer", "resume-peer", "explain-trust", "publish-law", "simulate-law":
		list = append(list, problem.New(http.StatusInternalServerError, protocol.CodeInternal, ""))
	}
	switch id {
	case "enrol", "undo", "erase", "withdraw-consent", "add-canaries":
		list = append(list, problem.New(http.StatusInsufficientStorage, protocol.CodeStoreFull, ""))
	}
	return list
}

// RequestBody describes the body that an operation takes.
func RequestBody(media string, example any) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{media: {Example: plain(example)}}}
}

// ReplayHeader documents an operation whose answers are kept.
func ReplayHeader(op *huma.Operation) {
	op.Responses["200"].Headers = map[string]*huma.Param{guard.Replayed: {
		Description: "Present when the response was kept from an earlier request with the same Idempotency-Key.",
		Schema:      &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}},
	}}
}

// plain turns an example into the JSON values that it is sent as.
func plain(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic("operation: example cannot be encoded")
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic("operation: example cannot be decoded")
	}
	return out
}

// Finish mends the schemas when all operations are there: huma adds its own error
// type although nothing uses it, and closes responses to further members, which
// would make every addition a breaking change.
func (b *Book) Finish() {
	schemas := b.API.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for name, s := range schemas {
		if !isRequest(name) {
			s.AdditionalProperties = nil
		}
	}
}

func isRequest(schema string) bool {
	switch schema {
	case "VerificationRequest", "Subject", "Probe", "BackupRequest", "UndoRequest", "EraseRequest", "WithdrawalRequest", "CanariesRequest", "CopyRequest",
		"IdentificationRequest", "ResolutionRequest", "PeerTestRequest", "PauseRequest", "ResumeRequest", "ExplainRequest", "PublishRequest", "SimulateRequest":
		return true
	}
	return false
}

// Export returns the document as it is served, and every member name that a request
// body can have.
func (b *Book) Export() ([]byte, map[string]bool) {
	doc, err := json.MarshalIndent(b.API.OpenAPI(), "", "  ")
	if err != nil {
		panic("operation: OpenAPI document cannot be encoded")
	}
	known := make(map[string]bool)
	for name, s := range b.API.OpenAPI().Components.Schemas.Map() {
		if isRequest(name) {
			for member := range s.Properties {
				known[member] = member == strings.ToLower(member)
			}
		}
	}
	return append(doc, '\n'), known
}
