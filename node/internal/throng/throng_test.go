package throng_test

import (
	"errors"
	"net"
	"testing"

	"github.com/tamga-id/tamga/node/internal/throng"
)

// crowd is a listener to which come connections from the given addresses.
type crowd struct {
	net.Listener
	from   []string
	closed *int
}

func (c *crowd) Accept() (net.Conn, error) {
	if len(c.from) == 0 {
		return nil, net.ErrClosed
	}
	a := c.from[0]
	c.from = c.from[1:]
	return &end{addr: &net.TCPAddr{IP: net.ParseIP(a), Port: 1}, closed: c.closed}, nil
}

type end struct {
	net.Conn
	addr   net.Addr
	closed *int
}

func (e *end) RemoteAddr() net.Addr { return e.addr }
func (e *end) Close() error         { *e.closed++; return nil }

func TestBound(t *testing.T) {
	for _, tc := range []struct {
		name string
		from []string
		kept int
	}{
		{"each", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"}, 3},
		{"mapped", []string{"192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1"}, 2},
		{"one-network", []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"}, 3},
		{"total", []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}, 4},
		{"proxy", []string{"127.0.0.1", "127.0.0.1", "127.0.0.1", "::1", "::1"}, 4},
	} {
		var closed int
		c := &crowd{from: tc.from, closed: &closed}
		l := throng.Bound(c, 4, 2)
		var kept []net.Conn
		for {
			n, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				break
			}
			kept = append(kept, n)
		}
		if len(kept) != tc.kept || closed != len(tc.from)-tc.kept {
			t.Errorf("%s: got %d kept and %d closed, want %d kept", tc.name, len(kept), closed, tc.kept)
		}
		// Who leaves makes room, once.
		_, _ = kept[0].Close(), kept[0].Close()
		again := tc.from[0]
		c.from = []string{again, again, again}
		if tc.kept != 4 {
			c.from = []string{again, again}
		}
		for i := range 2 {
			if _, err := l.Accept(); (err == nil) != (i == 0) {
				t.Errorf("%s: connection %d after one was closed: %v", tc.name, i, err)
			}
		}
	}
}
