package directory

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/resolver"
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

// gather collects evidence for the marks of a chain that was resolved anew: issuers' chains,
// what the Anchor has published of their status since and, where the last status is past a
// quarter of what it is good for all the same, a new one. What cannot be had anew stays as it was.
func (w *walk) gather(ctx context.Context, c trust.Chain) []trustmark.Evidence {
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
		if by, ok := ev.IssuerOf(c, *w.d.anchors.Load()); ok && by.Status {
			if w.d.published != nil {
				if status, ok := w.d.published(by.ID, ev.Mark); ok {
					ev.Status = by.Later(ev.Status, status, ev.Mark, w.now)
				}
			}
			_, at, err := trustmark.VerifyStatus(ev.Status, ev.Mark, by.ID, by.Keys, w.now)
			if err != nil || w.now.Sub(at) >= w.d.markStaleness/4 {
				if status, ok := w.status(ctx, by.ID, ev.Mark); ok {
					ev.Status = by.Later(ev.Status, status, ev.Mark, w.now)
				}
			}
		}
	}
	return all
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
func (w *walk) remembered(c trust.Chain) []trustmark.Evidence {
	var out []trustmark.Evidence
	for _, held := range c.TrustMarks {
		issuers, recognised := c.MarkRules.Issuers[held.Type]
		u, err := trustmark.Read(held.Token)
		if err != nil || !recognised || (len(issuers) > 0 && !slices.Contains(issuers, u.Issuer)) {
			continue
		}
		ev := trustmark.Evidence{}
		if e := w.known(c.Leaf); e != nil {
			if i := slices.IndexFunc(e.evidence, func(ev trustmark.Evidence) bool { return ev.Mark == held.Token }); i >= 0 {
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
	c, _ := resolver.Resolver{Anchors: []trust.Anchor{w.anchor}, Source: w.d.source}.Resolve(one, id, w.now)
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
	return b.with(func(c trust.Chain) []trustmark.Evidence { return b.gather(ctx, c) })
}

// rememberMarks gives the members that the branch found the marks that are known of them.
func (b *branch) rememberMarks() { b.found = b.with(b.remembered) }

// with are the members that the branch found, with marks by the evidence for each.
func (b *branch) with(evidence func(trust.Chain) []trustmark.Evidence) []*entry {
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
			marked.node.Marks = trustmark.Valid(c, marked.evidence, *b.d.anchors.Load(), b.d.markStaleness, b.now)
			out[i] = &marked
			return nil
		})
	}
	g.Wait()
	return out
}
