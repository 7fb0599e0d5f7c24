package transport_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tamga-id/tamga/federation/transport"
)

// TestMain checks for leaked goroutines, or becomes the other process of TestCrashedPeerRecovers.
func TestMain(m *testing.M) {
	if listen := os.Getenv(crashEnv); listen != "" {
		fmt.Fprintln(os.Stderr, runNode(listen))
		os.Exit(1)
	}
	transport.RouteLibraryLogs(slog.DiscardHandler)
	goleak.VerifyTestMain(m)
}

func seed(name string) []byte {
	sum := sha256.Sum256([]byte("transport test identity " + name))
	return sum[:]
}

func peerID(t testing.TB, name string) transport.PeerID {
	t.Helper()
	id, err := transport.PeerIDFromSeed(seed(name))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// members is a membership that a test may change while hosts run.
type members struct {
	mu    sync.Mutex
	known map[transport.PeerID]bool
}

func membership(t testing.TB, names ...string) *members {
	m := &members{known: map[transport.PeerID]bool{}}
	for _, n := range names {
		m.known[peerID(t, n)] = true
	}
	return m
}

func (m *members) admit(id transport.PeerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[id]
}

func (m *members) add(id transport.PeerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[id] = true
}

func (m *members) suspend(id transport.PeerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, id)
}

const (
	listenQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"
	listenTCP  = "/ip4/127.0.0.1/tcp/0"
)

// start runs a host with short timeouts, changed by edit, until the test ends.
func start(t testing.TB, name string, m *members, handlers map[string]transport.Handler, edit func(*transport.Config)) *transport.Host {
	t.Helper()
	cfg := transport.Config{
		Seed: seed(name), Listen: []string{listenQUIC, listenTCP}, Admit: m.admit,
		DialTimeout: 2 * time.Second, ExchangeTimeout: 5 * time.Second, FrameTimeout: 300 * time.Millisecond,
		WriteTimeout: 500 * time.Millisecond, HandlerTimeout: 5 * time.Second, DrainTimeout: 2 * time.Second,
	}
	if edit != nil {
		edit(&cfg)
	}
	h, err := transport.New(cfg, handlers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func echo(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) { return frame, nil }

func echoing() map[string]transport.Handler {
	return map[string]transport.Handler{transport.ProtocolQuery: echo}
}

// only returns the host's addresses of one transport, "quic-v1" or "tcp".
func only(h *transport.Host, kind string) []string {
	var out []string
	for _, a := range h.Addresses() {
		if strings.Contains(a, "/"+kind+"/") || strings.Contains(a, "/"+kind) && kind == "tcp" {
			out = append(out, a)
		}
	}
	return out
}

func ask(t testing.TB, from, to *transport.Host, addrs []string, payload string) {
	t.Helper()
	got, err := from.Exchange(t.Context(), to.PeerID(), addrs, transport.ProtocolQuery, []byte(payload))
	if err != nil {
		t.Fatalf("Exchange: %v", err)
	}
	if string(got) != payload {
		t.Fatalf("Exchange = %q, want %q", got, payload)
	}
}

// transports runs a subtest for each.
func transports(t *testing.T, f func(t *testing.T, kind string)) {
	for _, kind := range []string{"quic-v1", "tcp"} {
		t.Run(kind, func(t *testing.T) { f(t, kind) })
	}
}

// logBook collects log lines.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// eventually polls a condition that another goroutine is about to make true.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("not reached in time: %s", what)
		case <-tick.C:
		}
	}
}
