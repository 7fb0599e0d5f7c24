package responder

import (
	"context"
	"errors"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/budget"
)

// AlarmLocked is the message of the event that a subject was locked for a requester.
const AlarmLocked = "ALARM: subject locked after misses"

// counting is a Query that was counted.
type counting struct {
	ask    budget.Ask
	locked bool
}

// count counts the Query before anything is looked up (TMG-R-014), and has law see how
// many there were.
func (r *Responder) count(q protocol.Query, question protocol.Question, visible *policy.Request) (counting, error) {
	if r.cfg.Budgets == nil {
		return counting{}, nil
	}
	c := counting{ask: budget.Ask{Country: visible.RequesterCountry, Requester: q.Issuer, Officer: q.Officer, Purpose: q.Purpose, Subject: question.Subject}}
	for _, p := range question.Probes {
		c.ask.Probes = append(c.ask.Probes, budget.Probe{Format: p.Format, Data: p.Data})
	}
	before, locked, err := r.cfg.Budgets.Begin(c.ask, visible.Time)
	c.locked, c.ask.Probes = locked, nil
	visible.Counts = before.Law()
	switch {
	case errors.Is(err, budget.ErrSpent):
		return c, &protocol.Fault{Code: protocol.CodeBudget, Err: err}
	case errors.Is(err, budget.ErrRepeated):
		return c, &protocol.Fault{Code: protocol.CodeProbeRepeated, Err: err}
	case err != nil:
		return c, &protocol.Fault{Code: protocol.CodeBudgetStore, Err: err}
	}
	return c, nil
}

// counted notes what came of it and is what is answered: of a locked subject that alone,
// after the same work as of any other.
func (r *Responder) counted(ctx context.Context, q protocol.Query, c counting, code protocol.Code) (protocol.Code, error) {
	if r.cfg.Budgets == nil {
		return code, nil
	}
	locks, locked, err := r.cfg.Budgets.End(c.ask, code == protocol.CodeMatched, r.cfg.Now())
	if err != nil {
		return "", &protocol.Fault{Code: protocol.CodeBudgetStore, Err: err}
	}
	if locks {
		Raise(ctx, r.cfg.Logger, r.cfg.Alarms, alarms.Locked, q, r.cfg.Now())
	}
	if c.locked || locked {
		return protocol.CodeLocked, nil
	}
	return code, nil
}
