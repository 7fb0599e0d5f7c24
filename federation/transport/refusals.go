package transport

import (
	"errors"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tamga-id/tamga/federation/transport/fairqueue"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// Cause is why a host refused a peer's connection, stream or frame. The set is closed.
type Cause int

// The causes, in the order in which a peer meets them.
const (
	CauseHandshakes Cause = iota // too many connections whose peer is not known yet, or none left
	CauseStranger                // no trust chain names the peer
	CauseSuspended               // a connection that was open when its peer ceased to be a member
	CauseShare                   // more connections or streams than those who share one share may have
	CauseDowngrade               // an agreement of keys weaker than both ends have
	CauseProtocol                // a stream for a protocol that is not served, or that took too long to say so
	CauseMemory                  // memory for the peer, or for all, is taken
	CauseSize                    // a frame longer than the limit
	CauseForm                    // a frame without a length, torn, or too slow
	CauseRate                    // more frames in a second than the peer's budget
	CauseBytes                   // more bytes in a second than the peer's budget
	CauseLoad                    // no handler fell free in time
	CauseDrain                   // the host is closing
	CauseFailed                  // the handler failed
	causes                       // their number
)

// String returns the word for the cause in logs and metrics.
func (c Cause) String() string {
	if c < 0 || c >= causes {
		return "unknown"
	}
	return [causes]string{"handshakes", "stranger", "suspended", "share", "downgrade", "protocol", "memory", "size", "form", "rate", "bytes",
		"load", "drain", "failed"}[c]
}

// refusals counts by cause.
type refusals struct{ n [causes]atomic.Uint64 }

func (r *refusals) add(c Cause) { r.n[c].Add(1) }

// Refusals returns how often the host has refused for each cause since New; every cause is present.
func (h *Host) Refusals() map[string]uint64 {
	out := make(map[string]uint64, causes)
	for c := range causes {
		out[c.String()] = h.refused.n[c].Load()
	}
	return out
}

// Load returns how many frames of peers are worked on, and how many wait for that.
func (h *Host) Load() (running, waiting int) { return h.share.Load() }

// causeOf names the limit of a share that refused.
func causeOf(r fairqueue.Reason) Cause {
	switch r {
	case fairqueue.Rate:
		return CauseRate
	case fairqueue.Bytes:
		return CauseBytes
	case fairqueue.Ended:
		return CauseDrain
	}
	return CauseLoad
}

// unread is the cause for a frame that could not be read, and the code for its stream. A stream that simply ends, or
// whose timer has ended it, has none of its own.
func unread(err error) (c Cause, code network.StreamErrorCode, refused bool) {
	switch {
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return CauseMemory, network.StreamResourceLimitExceeded, true
	case errors.Is(err, ErrTooLarge):
		return CauseSize, wire.CodeTooLarge, true
	case errors.Is(err, ErrMalformed):
		return CauseForm, wire.CodeMalformed, true
	}
	return 0, network.StreamNoError, false
}
