package unseal

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/internal/loopback"
)

// Path is where shares are taken and progress is told.
const Path = "/v1/unseal"

// Problem is the RFC 9457 problem detail of a sealed node.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code"`
	Next   string `json:"next"`
}

// Handler answers /livez and /healthz with 200 and "sealed", /readyz and everything
// else with 503, and takes shares at [Path]. It needs no token: tokens are sealed,
// a share is of use only to its ceremony's node, and a bad one changes nothing.
func (s *Sealed) Handler() http.Handler {
	mux := http.NewServeMux()
	health := func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, "application/json", map[string]bool{"ok": true, "sealed": true})
	}
	mux.HandleFunc("GET /livez", health)
	mux.HandleFunc("GET /healthz", health)
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, "application/json", s.Progress())
	})
	mux.HandleFunc("POST "+Path, s.take)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusServiceUnavailable, protocol.CodeSealed, "")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		// As in node/api: no page of another origin and no name that was rebound.
		if _, ok := r.Header["Origin"]; ok || !loopback.Host(r.Host) {
			refuse(w, http.StatusForbidden, protocol.CodeForeign, "")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Sealed) take(w http.ResponseWriter, r *http.Request) {
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ceremony.MaxSealed))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, protocol.CodeTooLarge, "")
		return
	}
	p, err := s.Add(message)
	if err != nil {
		status, detail := http.StatusUnprocessableEntity, reason(err)
		code := protocol.CodeCeremony
		if detail == "" {
			status, code, detail = http.StatusInternalServerError, protocol.CodeInternal, "The share could not be kept, or the root key not be opened; see the node's log."
		}
		refuse(w, status, code, detail)
		return
	}
	reply(w, http.StatusOK, "application/json", p)
}

// reason words what is wrong with a share, in constants; "" when it is not the
// share's fault.
func reason(err error) string {
	for _, r := range []struct {
		is   error
		text string
	}{
		{ceremony.ErrForeign, "The share is of another ceremony."},
		{ceremony.ErrShare, "The share is not one that was dealt in this ceremony: altered, or of a dealing that was given up."},
		{ceremony.ErrRepeated, "This custodian's share is there already."},
		{ceremony.ErrIdentity, "The share is not sealed to this node's present recipient, or was altered on the way."},
		{ceremony.ErrFormat, "This is no share."},
		{ErrOpened, "The root key is open already."},
		{custody.ErrPassphrase, "The shares are good, but the root file does not open with them: it was altered."},
	} {
		if errors.Is(err, r.is) {
			return r.text
		}
	}
	return ""
}

func refuse(w http.ResponseWriter, status int, code protocol.Code, detail string) {
	e, _ := protocol.Lookup(code)
	reply(w, status, "application/problem+json", Problem{Type: "urn:tamga:problem:" + string(code), Title: e.Title, Status: status,
		Detail: detail, Code: string(code), Next: e.Next})
}

func reply(w http.ResponseWriter, status int, content string, v any) {
	w.Header().Set("Content-Type", content)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
