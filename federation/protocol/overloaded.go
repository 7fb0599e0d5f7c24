package protocol

import (
	"encoding/binary"
	"time"
)

const (
	overloadedMark = 0x15
	// maxRetryAfter bounds what a peer may make a requester wait: it could as well not answer.
	maxRetryAfter = time.Minute
)

// Overloaded is the frame of a node at its limit (TMG-T-006), which asks the peer to stay away for a time; that is
// rounded up to a millisecond and is at most a minute.
//
//	overloaded = %x15 4OCTET     ; milliseconds, big endian
func Overloaded(after time.Duration) []byte {
	ms := (min(max(after, 0), maxRetryAfter) + time.Millisecond - 1) / time.Millisecond
	return binary.BigEndian.AppendUint32([]byte{overloadedMark}, uint32(ms))
}

// ParseOverloaded reports whether frame is that of a node at its limit, and how long to stay away from it: 0 when
// the frame names no time, never more than a minute.
func ParseOverloaded(frame []byte) (after time.Duration, ok bool) {
	switch {
	case len(frame) == 0 || frame[0] != overloadedMark:
		return 0, false
	case len(frame) == 1:
		return 0, true
	case len(frame) != 5:
		return 0, false
	}
	return min(time.Duration(binary.BigEndian.Uint32(frame[1:]))*time.Millisecond, maxRetryAfter), true
}

// BudgetPause is for how long at least nothing changes after CodeBudget (TMG-P-004).
const BudgetPause = 5 * time.Minute
