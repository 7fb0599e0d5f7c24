package responder

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
)

const (
	// queryReach is how long after it was first seen a Query can still pass the test
	// of its times: its lifetime, and how far in the future it may have been issued.
	queryReach = protocol.MaxLifetime + protocol.MaxSkew

	// replayGeneration is longer than that, with room for handlers that wait.
	replayGeneration = queryReach + 10*time.Second

	// maxRemembered bounds what one member can make a node remember in a generation:
	// over 6,000 Queries a second from one country, in some 20 MB for each of two
	// generations.
	maxRemembered = 500_000
)

var (
	errReplayFull  = errors.New("remembering query: the issuer's share is full")
	errReplayClock = errors.New("remembering query: the clock is behind what was forgotten")
)

// ReplayMemory is Replay in memory. The zero value is ready and safe for
// concurrent use. Its size is bounded for each issuer, so that a flood by one
// member cannot push another's Queries out.
type ReplayMemory struct {
	mu        sync.Mutex // guards what follows
	issuers   map[string]*seen
	forgotten time.Time // until when Queries were seen that are no longer here
}

// seen keeps two generations of one issuer's Queries; the older is dropped whole
// once all of it expired.
type seen struct {
	current, previous map[jtiKey]struct{}
	rotated           time.Time // when current began
}

// jtiKey bounds what an identifier costs, and keeps the Query's payload, of which
// the identifier may be a part, from being held.
type jtiKey [16]byte

// Fresh reports whether (issuer, jti) is new, and remembers it for longer than
// any Query lives. An error says that the issuer's share is full, or that the clock
// went back so far that a Query which was forgotten could pass for a new one.
func (m *ReplayMemory) Fresh(issuer, jti string, now time.Time) (bool, error) {
	sum := sha256.Sum256([]byte(jti))
	key := jtiKey(sum[:])
	// The wall clock alone: Queries expire by it, and it may be set back.
	now = now.Round(0)
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shareLocked(issuer, now)
	_, current := s.current[key]
	_, previous := s.previous[key]
	switch {
	case current || previous:
		return false, nil
	case now.Before(m.forgotten.Add(queryReach)):
		return false, errReplayClock
	case len(s.current) >= maxRemembered:
		return false, errReplayFull
	}
	s.current[key] = struct{}{}
	return true, nil
}

// shareLocked returns the issuer's generations, rotated when it is time to.
func (m *ReplayMemory) shareLocked(issuer string, now time.Time) *seen {
	s := m.issuers[issuer]
	switch {
	case s == nil:
		if m.issuers == nil {
			m.issuers = make(map[string]*seen)
		}
		s = &seen{current: make(map[jtiKey]struct{}), rotated: now}
		m.issuers[issuer] = s
	case now.Sub(s.rotated) > replayGeneration:
		// What is dropped was seen before current began.
		m.forgetLocked(s.rotated)
		s.previous, s.current, s.rotated = s.current, make(map[jtiKey]struct{}), now
		m.sweepLocked(now)
	}
	return s
}

// sweepLocked drops issuers of whom nothing was heard for so long that none of what
// is remembered of them can come again.
func (m *ReplayMemory) sweepLocked(now time.Time) {
	for name, s := range m.issuers {
		if now.Sub(s.rotated) > 2*replayGeneration {
			m.forgetLocked(s.rotated.Add(replayGeneration))
			delete(m.issuers, name)
		}
	}
}

// forgetLocked notes that Queries seen before the given time are dropped.
func (m *ReplayMemory) forgetLocked(before time.Time) {
	if before.After(m.forgotten) {
		m.forgotten = before
	}
}
