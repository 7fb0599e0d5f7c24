package directory

import (
	"context"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

const (
	// defaultMarkStaleness is how long the last word of an issuer that a Trust Mark is
	// active is good for: how long a revoked mark counts where its issuer cannot be
	// reached.
	defaultMarkStaleness = 6 * time.Hour
)

// evidence is what makes a Trust Mark valid beside the mark: the issuer's Trust Chain,
// unless the issuer is the Anchor or the member itself, and its last status response.
// Both are tokens, verified again when they are read from the cache file.
type evidence struct {
	Mark   string   `json:"mark"`
	Issuer []string `json:"issuer,omitempty"`
	Status string   `json:"status,omitempty"`
}

// issuer is who issued a mark, as far as the mark's own Anchor vouches for it.
type issuer struct {
	id     trust.EntityID
	keys   jose.KeySet
	until  time.Time
	status bool // whether it says which of its marks are active
}

// issuerOf finds the keys of a mark's issuer.
func (d *Directory) issuerOf(c trust.Chain, ev evidence) (issuer, bool) {
	u, err := trustmark.Read(ev.Mark)
	if err != nil {
		return issuer{}, false
	}
	switch {
	case u.Issuer == c.Anchor:
		own, err := trust.ParseStatement(c.Statements()[len(c.Statements())-1])
		if err != nil {
			return issuer{}, false
		}
		m, err := own.Metadata()
		return issuer{u.Issuer, c.AnchorKeys, c.ExpiresAt, err == nil && hasStatus(m)}, err == nil
	case u.Issuer == c.Leaf:
		return issuer{u.Issuer, c.JWKS, c.ExpiresAt, hasStatus(c.Metadata)}, true
	}
	by, err := trust.VerifyUndated(ev.Issuer, *d.anchors.Load())
	if err != nil || by.Leaf != u.Issuer || by.Anchor != c.Anchor {
		return issuer{}, false
	}
	return issuer{u.Issuer, by.JWKS, by.ExpiresAt, hasStatus(by.Metadata)}, true
}

func hasStatus(m trust.Metadata) bool {
	return m.FederationEntity != nil && m.FederationEntity.MarkStatusEndpoint != ""
}

// marks are those of a chain's Leaf that evidence makes valid, each with the time until
// which it does. now is when the evidence is looked at; a mark that ended by then is not
// among them.
func (d *Directory) marks(c trust.Chain, all []evidence, now time.Time) []trust.ValidMark {
	var out []trust.ValidMark
	for _, ev := range all {
		by, ok := d.issuerOf(c, ev)
		if !ok {
			continue
		}
		m, err := trustmark.Verify(ev.Mark, c.Leaf, c.MarkRules, by.keys, now)
		if err != nil {
			continue
		}
		until := by.until
		if !m.ExpiresAt.IsZero() && m.ExpiresAt.Before(until) {
			until = m.ExpiresAt
		}
		if by.status {
			status, at, err := trustmark.VerifyStatus(ev.Status, ev.Mark, by.id, by.keys, now)
			if err != nil || status != trustmark.Active {
				continue
			}
			if stale := at.Add(d.markStaleness); stale.Before(until) {
				until = stale
			}
		}
		if now.Before(until) {
			out = append(out, trust.ValidMark{Type: m.Type, Issuer: m.Issuer, Until: until})
		}
	}
	return out
}

// gather collects evidence for the marks of a chain that was resolved anew: issuers' chains
// and, where the last status is past a quarter of what it is good for, a new one. What
// cannot be had anew stays as it was.
func (w *walk) gather(ctx context.Context, c trust.Chain) []evidence {
	var out []evidence
	for _, held := range c.TrustMarks {
		if _, recognised := c.MarkRules.Issuers[held.Type]; !recognised {
			continue
		}
		ev := w.before(c, held.Token)
		ev.Mark = held.Token
		u, err := trustmark.Read(held.Token)
		if err != nil {
			continue
		}
		if u.Issuer != c.Anchor && u.Issuer != c.Leaf {
			if by, ok := w.issuer(ctx, u.Issuer); ok {
				ev.Issuer = by.Statements()
			}
		}
		if by, ok := w.d.issuerOf(c, ev); ok && by.status {
			_, at, err := trustmark.VerifyStatus(ev.Status, ev.Mark, by.id, by.keys, w.now)
			if err != nil || w.now.Sub(at) >= w.d.markStaleness/4 {
				if status, err := w.d.source.MarkStatus(ctx, by.id, ev.Mark); err == nil {
					ev.Status = status
				}
			}
		}
		out = append(out, ev)
	}
	return out
}

// before is the evidence that is known of a mark.
func (w *walk) before(c trust.Chain, mark string) evidence {
	for _, e := range w.old.all() {
		if e.node.EntityID != c.Leaf || e.anchor != c.Anchor {
			continue
		}
		for _, ev := range e.evidence {
			if ev.Mark == mark {
				return ev
			}
		}
	}
	return evidence{}
}

// issuer resolves an issuer once in a walk; most were on its way.
func (w *walk) issuer(ctx context.Context, id trust.EntityID) (trust.Chain, bool) {
	if c, ok := w.chains[id]; ok {
		return c, c.Leaf != ""
	}
	c, _ := trust.Resolver{Anchors: []trust.Anchor{w.anchor}, Source: w.d.source}.Resolve(ctx, id, w.now)
	w.chains[id] = c // zero when there is none: it is not asked for again
	return c, c.Leaf != ""
}

// addMarks evaluates the marks of all that the walk found anew.
func (w *walk) addMarks(ctx context.Context) {
	for i, e := range w.found {
		c, ok := w.chains[e.node.EntityID]
		if !ok || c.Leaf == "" || len(c.TrustMarks) == 0 {
			continue
		}
		marked := *e
		marked.evidence = w.gather(ctx, c)
		marked.node.Marks = w.d.marks(c, marked.evidence, w.now)
		w.found[i] = &marked
	}
}
