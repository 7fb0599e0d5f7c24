package responder_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/rows"
)

// away lends a store until it is said to be away.
type away struct {
	*gallery.Gallery
	after int // how many loans there are yet; below zero: no end
}

func (a *away) Beside(f func(store.Store) error) error {
	if a.after == 0 {
		return store.ErrUnavailable
	}
	a.after--
	return a.Gallery.Beside(f)
}

// zeroLaw is the law of a node that has none.
type zeroLaw struct{ lawbook.Current }

// goneDecoys cannot tell.
type goneDecoys struct{}

func (goneDecoys) Touched(pseudonym.Identifier) (bool, error) { return false, store.ErrUnavailable }

// TestFailsClosed: whatever of a node is broken or away, nobody is matched, nobody is told "no", and the code says what it
// is. With all of it whole the same Query matches.
func TestFailsClosed(t *testing.T) {
	p := person(7)
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	for name, c := range map[string]struct {
		bend    func(w *world, books *away)
		want    protocol.Code
		outcome protocol.Outcome
	}{
		"whole":                  {func(*world, *away) {}, protocol.CodeMatched, protocol.Matched},
		"law-decides-nothing":    {func(w *world, _ *away) { w.law.d = policy.Decision{} }, protocol.CodeLaw, protocol.Refused},
		"law-panics":             {func(w *world, _ *away) { w.law.panic = "broken" }, protocol.CodeInternal, protocol.Unavailable},
		"law-without-rate":       {func(w *world, _ *away) { w.law.d.FMROneIn = 0 }, protocol.CodeUncalibrated, protocol.Inconclusive},
		"no-law":                 {func(w *world, _ *away) { w.law.none = new(zeroLaw) }, protocol.CodeInternal, protocol.Unavailable},
		"canaries-away":          {func(w *world, _ *away) { w.decoys = goneDecoys{} }, protocol.CodeInternal, protocol.Unavailable},
		"canary-store-away":      {func(_ *world, a *away) { a.after = 0 }, protocol.CodeInternal, protocol.Unavailable},
		"budgets-away":           {func(_ *world, a *away) { a.after = 1 }, protocol.CodeBudgetStore, protocol.Unavailable},
		"consents-away":          {func(_ *world, a *away) { a.after = 2 }, protocol.CodeConsentStore, protocol.Unavailable},
		"budgets-away-at-an-end": {func(_ *world, a *away) { a.after = 3 }, protocol.CodeBudgetStore, protocol.Unavailable},
		"gallery-away":           {func(w *world, _ *away) { w.gallery.err = store.ErrUnavailable }, protocol.CodeInternal, protocol.Unavailable},
		"replay-memory-full":     {func(w *world, _ *away) { w.replay.err = errors.New("full") }, protocol.CodeOverloaded, protocol.Unavailable},
		"ledger-away":            {func(w *world, _ *away) { w.ledger.err = errors.New("disk") }, protocol.CodeLedgerUnavailable, protocol.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			books := &away{base.gallery.under.(*gallery.Gallery), -1}
			r := must(rows.New(books, [32]byte{byte(len(name)), name[0], name[len(name)/2]})) // each its own
			w.budgets = budget.New(r, [32]byte{2}, budget.Limits{Officer: 10, Misses: 3, Probes: time.Hour})
			w.real, w.decoys = consents.New(r, nil), decoy.New(r, nil)
			w.law.d.ConsentRequired = true
			c.bend(w, books)
			w.clock.set(start.Add(-time.Hour))
			w.Responder = w.build(w.clock.Now)
			w.clock.set(start)
			q := about(p, faceProbe(p.FaceProbe(1)))
			q.question.Consent = consented(p, func(g *consent.Consent) { g.ID, g.Uses = name, 1 })
			a := w.send(t, q)
			if a.Code != c.want || a.Outcome != c.outcome {
				t.Fatalf("got %s %s, want %s", a.Outcome, a.Code, c.want)
			}
			if c.outcome == protocol.Matched {
				return
			}
			if a.FMROneIn != 0 {
				t.Errorf("a rate of 1/%d where nothing is said", a.FMROneIn)
			}
			if strings.Contains(w.logs.String(), string(protocol.CodeMatched)) {
				t.Error("the log says that it was a match")
			}
			if e, _ := protocol.Lookup(a.Code); e.Next == "" || c.outcome == protocol.Unavailable && !strings.Contains(w.logs.String(), "error") {
				t.Errorf("nobody is told why: %s", w.logs.String())
			}
		})
	}
}
