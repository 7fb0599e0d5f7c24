package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/responder"
)

// budgets is what counts Queries, nil where the operator set no limit: each count is a
// write to the store.
func (n *Node) budgets() responder.Budgets {
	if n.cfg.Budgets == (config.Budgets{}) {
		return nil
	}
	return n.counts()
}

func (n *Node) counts() *budget.Book {
	b := n.cfg.Budgets
	return budget.New(n.rows, n.keys.Gallery.Derive("tamga/v1/probe-digests"), budget.Limits{Requester: b.Requester, Officer: b.Officer,
		Purpose: b.Purpose, Subject: b.Subject, Misses: b.Misses, Probes: time.Duration(b.ProbeHours) * time.Hour})
}

// forgetCounts removes what counts no more.
func (n *Node) forgetCounts(ctx context.Context) {
	if _, err := n.counts().Forget(n.now()); err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "counts of Queries not forgotten", slog.String("cause", err.Error()))
	}
}
