// Package rollover follows Trust Anchors from the keys that came from out of band to those
// that they have now (OpenID Federation section 11.2).
package rollover

import (
	"errors"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

// Max bounds how many changes of its keys an Anchor passes on.
const Max = 64

const statementType = "entity-statement+jwt"

// Anchor is one as far as it was followed. Values are replaced, never changed.
type Anchor struct {
	trust.Anchor // with the keys that it has now, and since when
	// used are the Entity Configurations that changed the keys, and last the one that was
	// issued last, whether it changed them or not.
	used []string
	last string
}

// Follow follows the Anchor from the keys that came from out of band to those it has now
// (OpenID Federation section 11.2): every Entity Configuration in tokens that a key known by
// then has signed says which keys are known from there on. Others are passed over, so
// that one who joined later can be given the whole history. The history of an Anchor does
// not run out, but it does not go back, and nothing of it is issued after by: what is issued
// in the future would have everything passed over until then.
func (f Anchor) Follow(tokens []string, by time.Time) Anchor {
	f.used = slices.Clone(f.used)
	for _, token := range tokens {
		s, err := Announced(f.Anchor, token)
		if err != nil || s.IssuedAt().Before(f.Since) || s.IssuedAt().After(by) {
			continue
		}
		if !SameKeys(f.Keys, s.Keys()) {
			f.used = append(f.used, token)
		}
		f.Keys, f.Since, f.last = s.Keys(), s.IssuedAt(), token
	}
	return f
}

// Tokens are all that has to be kept to follow the Anchor here again: an announcement that
// was taken back, and that nobody here had followed, must not be followed later.
func (f Anchor) Tokens() []string {
	if f.last == "" || slices.Contains(f.used, f.last) {
		return f.used
	}
	return append(slices.Clone(f.used), f.last)
}

// Last is the Entity Configuration that was issued last, empty when none was followed.
func (f Anchor) Last() string { return f.last }

// Changes is how many changes of keys led here.
func (f Anchor) Changes() int { return len(f.used) }

// Announced verifies an Entity Configuration of the Anchor under its keys.
func Announced(a trust.Anchor, token string) (trust.UnverifiedStatement, error) {
	if _, err := jose.Verify(token, statementType, a.Keys); err != nil {
		return trust.UnverifiedStatement{}, err
	}
	s, err := trust.ParseStatement(token)
	if err != nil {
		return trust.UnverifiedStatement{}, err
	}
	if !s.IsConfiguration() || s.Subject() != a.EntityID {
		return trust.UnverifiedStatement{}, errors.New("it is of another Entity")
	}
	// It must be signed with a key that it announces itself, or nobody could follow on.
	return s, s.VerifyBy(s.Keys())
}

// SameKeys reports whether two sets hold the same keys, in whatever order.
func SameKeys(a, b jose.KeySet) bool {
	ids := func(s jose.KeySet) []string {
		var out []string
		for _, k := range s.Keys() {
			out = append(out, k.KeyID())
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(ids(a), ids(b))
}
