package membership

import (
	"errors"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

// maxRollover bounds how many changes of its keys an Anchor passes on.
const maxRollover = 64

// rollover follows an Anchor from the keys that came from out of band to those it has now
// (OpenID Federation section 11.2): every Entity Configuration in tokens that a key known by
// then has signed says which keys are known from there on. Others are passed over, so
// that one who joined later can be given the whole history. It returns the Anchor with the
// keys of the last, and those of the tokens that changed something. Times are not looked at,
// but that they do not go back: the history of an Anchor does not run out.
func rollover(a trust.Anchor, tokens []string) (trust.Anchor, []string) {
	var used []string
	var last time.Time
	for _, token := range tokens {
		s, err := announced(a, token)
		if err != nil || s.IssuedAt().Before(last) {
			continue
		}
		last = s.IssuedAt()
		if sameKeys(a.Keys, s.Keys()) {
			continue
		}
		a.Keys = s.Keys()
		used = append(used, token)
	}
	return a, used
}

// announced verifies an Entity Configuration of the Anchor under its keys.
func announced(a trust.Anchor, token string) (trust.UnverifiedStatement, error) {
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

func sameKeys(a, b jose.KeySet) bool {
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
