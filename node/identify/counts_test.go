package identify_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/identify"
	"github.com/tamga-id/tamga/node/responder"
)

// TestBounds: budgets of searches are their own, and a resolution counts as a Query about the person.
func TestBounds(t *testing.T) {
	var about *budget.Book
	w := newWorld(t, func(c *identify.Config) {
		c.Searches = budget.New(c.Rows, [32]byte{8}, budget.Limits{Officer: 2})
		about = budget.New(c.Rows, [32]byte{8}, budget.Limits{Subject: 1})
		c.Budgets = about
	})
	h := map[int]protocol.Handle{}
	for _, i := range []int{2, 4} {
		s, code := w.serve(t, searching(faceOf(i)))
		if code != protocol.CodeCandidates {
			t.Fatal(code)
		}
		h[i] = s.Found.Handles[0]
	}
	if _, code := w.serve(t, searching(faceOf(6))); code != protocol.CodeBudget {
		t.Errorf("the third search of an officer: %s", code)
	}
	if _, _, err := about.Begin(budget.Ask{Country: "KGZ", Requester: asker, Officer: "o7", Subject: passport(2)}, w.now); err != nil {
		t.Fatal(err)
	}
	if _, code := w.serve(t, resolving(h[2], "face")); code != protocol.CodeBudget {
		t.Errorf("the second Query about a person: %s", code)
	}
	if _, code := w.serve(t, resolving(h[4], "face")); code != protocol.CodeResolved {
		t.Errorf("the first about another: %s", code)
	}
}

// sparing is a law that lets one search of an officer be, and one Query about a person.
type sparing struct{ lax }

func (l sparing) Decide(r policy.Request) policy.Decision {
	if r.Counts.ByOfficer > 0 || r.Counts.AboutSubject > 0 {
		return policy.Decision{PolicyID: "enough"}
	}
	return l.lax.Decide(r)
}

// TestLawSeesCounts: law that bounds how often is told how often, of searches and of resolutions.
func TestLawSeesCounts(t *testing.T) {
	var about *budget.Book
	w := newWorld(t, func(c *identify.Config) {
		about = budget.New(c.Rows, [32]byte{8}, budget.Limits{})
		c.Law, c.Searches, c.Budgets = sparing{}, budget.New(c.Rows, [32]byte{8}, budget.Limits{}), about
	})
	s, code := w.serve(t, searching(faceOf(2)))
	if code != protocol.CodeCandidates {
		t.Fatal(code)
	}
	if s, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeLaw || s.Decision.PolicyID != "enough" {
		t.Errorf("a second search: %s", code)
	}
	if _, _, err := about.Begin(budget.Ask{Country: "TJK", Requester: "https://tjk.example", Subject: passport(2)}, w.now); err != nil {
		t.Fatal(err)
	}
	if s, code := w.serve(t, resolving(s.Found.Handles[0], "face")); code != protocol.CodeLaw || s.Decision.PolicyID != "enough" {
		t.Errorf("a second Query about the person: %s", code)
	}
}

// TestCountsUnknown: what cannot be counted is refused with the code that says so.
func TestCountsUnknown(t *testing.T) {
	for _, searches := range []bool{true, false} {
		w := newWorld(t, func(c *identify.Config) {
			if searches {
				c.Searches = uncountable{}
			} else {
				c.Budgets = uncountable{}
			}
		})
		a := searching(faceOf(2))
		s, code := w.serve(t, a)
		if !searches {
			a = resolving(s.Found.Handles[0], "face")
			_, code = w.serve(t, a)
		}
		if code != protocol.CodeBudgetStore {
			t.Errorf("searches %v: %s", searches, code)
		}
		w.cfg.Searches, w.cfg.Budgets = nil, nil
		w.Desk = identify.New(w.cfg)
		if _, code := w.serve(t, a); code != protocol.CodeCandidates && code != protocol.CodeResolved {
			t.Errorf("searches %v: the order is gone: %s", searches, code)
		}
	}
}

// uncountable are budgets whose store is away.
type uncountable struct{ responder.Budgets }

func (uncountable) Begin(budget.Ask, time.Time) (budget.Counts, bool, error) {
	return budget.Counts{}, false, errors.New("the store is away")
}
