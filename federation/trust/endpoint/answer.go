package endpoint

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/tamga-id/tamga/federation/trust"
)

// Operation is one endpoint of OpenID Federation sections 8 and 9: the operation of a
// frame of [PeerProtocol], and over HTTP the path below the Entity Identifier.
type Operation string

// The endpoints.
const (
	// Configuration serves the Entity Configuration (section 9).
	Configuration Operation = "get-entity-configuration"
	// Fetch serves the Subordinate Statement about sub (section 8.1).
	Fetch Operation = "fetch"
	// List serves the immediate subordinates (section 8.2).
	List Operation = "list"
	// Resolve serves the resolved metadata of sub under trust_anchor (section 8.3).
	Resolve Operation = "resolve"
	// MarkStatus serves the status of trust_mark (section 8.4).
	MarkStatus Operation = "trust-mark-status"
	// MarkList serves who holds marks of trust_mark_type (section 8.5).
	MarkList Operation = "trust-mark-list"
	// Mark serves the mark of trust_mark_type of sub (section 8.6).
	Mark Operation = "trust-mark"
	// HistoricalKeys serves the keys used formerly (section 8.7).
	HistoricalKeys Operation = "historical-keys"
	// Listing serves the signed listing of an Intermediate (PROTOCOL.md, TMG-E-015; not of
	// OpenID Federation).
	Listing Operation = "tamga-listing"
)

// operations are all endpoints; POST is the method of the one that takes a token.
var operations = [...]Operation{Configuration, Fetch, List, Resolve, MarkStatus, MarkList, Mark, HistoricalKeys, Listing}

// Path is where the operation is served, below the Entity Identifier.
func (o Operation) Path() string {
	if o == Configuration {
		return trust.WellKnownPath
	}
	return "/" + string(o)
}

func (o Operation) content() string {
	switch o {
	case List, MarkList, Listing:
		return contentJSON
	case Resolve:
		return "application/" + trust.ResolveType
	case MarkStatus:
		return "application/trust-mark-status-response+jwt"
	case Mark:
		return "application/trust-mark+jwt"
	case HistoricalKeys:
		return "application/jwk-set+jwt"
	default:
		return "application/" + trust.StatementType
	}
}

// Request is what somebody asks of an Entity. Values hold the parameters by their
// names in section 8; those not understood are ignored.
type Request struct {
	Operation Operation
	Values    url.Values
}

// Subject is the one sub parameter.
func (r Request) Subject() (trust.EntityID, bool) {
	if len(r.Values["sub"]) != 1 {
		return "", false
	}
	id, err := trust.ParseEntityID(r.Values.Get("sub"))
	return id, err == nil
}

// Code is an error code of section 8.9; empty means success.
type Code string

// The codes in use.
const (
	InvalidRequest       Code = "invalid_request"
	InvalidTrustAnchor   Code = "invalid_trust_anchor"
	InvalidTrustChain    Code = "invalid_trust_chain"
	NotFound             Code = "not_found"
	ServerError          Code = "server_error"
	UnsupportedParameter Code = "unsupported_parameter"
)

// description is the human-readable text of section 8.9: what the code means, and nothing of the request.
func (c Code) description() string {
	switch c {
	case InvalidTrustAnchor:
		return "The Trust Anchor is unknown here: no Trust Chain to it can be resolved."
	case InvalidTrustChain:
		return "The Entity has no valid Trust Chain."
	case NotFound:
		return "There is nothing here about the Entity or Trust Mark asked for."
	case ServerError:
		return "The request cannot be answered now; try again."
	case UnsupportedParameter:
		return "A parameter is not supported here."
	default:
		return "A parameter is missing, or not of the form or the method that this endpoint takes."
	}
}

func (c Code) status() int {
	switch c {
	case "":
		return http.StatusOK
	case InvalidTrustAnchor, NotFound:
		return http.StatusNotFound
	case ServerError:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}

// Response is the answer to a [Request]: a body, or why there is none. The zero
// value is an empty success.
type Response struct {
	Code Code
	Body string
}

// Listed is a list response of identifiers.
func Listed(ids []trust.EntityID) Response {
	if ids == nil {
		ids = []trust.EntityID{}
	}
	b, err := json.Marshal(ids)
	if err != nil {
		panic("endpoint: encoding identifiers: " + err.Error())
	}
	return Response{Body: string(b)}
}

// maxForm bounds the body of a trust mark status request.
const maxForm = 32 << 10

// Handler serves answer over HTTP, below the path of the Entity Identifier or below /
// when that prefix is absent. Unknown paths are not found.
func Handler(id trust.EntityID, answer func(Request) Response) http.Handler {
	prefix := ""
	if u, err := url.Parse(string(id)); err == nil {
		prefix = strings.TrimRight(u.Path, "/")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, prefix)
		for _, o := range operations {
			// A proxy may put a prefix of its own before what everybody may see.
			if o.Path() == path || o == Configuration && strings.HasSuffix(path, o.Path()) {
				serve(w, r, o, answer)
				return
			}
		}
		http.NotFound(w, r)
	})
}

func serve(w http.ResponseWriter, r *http.Request, o Operation, answer func(Request) Response) {
	post := o == MarkStatus
	switch {
	case post && r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		writeError(w, http.StatusMethodNotAllowed, InvalidRequest)
		return
	case !post && r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, http.StatusMethodNotAllowed, InvalidRequest)
		return
	}
	query := r.URL.RawQuery
	if post {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
		if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			writeError(w, http.StatusBadRequest, InvalidRequest)
			return
		}
		query = string(body)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		writeError(w, http.StatusBadRequest, InvalidRequest)
		return
	}
	a := answer(Request{Operation: o, Values: values})
	if a.Code != "" {
		writeError(w, a.Code.status(), a.Code)
		return
	}
	header(w, o.content())
	io.WriteString(w, a.Body)
}

// writeError says nothing beyond the code: details stay with the operator.
func writeError(w http.ResponseWriter, status int, code Code) {
	header(w, contentJSON)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": string(code), "error_description": code.description()})
}

func header(w http.ResponseWriter, content string) {
	w.Header().Set("Content-Type", content)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}
