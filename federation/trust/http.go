package trust

import (
	"encoding/json"
	"io"
	"net/http"
)

// Error codes of section 8.9.
const (
	errorInvalidRequest     = "invalid_request"
	errorInvalidTrustAnchor = "invalid_trust_anchor"
	errorInvalidTrustChain  = "invalid_trust_chain"
	errorNotFound           = "not_found"
	errorServer             = "server_error"
)

func onlyGet(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	writeError(w, http.StatusMethodNotAllowed, errorInvalidRequest)
	return false
}

func writeToken(w http.ResponseWriter, content, token string) {
	header(w, content)
	io.WriteString(w, token)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	header(w, contentJSON)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// writeError describes nothing beyond the code: details stay with the operator.
func writeError(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": code})
}

func header(w http.ResponseWriter, content string) {
	w.Header().Set("Content-Type", content)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}
