// Package age compares statements that were verified by when they were issued.
package age

import (
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// At is when the superior made its statement in the chain.
func At(c trust.Chain, superior, subject trust.EntityID) time.Time {
	for _, token := range c.Statements() {
		if u, err := trust.ParseStatement(token); err == nil && !u.IsConfiguration() && u.Issuer() == superior && u.Subject() == subject {
			return u.IssuedAt()
		}
	}
	return time.Time{}
}

// Newer reports whether the first of two Entity Configurations was issued after the other.
func Newer(a, b string) bool {
	x, err := trust.ParseStatement(a)
	y, err2 := trust.ParseStatement(b)
	return err == nil && err2 == nil && x.IssuedAt().After(y.IssuedAt())
}

// Older reports whether one of some Subordinate Statements was issued before the one about
// the same Entity, by the same superior, among others that were verified; by more than
// clocks, and copies of one answer that are handed out again, may differ.
func Older(these, others []string) bool {
	for _, token := range these {
		s, err := trust.ParseStatement(token)
		if err != nil || s.IsConfiguration() {
			continue
		}
		for _, other := range others {
			o, err := trust.ParseStatement(other)
			if err == nil && o.Issuer() == s.Issuer() && o.Subject() == s.Subject() && s.IssuedAt().Add(trust.ClockSkew).Before(o.IssuedAt()) {
				return true
			}
		}
	}
	return false
}
