package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tamga-id/tamga/federation/transport/fairqueue"
	"github.com/tamga-id/tamga/federation/transport/internal/door"
	"github.com/tamga-id/tamga/federation/transport/internal/inbound"
	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

var errPanicked = errors.New("handler panicked")

// served is a stream that a peer opened.
type served struct {
	*inbound.Stream
	from   PeerID
	share  string // whose share it takes, as [door.Door.Share] says; immutable once it is served
	shared bool
	guest  bool          // its peer may be a member; immutable as share
	paused time.Duration // of the reading goroutine: how long to leave the stream unread
}

// serve runs in the swarm's goroutine for a stream that a peer opened, until the stream ends.
func (h *Host) serve(s network.Stream) {
	v := &served{Stream: inbound.New(s, h.cfg.FrameTimeout), from: PeerID(s.Conn().RemotePeer().String())}
	v.share, v.shared = h.door.Share(string(v.from))
	if v.guest = h.door.IsGuest(s.Conn()) && !h.cfg.Admit(v.from); v.guest {
		v.share, v.shared = door.GuestShare, true
	}
	h.mu.Lock()
	closing := h.closing
	full := false
	if !closing {
		full = !h.beginLocked(v)
	}
	h.mu.Unlock()
	switch {
	case closing:
		h.refused.Add(refusal.Drain)
		v.End(network.StreamShutdown)
		return
	case full:
		h.refused.Add(refusal.Share)
		v.End(network.StreamResourceLimitExceeded)
		return
	}
	defer func() {
		v.End(network.StreamNoError)
		h.mu.Lock()
		h.doneLocked(v)
		h.mu.Unlock()
	}()
	if !h.cfg.Admit(v.from) && !(v.guest && h.door.GuestStream(s.Conn())) {
		h.refused.Add(refusal.Suspended)
		v.End(network.StreamGated)
		return
	}
	id, _, err := h.mux.Negotiate(s)
	if err != nil {
		h.refused.Add(refusal.Protocol)
		v.End(network.StreamProtocolNegotiationFailed)
		return
	}
	if err := s.SetProtocol(id); err != nil {
		v.End(network.StreamResourceLimitExceeded)
		return
	}
	name := string(id)
	if v.guest && name != ProtocolQuery {
		h.refused.Add(refusal.Stranger)
		v.End(network.StreamGated)
		return
	}
	handler := h.handlers[name]
	for h.serveOne(v, name, handler) {
	}
}

// beginLocked counts a stream in, unless those who share with its peer have too many.
func (h *Host) beginLocked(v *served) bool {
	if v.shared {
		if h.streams[v.share] >= h.door.SharedStreams() {
			return false
		}
		h.streams[v.share]++
	}
	h.serving[v] = struct{}{}
	return true
}

func (h *Host) doneLocked(v *served) {
	delete(h.serving, v)
	if !v.shared {
		return
	}
	if h.streams[v.share]--; h.streams[v.share] == 0 {
		delete(h.streams, v.share)
	}
}

// serveOne reads a frame and writes its reply. It reports whether the stream is good for another.
func (h *Host) serveOne(v *served, name string, handler Handler) bool {
	if v.Enter(inbound.Idle, h.cfg.IdleTimeout) != nil || !h.pause(v) {
		return false
	}
	// After enter: a drain that began before it missed this stream, and one that begins later finds it.
	if h.isClosing() {
		v.Dismiss()
	}
	entered, reserved := false, 0
	defer func() {
		if entered {
			h.leave()
		}
		if reserved > 0 {
			v.Scope().ReleaseMemory(reserved)
		}
	}()
	frame, err := wire.Read(v, h.cfg.MaxFrame, wire.Hooks{
		Began: func() error {
			if err := v.Enter(inbound.Reading, h.cfg.FrameTimeout); err != nil {
				return err
			}
			if entered = h.enter(); !entered {
				return ErrClosed
			}
			return nil
		},
		Reserve: func(n int) error {
			// Twice: while the buffer grows, the old one lives beside the new.
			if err := v.Scope().ReserveMemory(2*n, network.ReservationPriorityAlways); err != nil {
				return err
			}
			reserved = 2 * n
			return nil
		},
	})
	if err != nil {
		h.refuse(v, name, err)
		return false
	}
	return h.answer(v, name, handler, frame)
}

// pause leaves the stream unread for as long as its peer was told to stay away. It reports whether the host goes on.
func (h *Host) pause(v *served) bool {
	if v.paused == 0 {
		return true
	}
	ctx, stop := h.detach(min(v.paused, h.cfg.IdleTimeout))
	defer stop()
	v.paused = 0
	<-ctx.Done()
	return errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// refuse ends a stream whose frame could not be read.
func (h *Host) refuse(v *served, name string, err error) {
	if errors.Is(err, ErrClosed) {
		h.refused.Add(refusal.Drain)
		v.End(v.Untaken())
		return
	}
	cause, code, refused := unread(err)
	if v.WasSlow() {
		cause, refused = refusal.Form, true
	}
	if refused {
		h.refused.Add(cause)
		h.log.Warn("frame refused", slog.String("peer", string(v.from)), slog.String("protocol", name), slog.String("cause", cause.String()))
	}
	v.End(code)
}

// decline answers a frame that is beyond its peer's share, and reports whether the stream is good for another. That
// is not read before the peer may come again: whoever does not heed the answer is held by its own full window, and
// costs no more than one refusal in that time on each stream.
func (h *Host) decline(v *served, name string, r *fairqueue.Refusal) bool {
	cause := causeOf(r.Reason)
	h.refused.Add(cause)
	h.log.Debug("frame refused", slog.String("peer", string(v.from)), slog.String("protocol", name), slog.String("cause", cause.String()),
		slog.Duration("after", r.After))
	if h.cfg.Overloaded == nil {
		v.End(network.StreamRateLimited)
		return false
	}
	if !h.reply(v, h.cfg.Overloaded(r.After)) {
		return false
	}
	v.paused = r.After
	return true
}

// answer has the frame handled and the reply written.
func (h *Host) answer(v *served, name string, handler Handler, frame []byte) bool {
	if !h.cfg.Admit(v.from) && !(v.guest && h.door.GuestFrame(v.Conn())) {
		h.refused.Add(refusal.Suspended)
		v.End(network.StreamGated)
		return false
	}
	if v.Enter(inbound.Working, 0) != nil {
		return false
	}
	wait, done := h.detach(h.cfg.MaxWait)
	slot, refused := h.share.Acquire(wait, v.share, wire.HeaderSize+len(frame))
	done()
	if refused != nil {
		return h.decline(v, name, refused)
	}
	ctx, stop := h.detach(h.cfg.HandlerTimeout)
	defer stop()
	began := time.Now()
	reply, err := h.handle(ctx, v, name, handler, frame, slot)
	if err == nil {
		err = wire.Check(reply, h.cfg.MaxFrame)
	}
	level, event := slog.LevelDebug, "exchange served"
	if err != nil {
		// The handler's own words stay with it: they may name a subject.
		level, event = slog.LevelWarn, "exchange failed"
		h.refused.Add(refusal.Failed)
	}
	h.log.LogAttrs(ctx, level, event, slog.String("peer", string(v.from)), slog.String("protocol", name),
		slog.Int("request_bytes", len(frame)), slog.Int("reply_bytes", len(reply)), slog.Duration("took", time.Since(began)))
	if err != nil {
		v.End(wire.CodeFailed)
		return false
	}
	return h.reply(v, reply)
}

func (h *Host) reply(v *served, payload []byte) bool {
	if v.Enter(inbound.Writing, h.cfg.WriteTimeout) != nil {
		return false
	}
	if _, err := v.Write(wire.Append(make([]byte, 0, wire.HeaderSize+len(payload)), payload)); err != nil {
		v.End(wire.CodeFailed)
		return false
	}
	return true
}

// handle runs the handler with its deadline and turns a panic into an error, so that one bad request cannot end the
// node. The slot is given back when the handler returns, or calls Yield, and not before: a handler that ignores its
// deadline counts for as long as it runs.
func (h *Host) handle(ctx context.Context, v *served, name string, handler Handler, frame []byte,
	slot *fairqueue.Ticket) (reply []byte, err error) {
	ctx, release := withSlot(ctx, slot)
	defer release()
	defer func() {
		if p := recover(); p != nil {
			// Not the panic's value, which may hold the request; its type and place suffice to find the fault.
			h.log.ErrorContext(ctx, "handler panicked", slog.String("peer", string(v.from)), slog.String("protocol", name),
				slog.String("type", fmt.Sprintf("%T", p)), slog.String("at", panicSite()))
			reply, err = nil, errPanicked
		}
	}()
	return handler(ctx, v.from, frame)
}

// panicSite names the function and line that panicked; it must be called from the deferred function.
func panicSite() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}
