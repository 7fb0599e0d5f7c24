package door

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/quic-go/quic-go"
)

// HybridKeyExchange is the name in TLS of the one key exchange that is hybrid.
const HybridKeyExchange = "X25519MLKEM768"

// curves remembers what TLS over TCP agreed on: behind a multiplexer, libp2p does not tell.
type curves struct {
	mu    sync.Mutex
	known map[string]*agreed // by both ends' addresses, while the connection lives
}

// agreed is what one connection agreed on.
type agreed struct{ curve tls.CurveID }

func newCurves() *curves { return &curves{known: map[string]*agreed{}} }

// forget drops what is known of a connection, and not of one that has its addresses now.
func (c *curves) forget(key string, of *agreed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[key] == of {
		delete(c.known, key)
	}
}

// of names the key exchange of a connection.
func (c *curves) of(conn network.Conn) string {
	var q *quic.Conn
	if conn.As(&q) {
		return q.ConnectionState().TLS.CurveID.String()
	}
	if conn.ConnState().Security != TLS {
		return tls.X25519.String() // Noise_XX_25519_ChaChaPoly_SHA256
	}
	local, err := manet.ToNetAddr(conn.LocalMultiaddr())
	if err != nil {
		return ""
	}
	remote, err := manet.ToNetAddr(conn.RemoteMultiaddr())
	if err != nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.known[ends(local, remote)]; a != nil {
		return a.curve.String()
	}
	return ""
}

func ends(local, remote net.Addr) string { return local.String() + " " + remote.String() }

// watched is TLS over TCP that tells curves what was agreed on.
type watched struct {
	sec.SecureTransport
	curves *curves
}

// SecureInbound implements [sec.SecureTransport].
func (w watched) SecureInbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	c, err := w.SecureTransport.SecureInbound(ctx, insecure, p)
	return w.watch(c, err)
}

// SecureOutbound implements [sec.SecureTransport].
func (w watched) SecureOutbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	c, err := w.SecureTransport.SecureOutbound(ctx, insecure, p)
	return w.watch(c, err)
}

func (w watched) watch(c sec.SecureConn, err error) (sec.SecureConn, error) {
	if err != nil {
		return nil, err
	}
	t, ok := c.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return c, nil // then its exchange has no name, and is no hybrid one
	}
	key, of := ends(c.LocalAddr(), c.RemoteAddr()), &agreed{t.ConnectionState().CurveID}
	w.curves.mu.Lock()
	w.curves.known[key] = of
	w.curves.mu.Unlock()
	out := &watchedConn{SecureConn: c, curves: w.curves, key: key, of: of}
	// One that the gate refuses is not closed by libp2p, only what is below it.
	runtime.AddCleanup(out, func(known *curves) { known.forget(key, of) }, w.curves)
	return out, nil
}

type watchedConn struct {
	sec.SecureConn
	curves *curves
	key    string
	of     *agreed
}

// Close forgets the connection and closes it.
func (c *watchedConn) Close() error {
	c.curves.forget(c.key, c.of)
	return c.SecureConn.Close()
}
