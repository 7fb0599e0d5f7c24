// Package wire is what two hosts write to each other on a stream: frames, and the codes with
// which a stream is reset. Package transport has the table of codes and the grammar of frames.
//
// [Read] and [Append] are the two ends of a frame. [ResetCode], [Gated] and [Untouched] say
// what a reset by the other end means. The package keeps no time and no streams.
package wire

import (
	"errors"

	"github.com/libp2p/go-libp2p/core/network"
)

var (
	// ErrTooLarge: a frame is longer than is allowed.
	ErrTooLarge = errors.New("frame too large")
	// ErrMalformed: a frame with no payload, or one that ends early.
	ErrMalformed = errors.New("malformed frame")
)

// Stream reset codes beyond libp2p's own. CodeGivenUp carries the number of
// replies sent, so that a peer whose request crossed the reset knows whether the lost thing was the request, which it
// may then repeat, or the reply.
const (
	CodeGivenUp   network.StreamErrorCode = 0x74b0 // to 0x74bf
	CodeTooLarge  network.StreamErrorCode = 0x74a1
	CodeMalformed network.StreamErrorCode = 0x74a2
	CodeFailed    network.StreamErrorCode = 0x74a3
)

// ErrUntouched marks a request that the remote declared it did not handle, for a reason a fresh stream may cure.
var ErrUntouched = errors.New("peer gave up the stream before the request")

// GivenUp is the code for a stream given up after n replies.
func GivenUp(n uint) network.StreamErrorCode { return CodeGivenUp + network.StreamErrorCode(n%16) }

// Untouched reports that the remote gave the stream up before it saw the request after n replies.
func Untouched(err error, n uint) bool {
	code := ResetCode(err)
	return code == GivenUp(n) || n == 0 && code == network.StreamShutdown
}

// Gated reports whether the remote gate said no, on the connection or on the stream.
func Gated(err error) bool {
	if c, ok := errors.AsType[*network.ConnError](err); ok {
		return c.Remote && c.ErrorCode == network.ConnGated
	}
	return ResetCode(err) == network.StreamGated
}

// ResetCode returns the code with which the remote reset the stream, or 0.
func ResetCode(err error) network.StreamErrorCode {
	if s, ok := errors.AsType[*network.StreamError](err); ok && s.Remote {
		return s.ErrorCode
	}
	return 0
}
