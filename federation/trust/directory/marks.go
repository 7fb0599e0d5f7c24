package directory

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

const (
	// defaultMarkStaleness is how long the last word of an issuer that a Trust Mark is
	// active is good for: how long a revoked mark counts where its issuer cannot be
	// reached.
	defaultMarkStaleness = 6 * time.Hour
	// markTimeout is for one issuer to be asked once, and marksTimeout for all about one
	// member: one whose marks are of issuers that stall loses its own marks, in the end, and
	// nobody else's.
	markTimeout  = 5 * time.Second
	marksTimeout = 15 * time.Second
	markWorkers  = 8
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
// which it does: it is over already where nobody knows by now whether the mark still is
// active. now is when the evidence is looked at; a mark that ended by then, or that its issuer
// has revoked, is not among them.
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
		ends := by.until
		if !m.ExpiresAt.IsZero() && m.ExpiresAt.Before(ends) {
			ends = m.ExpiresAt
		}
		until := ends
		if by.status {
			status, at, err := trustmark.VerifyStatus(ev.Status, ev.Mark, by.id, by.keys, now)
			if err == nil && status != trustmark.Active {
				continue
			}
			if err != nil {
				until = time.Time{}
			} else if stale := at.Add(d.markStaleness); stale.Before(until) {
				until = stale
			}
		}
		if now.Before(ends) {
			out = append(out, trust.ValidMark{Type: m.Type, Issuer: m.Issuer, Until: until, Ends: ends})
		}
	}
	return out
}

// gather collects evidence for the marks of a chain that was resolved anew: issuers' chains,
// what the Anchor has published of their status since and, where the last status is past a
// quarter of what it is good for all the same, a new one. What cannot be had anew stays as it was.
func (w *walk) gather(ctx context.Context, c trust.Chain) []evidence {
	ctx, cancel := context.WithTimeout(ctx, marksTimeout)
	defer cancel()
	all := w.remembered(c)
	for i := range all {
		ev := &all[i]
		u, err := trustmark.Read(ev.Mark)
		if err != nil || ctx.Err() != nil {
			continue
		}
		if u.Issuer != c.Anchor && u.Issuer != c.Leaf {
			if by, ok := w.issuer(ctx, u.Issuer); ok {
				ev.Issuer = by.Statements()
			}
		}
		if by, ok := w.d.issuerOf(c, *ev); ok && by.status {
			if w.d.published != nil {
				if status, ok := w.d.published(by.id, ev.Mark); ok {
					ev.Status = later(ev.Status, status, ev.Mark, by, w.now)
				}
			}
			_, at, err := trustmark.VerifyStatus(ev.Status, ev.Mark, by.id, by.keys, w.now)
			if err != nil || w.now.Sub(at) >= w.d.markStaleness/4 {
				if status, ok := w.status(ctx, by.id, ev.Mark); ok {
					ev.Status = later(ev.Status, status, ev.Mark, by, w.now)
				}
			}
		}
	}
	return all
}

// later is the one of two status responses that was given later, and the first where the second
// is not good: who keeps an old one does not take a revocation back with it. Of one second, the
// one that is not active counts.
func later(known, heard, mark string, by issuer, now time.Time) string {
	_, at, err := trustmark.VerifyStatus(heard, mark, by.id, by.keys, now)
	if err != nil {
		return known
	}
	status, before, err := trustmark.VerifyStatus(known, mark, by.id, by.keys, now)
	if err == nil && (at.Before(before) || at.Equal(before) && status != trustmark.Active) {
		return known
	}
	return heard
}

// status asks an issuer about a mark, unless it has let somebody wait in this walk.
func (w *walk) status(ctx context.Context, issuer trust.EntityID, mark string) (string, bool) {
	w.mu.Lock()
	silent := w.silent[issuer]
	w.mu.Unlock()
	if silent {
		return "", false
	}
	one, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	status, err := w.d.source.MarkStatus(one, issuer, mark)
	if one.Err() != nil && ctx.Err() == nil {
		w.mu.Lock()
		w.silent[issuer] = true
		w.mu.Unlock()
	}
	return status, err == nil
}

// remembered is what is known of those marks of a chain that can count: their types are
// recognised, and their issuers may issue them.
func (w *walk) remembered(c trust.Chain) []evidence {
	var out []evidence
	for _, held := range c.TrustMarks {
		issuers, recognised := c.MarkRules.Issuers[held.Type]
		u, err := trustmark.Read(held.Token)
		if err != nil || !recognised || (len(issuers) > 0 && !slices.Contains(issuers, u.Issuer)) {
			continue
		}
		ev := evidence{}
		if e := w.known(c.Leaf); e != nil {
			if i := slices.IndexFunc(e.evidence, func(ev evidence) bool { return ev.Mark == held.Token }); i >= 0 {
				ev = e.evidence[i]
			}
		}
		ev.Mark = held.Token
		out = append(out, ev)
	}
	return out
}

// issuer resolves an issuer once in a walk; most were on its way.
func (w *walk) issuer(ctx context.Context, id trust.EntityID) (trust.Chain, bool) {
	if c, asked := w.chain(id); asked {
		return c, c.Leaf != ""
	}
	one, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	c, _ := trust.Resolver{Anchors: []trust.Anchor{w.anchor}, Source: w.d.source}.Resolve(one, id, w.now)
	if c.Leaf != "" || ctx.Err() == nil { // else it was not its fault, and others ask again
		w.mu.Lock()
		if _, asked := w.chains[id]; !asked {
			w.chains[id] = c // zero when there is none: it is not asked for again
		}
		w.mu.Unlock()
	}
	return c, c.Leaf != ""
}

// marked are the members that the branch found, with their marks evaluated anew.
func (b *branch) marked(ctx context.Context) []*entry {
	return b.with(func(c trust.Chain) []evidence { return b.gather(ctx, c) })
}

// rememberMarks gives the members that the branch found the marks that are known of them.
func (b *branch) rememberMarks() { b.found = b.with(b.remembered) }

// with are the members that the branch found, with marks by the evidence for each.
func (b *branch) with(evidence func(trust.Chain) []evidence) []*entry {
	out := slices.Clone(b.found)
	var g errgroup.Group
	g.SetLimit(markWorkers)
	for _, i := range turns(len(out)) {
		c, _ := b.chain(out[i].node.EntityID)
		if c.Leaf == "" || len(c.TrustMarks) == 0 || c.Anchor != out[i].anchor {
			continue
		}
		g.Go(func() error {
			marked := *out[i]
			marked.evidence = evidence(c)
			marked.node.Marks = b.d.marks(c, marked.evidence, b.now)
			out[i] = &marked
			return nil
		})
	}
	g.Wait()
	return out
}
