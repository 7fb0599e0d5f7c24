package holder

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestBounded: connections beyond the limit are closed at once, and there is room again when one ends.
func TestBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := newBounded(l)
	accepted := make(chan net.Conn, maxConnections+1) // room for all
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := b.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	var open []net.Conn
	for range maxConnections {
		dial()
		open = append(open, <-accepted)
	}
	over := dial()
	_ = over.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := over.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("one too many: %v", err)
	}
	if err := errors.Join(open[0].Close(), ignoreClosed(open[0].Close())); err != nil { // twice counts once
		t.Fatal(err)
	}
	dial()
	open[0] = <-accepted
	if len(b.room) != maxConnections {
		t.Errorf("%d connections are counted", len(b.room))
	}
	_ = l.Close()
	<-done
	for _, c := range open {
		_ = c.Close()
	}
	if len(b.room) != 0 {
		t.Errorf("%d are counted after all ended", len(b.room))
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
