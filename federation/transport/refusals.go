package transport

import (
	"errors"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tamga-id/tamga/federation/transport/fairqueue"
	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// Refusals returns how often the host has refused for each cause since New; every cause is present.
func (h *Host) Refusals() map[string]uint64 {
	return h.refused.All()
}

// Load returns how many frames of peers are worked on, and how many wait for that.
func (h *Host) Load() (running, waiting int) { return h.share.Load() }

// causeOf names the limit of a share that refused.
func causeOf(r fairqueue.Reason) refusal.Cause {
	switch r {
	case fairqueue.Rate:
		return refusal.Rate
	case fairqueue.Bytes:
		return refusal.Bytes
	case fairqueue.Ended:
		return refusal.Drain
	}
	return refusal.Load
}

// unread is the cause for a frame that could not be read, and the code for its stream. A stream that simply ends, or
// whose timer has ended it, has none of its own.
func unread(err error) (c refusal.Cause, code network.StreamErrorCode, refused bool) {
	switch {
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return refusal.Memory, network.StreamResourceLimitExceeded, true
	case errors.Is(err, ErrTooLarge):
		return refusal.Size, wire.CodeTooLarge, true
	case errors.Is(err, ErrMalformed):
		return refusal.Form, wire.CodeMalformed, true
	}
	return 0, network.StreamNoError, false
}
