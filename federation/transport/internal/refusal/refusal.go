// Package refusal is the closed set of causes for which a host refuses what a peer brings,
// and their count. It decides nothing.
package refusal

import "sync/atomic"

// Cause is why a host refused a peer's connection, stream or frame. The set is closed.
type Cause int

// The causes, in the order in which a peer meets them.
const (
	Handshakes Cause = iota // too many connections whose peer is not known yet, or none left
	Stranger                // no trust chain names the peer
	Suspended               // a connection that was open when its peer ceased to be a member
	Share                   // more connections or streams than those who share one share may have
	Downgrade               // an agreement of keys weaker than both ends have
	Protocol                // a stream for a protocol that is not served, or that took too long to say so
	Memory                  // memory for the peer, or for all, is taken
	Size                    // a frame longer than the limit
	Form                    // a frame without a length, torn, or too slow
	Rate                    // more frames in a second than the peer's budget
	Bytes                   // more bytes in a second than the peer's budget
	Load                    // no handler fell free in time
	Drain                   // the host is closing
	Failed                  // the handler failed
	causes                  // their number
)

// String returns the word for the cause in logs and metrics.
func (c Cause) String() string {
	if c < 0 || c >= causes {
		return "unknown"
	}
	return [causes]string{"handshakes", "stranger", "suspended", "share", "downgrade", "protocol", "memory", "size", "form", "rate", "bytes",
		"load", "drain", "failed"}[c]
}

// Counts counts refusals by cause. The zero value is ready; it is safe for concurrent use.
type Counts struct{ n [causes]atomic.Uint64 }

// Add counts one.
func (r *Counts) Add(c Cause) { r.n[c].Add(1) }

// All is how often there was each cause; every cause is present.
func (r *Counts) All() map[string]uint64 {
	out := make(map[string]uint64, causes)
	for c := range causes {
		out[c.String()] = r.n[c].Load()
	}
	return out
}
