package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/responder"
)

// counted counts Queries where the operator set a limit, or the law in force asks how many there were: each count is a
// write to the store, which others need not pay for.
type counted struct {
	book      *budget.Book
	limited   bool
	law       *lawbook.Current
	direction string
}

var _ responder.Budgets = counted{}

func (c counted) idle() bool { return !c.limited && !c.law.Law().AsksCounts(c.direction) }

func (c counted) Begin(a budget.Ask, now time.Time) (budget.Counts, bool, error) {
	if c.idle() {
		return budget.Counts{}, false, nil
	}
	return c.book.Begin(a, now)
}

func (c counted) End(a budget.Ask, matched bool, now time.Time) (locks, locked bool, err error) {
	if c.idle() {
		return false, false, nil
	}
	return c.book.End(a, matched, now)
}

// budgets is what counts foreign Queries.
func (n *Node) budgets() responder.Budgets {
	return counted{n.counts(), n.cfg.Budgets != (config.Budgets{}), n.law.Current(), policy.Answer}
}

// ownCounts counts what own officers ask abroad, where the law in force asks for it; no limit is set on them. In the book
// this node is a requester like others, who never asks itself.
func (n *Node) ownCounts(subject pseudonym.Identifier, officer, purpose string, now time.Time) (policy.Counts, error) {
	c := counted{budget.New(n.rows, [32]byte{}, budget.Limits{}), false, n.law.Current(), policy.Ask}
	before, _, err := c.Begin(budget.Ask{Country: n.cfg.Jurisdiction, Requester: n.cfg.EntityID, Officer: officer, Purpose: purpose, Subject: subject}, now)
	return before.Law(), err
}

func (n *Node) counts() *budget.Book {
	return budget.New(n.rows, n.keys.Gallery.Derive("tamga/v1/probe-digests"), n.limits())
}

func (n *Node) limits() budget.Limits {
	b := n.cfg.Budgets
	return budget.Limits{Requester: b.Requester, Officer: b.Officer, Purpose: b.Purpose, Subject: b.Subject, Misses: b.Misses,
		Probes: time.Duration(b.ProbeHours) * time.Hour}
}

// forgetCounts removes what counts no more.
func (n *Node) forgetCounts(ctx context.Context) {
	if _, err := n.counts().Forget(n.now()); err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "counts of Queries not forgotten", slog.String("cause", err.Error()))
	}
}
