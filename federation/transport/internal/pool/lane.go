package pool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// errUnasked ends a stream on which the peer sent a reply that nobody asked for.
var errUnasked = errors.New("peer sent a reply without a request")

// Lane is a stream that we opened and negotiated. One goroutine reads it for as long as it lives, so that a stream
// which the peer gives up, or on which it sends a second reply, is known to be useless before the next request is
// written to it: afterwards the first could not be told from a lost reply, and the second would be taken for the
// reply to that request. Asking the stream at the moment of reuse is no substitute: quic-go looks at the deadline
// of a read before it looks at what has arrived.
type Lane struct {
	stream network.Stream

	// These belong to the one exchange that has the lane, or to the pool.
	reused bool      // it has carried an exchange before this one
	done   uint      // exchanges completed on it
	idle   time.Time // since when it has been in the pool

	replies chan reply // from the reader; capacity 1, so that it never waits for an exchange that has given up

	// mu guards state.
	mu    sync.Mutex
	state laneState
}

// laneState is what the next byte from the peer would mean.
type laneState int

const (
	laneIdle  laneState = iota // a fault: nothing has been asked
	laneAsked                  // the beginning of a reply
	laneGone                   // nothing any more: the reader has ended
)

// reply is what the reader makes of one frame.
type reply struct {
	frame []byte
	err   error
}

// NewLane is a lane that already has its first request: nobody else knows it yet, and a connection that closes
// meanwhile shows in the write.
func NewLane(s network.Stream) *Lane {
	return &Lane{stream: s, replies: make(chan reply, 1), state: laneAsked}
}

// Read delivers replies until the stream ends. It resets the stream before it returns.
func (l *Lane) Read(limit int) {
	for {
		frame, err := wire.Read(l.stream, limit, wire.Hooks{Began: l.expected})
		if err != nil {
			_ = l.stream.Reset()
		}
		if l.deliver(reply{frame, err}); err != nil {
			return
		}
	}
}

// expected refuses a reply before more than its length has been read, unless one is awaited. The lane is gone from that
// moment on: a request that it took before the reader has ended would be lost.
func (l *Lane) expected() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != laneAsked {
		l.state = laneGone
		return errUnasked
	}
	return nil
}

// deliver hands the reply to the exchange that awaits it, if one does.
func (l *Lane) deliver(r reply) {
	l.mu.Lock()
	awaited := l.state == laneAsked
	l.state = laneIdle
	if r.err != nil {
		l.state = laneGone
	}
	l.mu.Unlock()
	if awaited {
		l.replies <- r
	}
}

// ask reserves the stream for one request and reports whether it can still carry it.
func (l *Lane) ask() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != laneIdle || l.stream.Conn().IsClosed() {
		return false
	}
	l.state = laneAsked
	return true
}

// Run writes the request, for which ask has been called, and awaits the reply. On error the stream has been reset,
// and safe reports that the peer cannot have handled the request.
func (l *Lane) Run(ctx context.Context, request []byte) (frame []byte, safe bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = l.stream.Reset() })
	n, err := l.stream.Write(request)
	safe = err != nil && n < len(request)
	if err == nil {
		select {
		case r := <-l.replies:
			frame, err = r.frame, r.err
		case <-ctx.Done():
			err = ctx.Err()
		}
		if wire.Untouched(err, l.done) {
			safe, err = true, wire.ErrUntouched
		}
	}
	if !stop() && err == nil {
		// The reply came as the context ended; the stream is gone, and the caller has stopped waiting.
		frame, err = nil, ctx.Err()
	}
	if err != nil {
		_ = l.stream.Reset()
		return nil, safe, err
	}
	l.done++
	return frame, false, nil
}

// Conn is the connection that the stream is on.
func (l *Lane) Conn() network.Conn { return l.stream.Conn() }

// Reused reports whether the lane came from the pool.
func (l *Lane) Reused() bool { return l.reused }
