package holder

import (
	"net"
	"sync"
)

// maxConnections is how many connections a holder has at a time, those of strangers in
// their handshake among them, which end within ReadHeaderTimeout. A node keeps a few.
const maxConnections = 64

// bounded is a listener with at most [maxConnections] connections open. One that is too
// many is closed at once: one that waited would keep its peer from trying another holder.
type bounded struct {
	net.Listener
	room chan struct{} // one for each connection that is open
}

func newBounded(l net.Listener) *bounded {
	return &bounded{l, make(chan struct{}, maxConnections)}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case b.room <- struct{}{}:
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { <-b.room })}, nil
		default:
			_ = c.Close()
		}
	}
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
