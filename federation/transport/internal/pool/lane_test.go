package pool

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// scripted is a stream on which the peer has sent what incoming holds. Its Reset says so on resetting and waits for
// proceed, so that a test can look at the lane in between.
type scripted struct {
	network.Stream
	conn               network.Conn
	incoming           io.Reader
	resetting, proceed chan struct{}
}

func (s *scripted) Read(p []byte) (int, error) { return s.incoming.Read(p) }
func (s *scripted) Conn() network.Conn         { return s.conn }

func (s *scripted) Reset() error {
	s.resetting <- struct{}{}
	<-s.proceed
	return nil
}

// connection knows nothing but whether it is closed.
type connection struct {
	network.Conn
	closed bool
}

func (c connection) IsClosed() bool { return c.closed }

// A request that a lane takes after its reader has refused an unasked reply would be lost, and could not be told from
// one that the peer has handled.
func TestLaneTakesNoRequestOnceItsReaderGaveUp(t *testing.T) {
	reply := wire.Append(nil, []byte("asked"))
	s := &scripted{conn: connection{}, incoming: bytes.NewReader(append(reply, 0, 0, 0, 9)),
		resetting: make(chan struct{}), proceed: make(chan struct{})}
	l := NewLane(s)
	ended := make(chan struct{})
	go func() { l.Read(1 << 10); close(ended) }()
	if r := <-l.replies; r.err != nil || string(r.frame) != "asked" {
		t.Fatalf("the reply that was asked for: %q, %v", r.frame, r.err)
	}
	<-s.resetting // the reader has seen the beginning of a second one
	if l.ask() {
		t.Error("the lane took a request between the reader's verdict and its reset")
	}
	close(s.proceed)
	<-ended
	if l.ask() {
		t.Error("the lane took a request after its reader ended")
	}
}

// A connection that closes while a stream is opened on it must fail the first request, not leave it waiting for a
// reply that nobody would hand over.
func TestFreshLaneOnClosedConnectionHandsOverTheEnd(t *testing.T) {
	s := &scripted{conn: connection{closed: true}, incoming: bytes.NewReader(nil),
		resetting: make(chan struct{}, 1), proceed: make(chan struct{})}
	close(s.proceed)
	l := NewLane(s)
	l.Read(1 << 10)
	select {
	case r := <-l.replies:
		if !errors.Is(r.err, io.EOF) {
			t.Errorf("error %v, want the stream's end", r.err)
		}
	default:
		t.Error("the end of the stream was not handed over")
	}
}
