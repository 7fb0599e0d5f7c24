package transport

import (
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

type phase int

const (
	phaseIdle    phase = iota // waiting for the first byte of a frame
	phaseReading              // within a frame, or the protocol header
	phaseWorking              // the handler runs; its context keeps the time
	phaseWriting              // the reply is on its way
	phaseDead                 // reset; nothing may be done with the stream any more
)

var errDead = errors.New("stream was given up")

// served is a stream that a peer opened. One goroutine reads and answers; the timer and Drain may end the stream, and
// the phase decides which of them comes first: a request is either handled or declared untouched, never both.
type served struct {
	stream network.Stream
	from   PeerID
	share  string // whose share it takes, as [door.Door.Share] says; immutable once it is served
	shared bool
	guest  bool          // its peer may be a member; immutable as share
	paused time.Duration // of the reading goroutine: how long to leave the stream unread

	// mu guards the rest.
	mu    sync.Mutex
	phase phase
	since time.Time // when phase began
	until time.Time // when phase must have ended; zero: no limit
	timer *time.Timer
	slow  bool // it was ended because a frame, or the protocol header, took too long
	idles uint // times the stream was idle: one more than the replies sent
}

func newServed(s network.Stream, limit time.Duration) *served {
	now := time.Now()
	v := &served{stream: s, from: PeerID(s.Conn().RemotePeer().String()), phase: phaseReading, since: now, until: now.Add(limit)}
	v.mu.Lock() // the timer may fire before the field is set
	defer v.mu.Unlock()
	v.timer = time.AfterFunc(limit, v.expire)
	return v
}

// enter moves to a phase that may last d, zero meaning without limit. It fails when the stream was given up.
func (v *served) enter(p phase, d time.Duration) error {
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.phase == phaseDead {
		return errDead
	}
	v.phase, v.since, v.until = p, now, time.Time{}
	if p == phaseIdle {
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
func (v *served) expire() {
	v.mu.Lock()
	if v.phase == phaseDead || v.until.IsZero() {
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
	case phaseIdle:
		code = wire.GivenUp(v.idles - 1)
	case phaseWriting:
		code = wire.CodeFailed
	}
	v.slow = v.phase == phaseReading
	v.phase = phaseDead
	v.mu.Unlock()
	_ = v.stream.ResetWithError(code)
}

// end resets the stream unless that has been done; it may be called more than once.
func (v *served) end(code network.StreamErrorCode) {
	v.mu.Lock()
	dead := v.phase == phaseDead
	v.phase = phaseDead
	v.timer.Stop()
	v.mu.Unlock()
	if !dead {
		_ = v.stream.ResetWithError(code)
	}
}

// dismiss ends the stream for a drain if it is between frames, with a reset that says after how many replies. One that
// went out so recently that the reset could overtake it has until then; a request that comes meanwhile is refused with the
// same reset. Closing in order instead would leave a peer whose request crossed the end not knowing what became of it.
func (v *served) dismiss() {
	v.mu.Lock()
	if v.phase != phaseIdle {
		v.mu.Unlock()
		return
	}
	if v.idles > 1 {
		if left := flushDelay - time.Since(v.since); left > 0 {
			v.until = v.since.Add(flushDelay)
			v.timer.Reset(left)
			v.mu.Unlock()
			return
		}
	}
	v.phase = phaseDead
	v.timer.Stop()
	code := wire.GivenUp(v.idles - 1)
	v.mu.Unlock()
	_ = v.stream.ResetWithError(code)
}

// untaken is the code for a stream whose last request, if any, was not handled.
func (v *served) untaken() network.StreamErrorCode {
	v.mu.Lock()
	defer v.mu.Unlock()
	return wire.GivenUp(v.idles - 1)
}

func (v *served) wasSlow() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.slow
}
