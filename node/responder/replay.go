package responder

import (
	"errors"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
)

const (
	// replayGeneration is longer than a Query can live: its lifetime, the skew
	// allowed on both sides, and room.
	replayGeneration = protocol.MaxLifetime + 2*protocol.MaxSkew + 5*time.Second

	// maxRemembered bounds what one member can make a node remember in a
	// generation: over 6,000 Queries a second from one country, in some 20 MB.
	maxRemembered = 500_000
)

var errReplayFull = errors.New("remembering query: the issuer's share is full")

// ReplayMemory is Replay in memory. The zero value is ready and safe for
// concurrent use. Its size is bounded for each issuer, so that a flood by one
// member cannot push another's Queries out.
type ReplayMemory struct {
	mu      sync.Mutex // guards issuers and what they hold
	issuers map[string]*seen
}

// seen keeps two generations; the older is dropped whole once all of it expired.
type seen struct {
	current, previous map[string]struct{}
	rotated           time.Time
}

// Fresh reports whether (issuer, jti) is new, and remembers it for longer than
// any Query lives. The error says that the issuer's share is full.
func (m *ReplayMemory) Fresh(issuer, jti string, now time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.issuers[issuer]
	if s == nil {
		if m.issuers == nil {
			m.issuers = make(map[string]*seen)
		}
		s = &seen{current: make(map[string]struct{}), rotated: now}
		m.issuers[issuer] = s
	}
	if now.Sub(s.rotated) > replayGeneration {
		s.previous, s.current, s.rotated = s.current, make(map[string]struct{}), now
	}
	if _, old := s.current[jti]; old {
		return false, nil
	}
	if _, old := s.previous[jti]; old {
		return false, nil
	}
	if len(s.current) >= maxRemembered {
		return false, errReplayFull
	}
	s.current[jti] = struct{}{}
	return true, nil
}
