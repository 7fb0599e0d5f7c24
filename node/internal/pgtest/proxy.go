//go:build linux

package pgtest

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Fault is what happens to the next COMMIT that passes a [Proxy].
type Fault int32

// The faults.
const (
	None      Fault = iota
	CutBefore       // the connection ends, and the server does not hear of it
	CutAfter        // the connection ends once the server has answered
)

// Proxy passes connections on to a cluster, and cuts them when told to.
type Proxy struct {
	at   atomic.Int32
	left atomic.Int32 // messages until the connection is cut, 0 for never
	dir  string
	down atomic.Bool
	then atomic.Bool // go down with the next fault
	mu   sync.Mutex
	open map[net.Conn]bool
}

// Proxy starts one in front of the cluster, until the test ends.
func (c *Cluster) Proxy(tb testing.TB) *Proxy {
	tb.Helper()
	dir, err := os.MkdirTemp("", "tamga-pg-proxy") // a socket's path must be short
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{dir: dir, open: make(map[net.Conn]bool)}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		tb.Fatal(err)
	}
	var all sync.WaitGroup
	tb.Cleanup(func() {
		_ = l.Close()
		p.CutAll()
		all.Wait()
		_ = os.RemoveAll(dir)
	})
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", filepath.Join(c.dir, ".s.PGSQL.5432"))
			if err != nil || p.down.Load() {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.open[client], p.open[server] = true, true
			p.mu.Unlock()
			all.Go(func() { p.pass(client, server) })
		}
	})
	return p
}

// DSN is the connection string of a database of the cluster by way of the proxy.
func (p *Proxy) DSN(c *Cluster, direct string) string {
	return string(bytes.Replace([]byte(direct), []byte("host="+c.dir), []byte("host="+p.dir), 1))
}

// Fail has the fault happen to the next COMMIT.
func (p *Proxy) Fail(f Fault) { p.at.Store(int32(f)) }

// CutAt ends the connection instead of passing the n-th piece on that a client sends
// from now on.
func (p *Proxy) CutAt(n int) { p.left.Store(int32(n)) }

// Down refuses connections, and ends those that are open, until called with false.
func (p *Proxy) Down(down bool) {
	p.down.Store(down)
	if down {
		p.CutAll()
	}
}

// DownAfterCut refuses connections once the next fault has happened.
func (p *Proxy) DownAfterCut() { p.then.Store(true) }

// CutAll ends every connection.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

// pass copies both ways until either ends. pgx sends COMMIT as one message of its own.
func (p *Proxy) pass(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	cut := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		defer server.Close()
		defer client.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := client.Read(b)
			if err != nil {
				return
			}
			if p.left.Load() > 0 && p.left.Add(-1) == 0 {
				return
			}
			if bytes.Contains(b[:n], []byte("COMMIT\x00")) {
				fault := Fault(p.at.Swap(int32(None)))
				if fault != None && p.then.Swap(false) {
					p.down.Store(true)
				}
				switch fault {
				case CutBefore:
					return
				case CutAfter:
					close(cut)
				}
			}
			if _, err := server.Write(b[:n]); err != nil {
				return
			}
		}
	})
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		select {
		case <-cut:
			err = io.EOF // it has answered
		default:
		}
		if err != nil {
			break
		}
		if _, err := client.Write(b[:n]); err != nil {
			break
		}
	}
	_ = client.Close()
	_ = server.Close()
	both.Wait()
}
