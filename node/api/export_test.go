package api

import (
	"net/http"
	"time"
)

// NewAt is Handler with a clock.
func NewAt(n Node, now func() time.Time) http.Handler { return handler(n, now) }

// Export is the document, and the member names that bodies may have.
func Export(n Node) ([]byte, map[string]bool) {
	_, b := build(n, time.Now)
	return b.Export()
}
