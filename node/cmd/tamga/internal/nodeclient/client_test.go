package nodeclient

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

const testToken = "fixture-token-0123456789abcdef"

// proofOf is what a node with token answers to r.
func proofOf(token string, r *http.Request) string {
	challenge, _ := base64.RawURLEncoding.DecodeString(r.Header.Get("Tamga-Challenge"))
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write(append([]byte("tamga/v1/api-proof\x00"), challenge...))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// listener is whatever has the port: it answers everything, and notes what reached it
// besides requests for proof.
func listener(t *testing.T, live http.HandlerFunc) (*Client, *[]string) {
	got := new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/livez" && r.Header.Get("Authorization") == "" {
			live(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, r.Header.Get("Authorization")+" "+string(body))
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(s.Close)
	return newClient(s.URL, testToken), got
}

// TestProof: token and data go to who proves to know the token, and to nobody else.
func TestProof(t *testing.T) {
	for name, c := range map[string]struct {
		live http.HandlerFunc
		sent bool
	}{
		"api": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Tamga-Proof", proofOf(testToken, r)) }, true},
		"enrol": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Tamga-Enrol-Proof", proofOf(testToken, r))
		}, true},
		"silent": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, false},
		"other token": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Tamga-Proof", proofOf("x", r))
			w.Header().Set("Tamga-Enrol-Proof", proofOf("y", r))
		}, false},
		"echo": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Tamga-Proof", r.Header.Get("Tamga-Challenge"))
		}, false},
		"replay": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Tamga-Proof", proofOf(testToken, &http.Request{Header: http.Header{"Tamga-Challenge": {strings.Repeat("A", 43)}}}))
		}, false},
		"redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/v1/status")
			w.WriteHeader(http.StatusFound)
		}, false},
	} {
		cl, got := listener(t, c.live)
		var out struct{}
		err := cl.Call(t.Context(), "POST", "/v1/enrolments", "application/x-ndjson", []byte("record"), &out)
		if (err == nil) != c.sent || (len(*got) > 0) != c.sent {
			t.Errorf("%s: %v; reached it: %q", name, err, *got)
		}
		f, _ := errors.AsType[*fault.Failure](err)
		if !c.sent && (f == nil || f.Exit != fault.ExitUnreachable || errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "something else answers")) {
			t.Errorf("%s: error %v", name, err)
		}
		if c.sent && (*got)[0] != "Bearer "+testToken+" record" {
			t.Errorf("%s: got %q", name, *got)
		}
	}
}

// TestProofIsOfTheConnection: when the node stops right after its proof, whoever takes
// the port then gets nothing.
func TestProofIsOfTheConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	thief := make(chan int64, 1)
	go func() {
		defer close(thief)
		node, err := l.Accept()
		if err != nil {
			return
		}
		if r, err := http.ReadRequest(bufio.NewReader(node)); err == nil {
			_, _ = io.WriteString(node, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTamga-Proof: "+proofOf(testToken, r)+"\r\n\r\n{}")
		}
		_ = node.Close()
		next, err := l.Accept()
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, next)
		thief <- n
	}()
	cl := newClient("http://"+l.Addr().String(), testToken)
	var out struct{}
	if err := cl.Call(t.Context(), "POST", "/v1/enrolments", "application/x-ndjson", []byte("record"), &out); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v", err)
	}
	_ = l.Close()
	if n := <-thief; n > 0 {
		t.Errorf("%d bytes went to another connection", n)
	}
	cl.HTTP.CloseIdleConnections()
}

// TestOneConnection: a call uses the connection of its proof, and later calls, too.
func TestOneConnection(t *testing.T) {
	var opened int
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Tamga-Proof", proofOf(testToken, r))
		_, _ = io.WriteString(w, "{}")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened++
		}
	}
	s.Start()
	defer s.Close()
	cl := newClient(s.URL+"/", testToken)
	var out struct{}
	for range 20 {
		if err := cl.Call(t.Context(), "GET", "/v1/status", "", nil, &out); err != nil {
			t.Fatal(err)
		}
	}
	cl.HTTP.CloseIdleConnections()
	s.Close()
	if opened != 1 {
		t.Errorf("%d connections, want 1", opened)
	}
}

func TestNotRunning(t *testing.T) {
	cl, _ := listener(t, nil)
	cl.Base = "http://127.0.0.1:1"
	var out struct{}
	if err := cl.Call(t.Context(), "GET", "/v1/status", "", nil, &out); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cl.Call(ended, "GET", "/v1/status", "", nil, &out); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestEmptyToken: a proof under no key proves nothing.
func TestEmptyToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Flags{API: "http://127.0.0.1:1", tokenFile: file}).Client(); err == nil {
		t.Error("an empty token is taken")
	}
}
