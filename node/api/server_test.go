package api_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/requester"
)

// pipes is a listener whose one connection is in memory, so that deadlines run on
// the bubble's clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serve runs a server with the limits that a node gives it, and returns a connection.
func serve(t *testing.T, n api.Node) net.Conn { return serveHandler(t, api.Handler(n)) }

func serveHandler(t *testing.T, h http.Handler) net.Conn {
	l := &pipes{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	s := &http.Server{Handler: h, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l)
	}()
	client, server := net.Pipe()
	l.conns <- server
	t.Cleanup(func() {
		_ = client.Close()
		_ = s.Close()
		<-ended
	})
	return client
}

const head = "POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token +
	"\r\nContent-Type: application/json\r\nContent-Length: "

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// TestPatience: a verification that waits for a peer for longer than the server lets
// callers send is not cancelled by that deadline, with and without a key.
func TestPatience(t *testing.T) {
	for _, header := range []string{"360", "360\r\nIdempotency-Key: key-0001"} {
		synctest.Test(t, func(t *testing.T) {
			n := &fake{verify: func(ctx context.Context, _ requester.Request) (requester.Result, error) {
				select {
				case <-time.After(45 * time.Second):
					return requester.Result{}, nil
				case <-ctx.Done():
					return requester.Result{}, ctx.Err()
				}
			}}
			c := serve(t, n)
			write(t, c, head+header+"\r\n\r\n"+asking+strings.Repeat(" ", 360-len(asking)))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != http.StatusOK {
				t.Errorf("status %d, want 200", res.StatusCode)
			}
		})
	}
}

// TestSlowBody: a body that does not arrive is a 408 in bounded time.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, &fake{})
		begin := time.Now()
		write(t, c, head+"1000\r\n\r\n{")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); res.StatusCode != http.StatusRequestTimeout || took != guard.BodyTimeout {
			t.Errorf("status %d after %v, want 408 after %v", res.StatusCode, took, guard.BodyTimeout)
		}
	})
}

// TestCallerGoesAway: the operation is told, and writing to nobody is no panic.
func TestCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 1)
		n := &fake{verify: func(ctx context.Context, _ requester.Request) (requester.Result, error) {
			<-ctx.Done()
			told <- ctx.Err()
			return requester.Result{}, nil
		}}
		c := serve(t, n)
		write(t, c, head+"360\r\n\r\n"+asking+strings.Repeat(" ", 360-len(asking)))
		synctest.Wait()
		_ = c.Close()
		if err := <-told; !errors.Is(err, context.Canceled) {
			t.Errorf("told %v", err)
		}
	})
}

// TestKeyedCallerGoesAway: with a key the question is put to its end, and the caller
// who comes back gets what came of it.
func TestKeyedCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fake{verify: func(ctx context.Context, _ requester.Request) (requester.Result, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the operation could last for ever")
			}
			select {
			case <-time.After(5 * time.Second):
				return matched, nil
			case <-ctx.Done():
				return requester.Result{}, ctx.Err()
			}
		}}
		h := api.Handler(n)
		c := serveHandler(t, h)
		write(t, c, head+"360\r\nIdempotency-Key: key-0001\r\n\r\n"+asking+strings.Repeat(" ", 360-len(asking)))
		time.Sleep(time.Second)
		_ = c.Close()
		body := asking + strings.Repeat(" ", 360-len(asking))
		if res, _ := send(t, h, keyed("key-0001", body)); res.StatusCode != http.StatusConflict {
			t.Errorf("at once: status %d, want 409", res.StatusCode)
		}
		time.Sleep(5 * time.Second)
		res, got := send(t, h, keyed("key-0001", body))
		if res.Header.Get("Idempotent-Replayed") != "true" || got["outcome"] != "matched" || n.asked != 1 {
			t.Errorf("later: replayed %q, %v, asked %d times", res.Header.Get("Idempotent-Replayed"), got["outcome"], n.asked)
		}
	})
}
