package transport

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/quic-go/quic-go"
)

// HybridKeyExchange is the name of the key exchange that stays secret when X25519 alone does not: X25519MLKEM768 of
// draft-ietf-tls-ecdhe-mlkem, in the TLS 1.3 of QUIC and of TCP. Noise has none.
const HybridKeyExchange = "X25519MLKEM768"

// Link is a live connection with a peer.
type Link struct {
	Address     string // the peer's, as seen here
	Inbound     bool   // the peer dialled
	Transport   string // "quic-v1" or "tcp"
	Security    string // "tls" or "noise"
	KeyExchange string // HybridKeyExchange, another name of TLS, or "X25519" of Noise
	Opened      time.Time
}

// Links returns the live connections with a peer, the oldest first.
func (h *Host) Links(to PeerID) []Link {
	id, err := decodePeerID(to)
	if err != nil {
		return nil
	}
	var out []Link
	for _, c := range h.swarm.ConnsToPeer(id) {
		if c.IsClosed() {
			continue
		}
		l := Link{Address: c.RemoteMultiaddr().String(), Inbound: c.Stat().Direction == network.DirInbound, Transport: "tcp",
			Security: "tls", KeyExchange: h.gate.curves.of(c), Opened: c.Stat().Opened}
		if isQUIC(c.RemoteMultiaddr()) {
			l.Transport = "quic-v1"
		} else if c.ConnState().Security != tlsID {
			l.Security = "noise"
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Link) int { return a.Opened.Compare(b.Opened) })
	return out
}

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
	if conn.ConnState().Security != tlsID {
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
