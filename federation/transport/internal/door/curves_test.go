package door

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
)

// agreeing is TLS that has always agreed already.
type agreeing struct{ sec.SecureTransport }

func (agreeing) SecureInbound(context.Context, net.Conn, peer.ID) (sec.SecureConn, error) {
	return new(agreedConn), nil
}

type agreedConn struct{ sec.SecureConn }

func (*agreedConn) LocalAddr() net.Addr  { return &net.TCPAddr{Port: 1} }
func (*agreedConn) RemoteAddr() net.Addr { return &net.TCPAddr{Port: 2} }
func (*agreedConn) Close() error         { return nil }
func (*agreedConn) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{CurveID: tls.X25519MLKEM768}
}

func (c *curves) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.known)
}

// TestCurvesForget: what was agreed with a stranger is forgotten although nobody closes
// the connection, and what a later one at the same addresses agreed on stays.
func TestCurvesForget(t *testing.T) {
	w := watched{agreeing{}, newCurves()}
	secure := func() sec.SecureConn {
		c, err := w.SecureInbound(t.Context(), nil, "")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := secure(), secure()
	_ = first.Close()
	if w.curves.len() != 1 {
		t.Fatal("closing the earlier connection forgot the later one")
	}
	runtime.KeepAlive(second)
	second = nil
	for deadline := time.Now().Add(10 * time.Second); w.curves.len() > 0; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("a refused connection is known for ever")
		}
	}
}
