package trustmark

import (
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

// Evidence is what makes a Trust Mark valid beside the mark: the issuer's Trust Chain,
// unless the issuer is the Anchor or the member itself, and its last status response.
// Both are tokens, verified again when they are read from the cache file.
type Evidence struct {
	Mark   string   `json:"mark"`
	Issuer []string `json:"issuer,omitempty"`
	Status string   `json:"status,omitempty"`
}

// Issuer is who issued a mark, as far as the mark's own Anchor vouches for it.
type Issuer struct {
	ID     trust.EntityID
	Keys   jose.KeySet
	Until  time.Time
	Status bool // whether it says which of its marks are active
}

// IssuerOf finds the keys of the issuer of a mark of the Leaf of c.
func (ev Evidence) IssuerOf(c trust.Chain, anchors []trust.Anchor) (Issuer, bool) {
	u, err := Read(ev.Mark)
	if err != nil {
		return Issuer{}, false
	}
	switch {
	case u.Issuer == c.Anchor:
		own, err := trust.ParseStatement(c.Statements()[len(c.Statements())-1])
		if err != nil {
			return Issuer{}, false
		}
		m, err := own.Metadata()
		return Issuer{u.Issuer, c.AnchorKeys, c.ExpiresAt, err == nil && hasStatus(m)}, err == nil
	case u.Issuer == c.Leaf:
		return Issuer{u.Issuer, c.JWKS, c.ExpiresAt, hasStatus(c.Metadata)}, true
	}
	by, err := trust.VerifyUndated(ev.Issuer, anchors)
	if err != nil || by.Leaf != u.Issuer || by.Anchor != c.Anchor {
		return Issuer{}, false
	}
	return Issuer{u.Issuer, by.JWKS, by.ExpiresAt, hasStatus(by.Metadata)}, true
}

func hasStatus(m trust.Metadata) bool {
	return m.FederationEntity != nil && m.FederationEntity.MarkStatusEndpoint != ""
}

// Valid are those marks of a chain's Leaf that evidence makes valid, each with the time until
// which it does: it is over already where nobody knows by now whether the mark still is
// active. now is when the evidence is looked at; a mark that ended by then, or that its issuer
// has revoked, is not among them.
func Valid(c trust.Chain, all []Evidence, anchors []trust.Anchor, staleness time.Duration, now time.Time) []trust.ValidMark {
	var out []trust.ValidMark
	for _, ev := range all {
		by, ok := ev.IssuerOf(c, anchors)
		if !ok {
			continue
		}
		m, err := Verify(ev.Mark, c.Leaf, c.MarkRules, by.Keys, now)
		if err != nil {
			continue
		}
		ends := by.Until
		if !m.ExpiresAt.IsZero() && m.ExpiresAt.Before(ends) {
			ends = m.ExpiresAt
		}
		until := ends
		if by.Status {
			status, at, err := VerifyStatus(ev.Status, ev.Mark, by.ID, by.Keys, now)
			if err == nil && status != Active {
				continue
			}
			if err != nil {
				until = time.Time{}
			} else if stale := at.Add(staleness); stale.Before(until) {
				until = stale
			}
		}
		if now.Before(ends) {
			out = append(out, trust.ValidMark{Type: m.Type, Issuer: m.Issuer, Until: until, Ends: ends})
		}
	}
	return out
}

// Later is the one of two status responses that was given later, and the first where the second
// is not good: who keeps an old one does not take a revocation back with it. Of one second, the
// one that is not active counts.
func (by Issuer) Later(known, heard, mark string, now time.Time) string {
	_, at, err := VerifyStatus(heard, mark, by.ID, by.Keys, now)
	if err != nil {
		return known
	}
	status, before, err := VerifyStatus(known, mark, by.ID, by.Keys, now)
	if err == nil && (at.Before(before) || at.Equal(before) && status != Active) {
		return known
	}
	return heard
}
