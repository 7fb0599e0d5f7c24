package node

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/internal/throng"
)

// TestCrowdedListener: idle connections count against the bound until they are closed.
func TestCrowdedListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, throng.Bound(l, 3, 3), http.NotFoundHandler(), time.Minute)
	}()
	ask := func() (net.Conn, error) {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		return c, err
	}
	var first net.Conn
	for i := range 5 {
		c, err := ask()
		if c != nil {
			defer c.Close()
		}
		if (err == nil) != (i < 3) {
			t.Errorf("connection %d: %v", i, err)
		}
		if i == 0 {
			first = c
		}
	}
	first.Close()
	for end := time.Now().Add(10 * time.Second); ; { // until the server has heard of it
		c, err := ask()
		c.Close()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("who left made no room")
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
