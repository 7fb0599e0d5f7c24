package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// Errors that callers branch on, with errors.Is. Libp2p's own errors are never part of the contract.
var (
	// ErrUnreachable: no connection; nothing was sent, or the peer said it took nothing because it is closing.
	ErrUnreachable = errors.New("peer unreachable")
	// ErrNotAdmitted: our gate does not know the peer, or the peer's gate closed on us. For TCP, whose gate gives no
	// reason, a new connection closed by the peer before any byte counts as this.
	ErrNotAdmitted = errors.New("peer not admitted")
	// ErrTooLarge: our frame is longer than we or the peer allow, or the peer's reply is longer than we allow.
	ErrTooLarge = wire.ErrTooLarge
	// ErrTimeout: the deadline passed. When it passed after the request was written the peer may have handled it.
	ErrTimeout = errors.New("exchange timed out")
	// ErrOverloaded: the peer has too much in hand and did not take the request.
	ErrOverloaded = errors.New("peer overloaded")
	// ErrUnsupported: the peer does not speak the protocol.
	ErrUnsupported = errors.New("protocol not supported by peer")
	// ErrInterrupted: connection or stream ended after the request was written; the peer may have handled it.
	ErrInterrupted = errors.New("exchange interrupted")
	// ErrMalformed: a frame with no payload, or one that ends early.
	ErrMalformed = wire.ErrMalformed
	// ErrClosed: the host is draining or closed.
	ErrClosed = errors.New("transport closed")
	// ErrListen: New could not listen on an address. The system's error, if it gave one, is a syscall.Errno beside it.
	ErrListen = errors.New("cannot listen")
)

// Attempt is the outcome of trying one address.
type Attempt struct {
	Addr string // multiaddr, as given or as resolved from the given name
	Err  error  // why it failed; its text is for people
}

// DialError says that no address of a peer led to a connection, and why for each. errors.Is finds ErrUnreachable in
// it, and ErrTimeout or ErrNotAdmitted when an attempt ended so.
type DialError struct {
	Peer     PeerID
	Attempts []Attempt
}

// Error lists every address with its cause.
func (e *DialError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dialling %s: %d addresses tried", e.Peer, len(e.Attempts))
	for _, a := range e.Attempts {
		fmt.Fprintf(&b, "; %s: %v", a.Addr, a.Err)
	}
	return b.String()
}

// Unwrap returns ErrUnreachable and the causes.
func (e *DialError) Unwrap() []error {
	errs := make([]error, 1, len(e.Attempts)+1)
	errs[0] = ErrUnreachable
	for _, a := range e.Attempts {
		errs = append(errs, a.Err)
	}
	return errs
}

// maxCauseText bounds the text of a libp2p cause: part of it can come from the remote end.
const maxCauseText = 200

// opaque keeps a libp2p cause as text only, so that its types do not become our contract.
func opaque(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	if wire.Gated(err) {
		return ErrNotAdmitted
	}
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > maxCauseText {
		s = s[:maxCauseText] + "…"
	}
	return errors.New(s)
}

// listening says which address cannot be listened on and what the system said about it.
func listening(addr string, err error) error {
	if cause, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("%w on %s: %w", ErrListen, addr, cause)
	}
	return fmt.Errorf("%w on %s: %v", ErrListen, addr, opaque(err))
}

// errDraining is the cause of an attempt at a peer that is shutting down.
var errDraining = errors.New("shutting down")

// classify turns a failure of a stream into one of the package's sentinels.
func classify(ctx context.Context, doing string, err error) error {
	if cause := ctx.Err(); cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			return fmt.Errorf("%s: %w", doing, ErrTimeout)
		}
		return fmt.Errorf("%s: %w", doing, cause)
	}
	for _, known := range []error{ErrTooLarge, ErrMalformed, ErrUnsupported, ErrTimeout, ErrNotAdmitted, ErrUnreachable, ErrOverloaded, ErrClosed} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	kind := ErrInterrupted
	switch code := wire.ResetCode(err); {
	case wire.Gated(err):
		kind = ErrNotAdmitted
	case code == network.StreamResourceLimitExceeded, code == network.StreamRateLimited, errors.Is(err, network.ErrResourceLimitExceeded):
		kind = ErrOverloaded
	case code == network.StreamShutdown, errors.Is(err, wire.ErrUntouched):
		return fmt.Errorf("%s: %w: %w", doing, ErrUnreachable, wire.ErrUntouched)
	case code == wire.CodeTooLarge:
		kind = ErrTooLarge
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: %w: stream ended without a reply", doing, kind)
	}
	return fmt.Errorf("%s: %w: %v", doing, kind, opaque(err))
}
