package holder

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

const (
	// maxStrangers is how many connections there are at a time on which nobody has proved who he is. They end within
	// ReadHeaderTimeout; one more ends the oldest. A node needs some milliseconds to stop being a stranger, so that
	// whoever wants to keep it out has to open that many within them.
	maxStrangers = 64
	// maxKnown is how many there are of those who have. A node keeps a few.
	maxKnown = 64
)

// bounded is a listener that bounds the connections which are open. Its seen method is the ConnState of the server.
type bounded struct {
	net.Listener

	mu        sync.Mutex
	strangers list.List // of *boundedConn, oldest first; guarded by mu
	known     int       // guarded by mu
}

func newBounded(l net.Listener) *bounded { return &bounded{Listener: l} }

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &boundedConn{Conn: conn, of: b}
	b.mu.Lock()
	c.place = b.strangers.PushBack(c)
	var oldest *boundedConn
	if b.strangers.Len() > maxStrangers {
		oldest, _ = b.strangers.Front().Value.(*boundedConn)
	}
	b.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close()
	}
	return c, nil
}

// seen notes that a request came over c, which only who is let in can send.
func (b *bounded) seen(c net.Conn, s http.ConnState) {
	over, ok := c.(*tls.Conn)
	if !ok || s != http.StateActive {
		return
	}
	if c, ok := over.NetConn().(*boundedConn); ok && !b.welcome(c) {
		_ = c.Close()
	}
}

// welcome counts c among the known, and reports false when they are too many.
func (b *bounded) welcome(c *boundedConn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.place == nil { // known, or closed
		return true
	}
	if b.known == maxKnown {
		return false
	}
	b.strangers.Remove(c.place)
	c.place, c.known = nil, true
	b.known++
	return true
}

func (b *bounded) leave(c *boundedConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.place != nil {
		b.strangers.Remove(c.place)
		c.place = nil
	}
	if c.known {
		c.known = false
		b.known--
	}
}

type boundedConn struct {
	net.Conn
	of *bounded

	place *list.Element // among the strangers; guarded by of.mu
	known bool          // guarded by of.mu
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	c.of.leave(c)
	return c.Conn.Close()
}
