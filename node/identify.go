package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/identify"
	"github.com/tamga-id/tamga/node/pace"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/responder"
)

// desk is who searches the register, nil where the operator does not let it be searched.
func (n *Node) desk() responder.Desk {
	if !n.cfg.Identify.Enabled {
		return nil
	}
	c := n.cfg.Identify.Complete()
	return identify.New(identify.Config{
		Gallery: n.gallery, Law: n.law.Current(), Rows: n.rows, Consents: n.consents, Offices: n.offices, Decoys: n.decoys, Alarms: n.alarms, Budgets: n.budgets(),
		Searches: budget.New(n.rows, n.keys.Gallery.Derive("tamga/v1/probe-digests"), n.searchLimits()),
		Pace:     n.pace(), Calibrations: n.calibrations, Faces: n.keys.Faces, Candidates: c.MaxCandidates, Life: time.Duration(c.HandleMinutes) * time.Minute,
		Now: n.now, Logger: n.log,
	})
}

// pace is at which what is worked out about a person is told.
func (n *Node) pace() *pace.Pace {
	return pace.New(time.Duration(n.cfg.Limits.Quantum) * time.Millisecond)
}

// searchLimits are how many searches of the own register there may be.
func (n *Node) searchLimits() budget.Limits {
	c := n.cfg.Identify.Complete()
	return budget.Limits{Requester: c.Requester, Officer: c.Officer, Subject: c.Register}
}

// forgetHandles removes those that nobody can resolve any more, also where searches were turned off since.
func (n *Node) forgetHandles(ctx context.Context) {
	d := identify.New(identify.Config{Rows: n.rows})
	if _, err := d.Forget(n.now()); err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "handles of candidates not forgotten", slog.String("cause", err.Error()))
	}
}

// Identify asks another country's node of whom a probe may be. See requester.Requester.
func (n *Node) Identify(ctx context.Context, s requester.Search) (requester.Result, error) {
	return n.ask(ctx, func(r *requester.Requester) (requester.Result, error) { return r.Identify(ctx, s) })
}

// Resolve asks another country's node who a candidate is. See requester.Requester.
func (n *Node) Resolve(ctx context.Context, s requester.Search) (requester.Result, error) {
	return n.ask(ctx, func(r *requester.Requester) (requester.Result, error) { return r.Resolve(ctx, s) })
}

// ask asks, once it is known that the ledger is not behind what others have seen of it.
func (n *Node) ask(ctx context.Context, by func(*requester.Requester) (requester.Result, error)) (requester.Result, error) {
	if errors.Is(n.beginning.over(ctx), errBehind) {
		c := protocol.CodeLedgerUnavailable // no entry is made that may be another one's
		return requester.Result{Verdict: protocol.Verdict{Code: c, Outcome: c.Outcome()}}, nil
	}
	begin := n.now()
	r, err := by(n.requester.Load())
	if err == nil {
		n.metrics.Asked(r.Code, n.now().Sub(begin))
	}
	return r, err
}
