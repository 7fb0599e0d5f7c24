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
)

var errPanicked = errors.New("handler panicked")

// serve runs in the swarm's goroutine for a stream that a peer opened, until the stream ends.
func (h *Host) serve(s network.Stream) {
	v := newServed(s, h.cfg.FrameTimeout)
	h.mu.Lock()
	closing := h.closing
	if !closing {
		h.serving[v] = struct{}{}
	}
	h.mu.Unlock()
	if closing {
		v.end(network.StreamShutdown)
		return
	}
	defer func() {
		v.end(network.StreamNoError)
		h.mu.Lock()
		delete(h.serving, v)
		h.mu.Unlock()
	}()
	if !h.cfg.Admit(v.from) {
		v.end(network.StreamGated)
		return
	}
	id, _, err := h.mux.Negotiate(s)
	if err != nil {
		v.end(network.StreamProtocolNegotiationFailed)
		return
	}
	if err := s.SetProtocol(id); err != nil {
		v.end(network.StreamResourceLimitExceeded)
		return
	}
	name := string(id)
	handler := h.handlers[name]
	for h.serveOne(v, name, handler) {
	}
}

// serveOne reads a frame and writes its reply. It reports whether the stream is good for another.
func (h *Host) serveOne(v *served, name string, handler Handler) bool {
	if v.enter(phaseIdle, h.cfg.IdleTimeout) != nil {
		return false
	}
	// After enter: a drain that began before it missed this stream, and one that begins later finds it.
	if h.isClosing() {
		v.finish()
		return false
	}
	entered, reserved := false, 0
	defer func() {
		if entered {
			h.leave()
		}
		if reserved > 0 {
			v.stream.Scope().ReleaseMemory(reserved)
		}
	}()
	frame, err := readFrame(v.stream, h.cfg.MaxFrame, frameHooks{
		began: func() error {
			if err := v.enter(phaseReading, h.cfg.FrameTimeout); err != nil {
				return err
			}
			if entered = h.enter(); !entered {
				return ErrClosed
			}
			return nil
		},
		reserve: func(n int) error {
			// Twice: while the buffer grows, the old one lives beside the new.
			if err := v.stream.Scope().ReserveMemory(2*n, network.ReservationPriorityAlways); err != nil {
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

// refuse ends a stream whose frame could not be read.
func (h *Host) refuse(v *served, name string, err error) {
	code, reason := network.StreamNoError, ""
	switch {
	case errors.Is(err, ErrClosed):
		code = v.untaken()
	case errors.Is(err, network.ErrResourceLimitExceeded):
		code, reason = network.StreamResourceLimitExceeded, "memory"
	case errors.Is(err, ErrTooLarge):
		code, reason = codeTooLarge, "size"
	case errors.Is(err, ErrMalformed):
		code, reason = codeMalformed, "form"
	}
	if reason != "" {
		h.log.Warn("frame refused", slog.String("peer", string(v.from)), slog.String("protocol", name), slog.String("reason", reason))
	}
	v.end(code)
}

// answer has the frame handled and the reply written.
func (h *Host) answer(v *served, name string, handler Handler, frame []byte) bool {
	if !h.cfg.Admit(v.from) {
		v.end(network.StreamGated)
		return false
	}
	if !h.running.acquire(v.from) {
		h.log.Debug("frame refused", slog.String("peer", string(v.from)), slog.String("protocol", name), slog.String("reason", "load"))
		if len(h.cfg.Overloaded) > 0 {
			return h.reply(v, h.cfg.Overloaded)
		}
		v.end(network.StreamRateLimited)
		return false
	}
	ctx, stop := h.detach(h.cfg.HandlerTimeout)
	defer stop()
	began := time.Now()
	reply, err := h.handle(ctx, v, name, handler, frame)
	if err == nil {
		err = checkPayload(reply, h.cfg.MaxFrame)
	}
	level, event := slog.LevelDebug, "exchange served"
	if err != nil {
		// The handler's own words stay with it: they may name a subject.
		level, event = slog.LevelWarn, "exchange failed"
	}
	h.log.LogAttrs(ctx, level, event, slog.String("peer", string(v.from)), slog.String("protocol", name),
		slog.Int("request_bytes", len(frame)), slog.Int("reply_bytes", len(reply)), slog.Duration("took", time.Since(began)))
	if err != nil {
		v.end(codeFailed)
		return false
	}
	return h.reply(v, reply)
}

func (h *Host) reply(v *served, payload []byte) bool {
	if v.enter(phaseWriting, h.cfg.WriteTimeout) != nil {
		return false
	}
	if _, err := v.stream.Write(appendFrame(make([]byte, 0, headerSize+len(payload)), payload)); err != nil {
		v.end(codeFailed)
		return false
	}
	return true
}

// handle runs the handler with its deadline and turns a panic into an error, so that one bad request cannot end the
// node. The slot of running is given back when the handler returns, not before: a handler that ignores its deadline
// counts for as long as it runs.
func (h *Host) handle(ctx context.Context, v *served, name string, handler Handler, frame []byte) (reply []byte, err error) {
	defer h.running.release(v.from)
	if err := v.enter(phaseWorking, 0); err != nil {
		return nil, err
	}
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
