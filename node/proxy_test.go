package node_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tamga-id/tamga/node"
)

// TestTrustThroughProxy: with a proxy nothing is resolved or asked but through it.
func TestTrustThroughProxy(t *testing.T) {
	t.Run("http", func(t *testing.T) {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "asked for "+r.URL.String())
		}))
		defer proxy.Close()
		if got := fetch(t, node.TrustClient(proxy.URL)); got != "asked for http://anchor.invalid/list" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("socks5h", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		asked := make(chan string, 1) // one request
		go serveSOCKS(l, asked)
		if got := fetch(t, node.TrustClient("socks5h://"+l.Addr().String())); got != "hello" {
			t.Errorf("got %q", got)
		}
		if host := <-asked; host != "anchor.invalid:80" {
			t.Errorf("the proxy was asked for %q", host)
		}
	})
	if node.TrustClient("") != nil {
		t.Error("a client of its own without a proxy")
	}
}

func fetch(t *testing.T, c *http.Client) string {
	t.Helper()
	defer c.CloseIdleConnections()
	res, err := c.Get("http://anchor.invalid/list")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// serveSOCKS answers one CONNECT by name (RFC 1928) and one HTTP request on it.
func serveSOCKS(l net.Listener, asked chan<- string) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	b := make([]byte, 512)
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return
	}
	_, _ = io.ReadFull(c, b[:b[1]])
	_, _ = c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, b[:5]); err != nil || b[3] != 3 {
		asked <- "no name"
		return
	}
	n := int(b[4])
	_, _ = io.ReadFull(c, b[:n+2])
	asked <- net.JoinHostPort(string(b[:n]), "80")
	if binary.BigEndian.Uint16(b[n:]) != 80 {
		return
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	_, _ = c.Read(b)
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
}
