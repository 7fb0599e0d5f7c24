package guard

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/problem"
)

const (
	IdempotencyKey = "Idempotency-Key"
	Replayed       = "Idempotent-Replayed"

	keepFor  = 24 * time.Hour
	MaxKept  = 4096     // responses
	keepSize = 32 << 20 // bytes of them

	// keyedTimeout bounds an operation that no longer ends with its caller. Each has
	// shorter limits of its own; this one frees the key when they fail.
	keyedTimeout = 2 * time.Minute
)

// memory remembers the successful responses of requests with an Idempotency-Key, so
// that a caller whose connection broke can send again without asking a peer twice.
// Only what will still be true is kept: that a peer did not answer is not.
// It does not outlive the process. Keys and bodies are held as HMACs under a key of
// this process: a plain hash of a small identifier is personal data.
type memory struct {
	secret [32]byte // immutable

	mu    sync.Mutex
	kept  map[digest]*kept
	order []digest // of kept responses, oldest first; requests in flight are not in it
	size  int
}

type digest [sha256.Size]byte

// kept is a response, or a request in flight while status is 0.
type kept struct {
	body    digest
	at      time.Time
	status  int
	header  http.Header
	payload []byte
}

func newMemory() *memory {
	m := &memory{kept: make(map[digest]*kept)}
	_, _ = rand.Read(m.secret[:]) // crypto/rand does not fail, it ends the process
	return m
}

func validKey(key string) bool {
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(key) >= 8 && len(key) <= 128
}

func (m *memory) digest(label string, parts ...[]byte) digest {
	h := hmac.New(sha256.New, m.secret[:])
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
		h.Write([]byte{0})
	}
	return digest(h.Sum(nil))
}

// serve answers r from memory, or lets next answer it and remembers. options are the
// headers that the operation reads.
func (m *memory) serve(w http.ResponseWriter, r *http.Request, body []byte, options []string, next http.Handler, now time.Time) {
	key := m.digest("tamga/v1/idempotency-key\x00", []byte(r.URL.Path), []byte(r.Header.Get(IdempotencyKey)))
	parts := [][]byte{body} // and what else decides on what is done
	for _, name := range options {
		parts = append(parts, []byte(r.Header.Get(name)))
	}
	sum := m.digest("tamga/v1/idempotency-body\x00", parts...)
	old := m.begin(key, sum, now)
	switch {
	case old == nil:
	case old.body != sum:
		problem.New(http.StatusUnprocessableEntity, protocol.CodeIdempotency,
			"This Idempotency-Key was used with another body: a new request needs a new key.").In(r.Header.Get(acceptLanguage)).Write(w)
		return
	case old.status == 0:
		problem.New(http.StatusConflict, protocol.CodeIdempotency,
			"The request with this Idempotency-Key is still being worked on.").In(r.Header.Get(acceptLanguage)).Write(w)
		return
	default:
		w.Header().Set(Replayed, "true")
		old.write(w)
		return
	}
	rec := &recorder{header: http.Header{}}
	defer func() { m.end(key, rec) }() // also when next panics: nothing is kept then
	// A caller who goes away will be back for the response: cut short, the operation
	// would leave none.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keyedTimeout)
	defer cancel()
	next.ServeHTTP(rec, r.WithContext(context.WithValue(ctx, recorderKey{}, rec)))
	rec.done = true
	(&kept{status: rec.status, header: rec.header, payload: rec.payload.Bytes()}).write(w)
}

// begin returns a copy of what key was used for, or nil when it is new and r is now
// in flight.
func (m *memory) begin(key, body digest, now time.Time) *kept {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.order) > 0 && now.Sub(m.kept[m.order[0]].at) >= keepFor {
		m.forgetLocked()
	}
	if old, ok := m.kept[key]; ok {
		c := *old
		return &c
	}
	m.kept[key] = &kept{body: body, at: now}
	return nil
}

// end keeps a 200 that is not passing and forgets any other response: a request that
// failed may be sent again with its key.
func (m *memory) end(key digest, rec *recorder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !rec.done || rec.passing || rec.status != http.StatusOK || rec.payload.Len() > keepSize {
		delete(m.kept, key)
		return
	}
	for len(m.order) > 0 && (len(m.order) >= MaxKept || m.size+rec.payload.Len() > keepSize) {
		m.forgetLocked()
	}
	k := m.kept[key]
	k.status, k.header, k.payload = rec.status, rec.header, rec.payload.Bytes()
	m.order = append(m.order, key)
	m.size += len(k.payload)
}

// forgetLocked drops the oldest response.
func (m *memory) forgetLocked() {
	m.size -= len(m.kept[m.order[0]].payload)
	delete(m.kept, m.order[0])
	m.order = m.order[1:]
}

func (k *kept) write(w http.ResponseWriter) {
	for name, values := range k.header {
		w.Header()[name] = values
	}
	w.WriteHeader(k.status)
	_, _ = w.Write(k.payload)
}

// recorder is a ResponseWriter into memory.
type recorder struct {
	header  http.Header
	status  int
	payload bytes.Buffer
	done    bool
	passing bool
}

type recorderKey struct{}

// Passing says that the response to the request of ctx, although a 200, may be another
// one next time, so that it is not kept.
func Passing(ctx context.Context) {
	if rec, ok := ctx.Value(recorderKey{}).(*recorder); ok {
		rec.passing = true
	}
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.payload.Write(b)
}

// Kept is how many responses are remembered, of how many bytes, and how many requests
// are in flight.
func (g *Guard) Kept() (responses, size, flying int) {
	m := g.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.order), m.size, len(m.kept) - len(m.order)
}
