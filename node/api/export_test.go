package api

import (
	"net/http"
	"time"
)

// NewAt is Handler with a clock.
func NewAt(n Node, now func() time.Time) http.Handler { return newGuard(n, now) }

// Export is the document, and the member names that bodies may have.
func Export(n Node) ([]byte, map[string]bool) {
	_, api := build(n, time.Now)
	return export(api)
}

// Scan is scan: the place and the rule, or two empty strings.
func Scan(body []byte, known func(string) bool) (pointer, rule string) {
	if v := scan(body, known); v != nil {
		return v.Pointer, v.Rule
	}
	return "", ""
}

// Kept is how many responses and bytes the memory of h holds, and how many
// requests in flight.
func Kept(h http.Handler) (responses, size, flying int) {
	m := h.(*guard).memory
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.order), m.size, len(m.kept) - len(m.order)
}

const (
	MaxKept     = maxKept
	BodyTimeout = bodyTimeout
	MaxBodies   = maxBodies
)
