package holder

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestBounded: a connection beyond the limit ends the oldest of those that nobody has proved himself on, and there is
// room again when one ends.
func TestBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := newBounded(l)
	dial := func() (near, far net.Conn) {
		t.Helper()
		near, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = near.Close() })
		if far, err = b.Accept(); err != nil {
			t.Fatal(err)
		}
		return near, far
	}
	known, far := dial()
	for range 2 { // twice counts once
		if !b.welcome(far.(*boundedConn)) {
			t.Fatal("the first one known is refused")
		}
	}
	oldest, _ := dial()
	open := []net.Conn{far}
	for range maxStrangers {
		_, c := dial()
		open = append(open, c)
	}
	_ = oldest.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := oldest.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("the oldest of one too many: %v", err)
	}
	_ = known.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := known.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("one that is known: %v", err)
	}
	for _, c := range open[1:] {
		b.welcome(c.(*boundedConn))
	}
	if strangers, known := b.open(); strangers != 1 || known != maxKnown {
		t.Errorf("%d strangers and %d known are counted", strangers, known)
	}
	for _, c := range open {
		if err := errors.Join(c.Close(), ignoreClosed(c.Close())); err != nil { // twice counts once
			t.Fatal(err)
		}
	}
	if strangers, known := b.open(); strangers != 0 || known != 0 {
		t.Errorf("%d and %d are counted after all ended", strangers, known)
	}
}

// open is how many connections there are, of strangers and of the known.
func (b *bounded) open() (strangers, known int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.strangers.Len(), b.known
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
