package lawbook

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
)

// Current is the law in force. It changes whole, between two decisions. The zero value refuses everything.
type Current struct {
	law       atomic.Pointer[policy.Law]
	suspended atomic.Bool

	mu     sync.Mutex // guards what was found for one law on one day
	of     *policy.Law
	day    time.Time
	serves Served
}

// Set puts a law into force.
func (c *Current) Set(l *policy.Law) { c.law.Store(l) }

// Suspend has no law in force, until [Current.Resume]; it reports whether one was.
func (c *Current) Suspend() (was bool) { return !c.suspended.Swap(true) }

// Resume puts the law back into force; it reports whether it was suspended.
func (c *Current) Resume() (was bool) { return c.suspended.Swap(false) }

// Law returns the law in force; nil for the zero value, and while it is suspended.
func (c *Current) Law() *policy.Law {
	if c.suspended.Load() {
		return nil
	}
	return c.law.Load()
}

// Decide decides by the law that began to, or else the one in force. See [policy.Law.Decide].
func (c *Current) Decide(r policy.Request) policy.Decision {
	if r.Under != nil {
		return r.Under.Decide(r)
	}
	return c.Law().Decide(r)
}

// Served is what a law may allow an answer for: the purposes, each on one of the legal bases at least.
type Served struct{ Purposes, LegalBases []string }

// Serves lists what the law may allow an answer for. It is found anew for another law, and once a day, for a law that
// ends; the slices are the caller's.
func (c *Current) Serves(now time.Time) Served {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, day := c.law.Load(), now.UTC().Truncate(24*time.Hour); l != c.of || !day.Equal(c.day) {
		c.of, c.day, c.serves = l, day, ServedBy(l, now)
	}
	return Served{slices.Clone(c.serves.Purposes), slices.Clone(c.serves.LegalBases)}
}

// ServedBy is what a law serves that need not be in force.
func ServedBy(l *policy.Law, now time.Time) Served {
	return Served{l.Purposes(policy.Answer, now), l.LegalBases(policy.Answer, now)}
}
