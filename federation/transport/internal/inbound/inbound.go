// Package inbound is a stream that a peer opened, with the time that each phase of an exchange
// may take. It decides between the three that may end a stream, its reader, its timer and a
// drain: a request is either handled or declared untouched, never both. It reads and writes
// nothing.
package inbound

import (
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// Phase is what a stream is used for.
type Phase int

// The phases of a stream.
const (
	Idle    Phase = iota // waiting for the first byte of a frame
	Reading              // within a frame, or the protocol header
	Working              // the handler runs; its context keeps the time
	Writing              // the reply is on its way
	dead                 // reset; nothing may be done with the stream any more
)

// FlushDelay is how long a draining host leaves a stream open after the last reply, and the connection after the last
// reset, since QUIC drops what is not yet sent when a connection closes; a few packets at line speed.
const FlushDelay = 100 * time.Millisecond

var errDead = errors.New("stream was given up")

// Stream is a stream that a peer opened. One goroutine reads and answers; the timer and a drain may end it, and the
// phase decides which of them comes first. End it by End, not by its own methods.
type Stream struct {
	network.Stream

	// mu guards the rest.
	mu    sync.Mutex
	phase Phase
	since time.Time // when phase began
	until time.Time // when phase must have ended; zero: no limit
	timer *time.Timer
	slow  bool // it was ended because a frame, or the protocol header, took too long
	idles uint // times the stream was idle: one more than the replies sent
}

// New begins with a stream whose protocol is still to be said, within a limit of time.
func New(s network.Stream, limit time.Duration) *Stream {
	now := time.Now()
	v := &Stream{Stream: s, phase: Reading, since: now, until: now.Add(limit)}
	v.mu.Lock() // the timer may fire before the field is set
	defer v.mu.Unlock()
	v.timer = time.AfterFunc(limit, v.expire)
	return v
}

// Enter moves to a phase that may last d, zero meaning without limit. It fails when the stream was given up.
func (v *Stream) Enter(p Phase, d time.Duration) error {
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.phase == dead {
		return errDead
	}
	v.phase, v.since, v.until = p, now, time.Time{}
	if p == Idle {
		v.idles++
	}
	if d == 0 {
		v.timer.Stop()
		return nil
	}
	v.until = now.Add(d)
	v.timer.Reset(d)
	return nil
}

// expire runs on the timer: a phase took too long, unless a new one began meanwhile.
func (v *Stream) expire() {
	v.mu.Lock()
	if v.phase == dead || v.until.IsZero() {
		v.mu.Unlock()
		return
	}
	if left := time.Until(v.until); left > 0 {
		v.timer.Reset(left)
		v.mu.Unlock()
		return
	}
	code := wire.CodeMalformed
	switch v.phase {
	case Idle:
		code = wire.GivenUp(v.idles - 1)
	case Writing:
		code = wire.CodeFailed
	}
	v.slow = v.phase == Reading
	v.phase = dead
	v.mu.Unlock()
	_ = v.Stream.ResetWithError(code)
}

// End resets the stream unless that has been done; it may be called more than once.
func (v *Stream) End(code network.StreamErrorCode) {
	v.mu.Lock()
	gone := v.phase == dead
	v.phase = dead
	v.timer.Stop()
	v.mu.Unlock()
	if !gone {
		_ = v.Stream.ResetWithError(code)
	}
}

// Dismiss ends the stream for a drain if it is between frames, with a reset that says after how many replies. One that
// went out so recently that the reset could overtake it has until then; a request that comes meanwhile is refused with the
// same reset. Closing in order instead would leave a peer whose request crossed the end not knowing what became of it.
func (v *Stream) Dismiss() {
	v.mu.Lock()
	if v.phase != Idle {
		v.mu.Unlock()
		return
	}
	if v.idles > 1 {
		if left := FlushDelay - time.Since(v.since); left > 0 {
			v.until = v.since.Add(FlushDelay)
			v.timer.Reset(left)
			v.mu.Unlock()
			return
		}
	}
	v.phase = dead
	v.timer.Stop()
	code := wire.GivenUp(v.idles - 1)
	v.mu.Unlock()
	_ = v.Stream.ResetWithError(code)
}

// Untaken is the code for a stream whose last request, if any, was not handled.
func (v *Stream) Untaken() network.StreamErrorCode {
	v.mu.Lock()
	defer v.mu.Unlock()
	return wire.GivenUp(v.idles - 1)
}

// WasSlow reports that it was ended because a frame, or the protocol header, took too long.
func (v *Stream) WasSlow() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.slow
}
