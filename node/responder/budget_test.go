package responder_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/responder"
	"github.com/tamga-id/tamga/node/rows"
)

// withBudgets counts in the rows of the world's own gallery.
func (w *world) withBudgets(t testing.TB, l budget.Limits) *world {
	t.Helper()
	r := must(rows.New(w.gallery.under.(*gallery.Gallery), [32]byte{1}))
	w.budgets = budget.New(r, [32]byte{2}, l)
	w.clock.set(start.Add(-time.Hour))
	w.Responder = w.build(w.clock.Now)
	w.clock.set(start)
	return w
}

func (w *world) tries(t testing.TB, subject synth.Person, probe []byte) protocol.Code {
	t.Helper()
	return w.send(t, about(subject, faceProbe(probe))).Code
}

func TestBudgets(t *testing.T) {
	p, other := person(7), person(8)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()))).withBudgets(t, budget.Limits{Officer: 3})
	for i, want := range []protocol.Code{protocol.CodeMatched, protocol.CodeNotMatched, protocol.CodeMatched, protocol.CodeBudget} {
		probe := p.FaceProbe(1)
		if i == 1 {
			probe = other.FaceProbe(1)
		}
		if got := w.tries(t, p, probe); got != want {
			t.Errorf("query %d: %s, want %s", i+1, got, want)
		}
	}
}

func TestProbeRepeated(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()))).withBudgets(t, budget.Limits{Probes: time.Hour})
	for i, want := range []protocol.Code{protocol.CodeMatched, protocol.CodeProbeRepeated} {
		if got := w.tries(t, p, p.FaceProbe(1)); got != want {
			t.Errorf("query %d: %s, want %s", i+1, got, want)
		}
	}
	if got := w.tries(t, p, p.FaceProbe(2)); got != protocol.CodeMatched {
		t.Errorf("captured anew: %s", got)
	}
}

// TestLockAfterMisses: who tries a person gets a lock and an alarm, whether or not anybody
// is enrolled, and no match after it.
func TestLockAfterMisses(t *testing.T) {
	p, other, nobody := person(7), person(8), person(9)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()))).withBudgets(t, budget.Limits{Misses: 2})
	w.alarms, w.decoys = alarms.New(nil), slowDecoys{touched: true}
	w.Responder = w.build(w.clock.Now)
	for i, who := range []struct {
		subject synth.Person
		miss    protocol.Code
	}{{p, protocol.CodeNotMatched}, {nobody, protocol.CodeSubjectUnknown}} {
		w.logs.Reset()
		for i, want := range []protocol.Code{who.miss, who.miss, protocol.CodeLocked, protocol.CodeLocked} {
			probe := other.FaceProbe(1)
			if i == 3 {
				probe = who.subject.FaceProbe(1)
			}
			if got := w.tries(t, who.subject, probe); got != want {
				t.Errorf("query %d: %s, want %s", i+1, got, want)
			}
		}
		if n := bytes.Count(w.logs.Bytes(), []byte(responder.AlarmLocked)); n != 1 {
			t.Errorf("%d alarms, want 1", n)
		}
		if got := w.alarms.Counts(); got["locked"] != uint64(i+1) || got["canary"] != uint64(4*(i+1)) {
			t.Errorf("%v are counted of %d", got, i+1)
		}
	}
}

// TestLockAtOnce: whoever asks many times at once learns no more than one who waits for each
// answer.
func TestLockAtOnce(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()))).withBudgets(t, budget.Limits{Misses: 2})
	const asked = 8
	var counted sync.WaitGroup
	counted.Add(asked)
	w.trace.hook = func(at string) {
		if at == "before gallery face" { // all are counted before any is compared
			counted.Done()
			counted.Wait()
		}
	}
	codes := make(chan protocol.Code, asked)
	for i := range asked {
		q := about(p, faceProbe(person(20+i).FaceProbe(1)))
		pending := q.pending(t)
		go func() {
			reply, err := w.Handle(t.Context(), q.from, pending.Frame)
			if err != nil {
				t.Error(err)
			}
			pending.Issuer, pending.Audience = asker, self
			a, err := pending.Reply(reply, peer(), w.clock.Now())
			if err != nil {
				t.Error(err)
			}
			codes <- a.Code
		}()
	}
	got := map[protocol.Code]int{}
	for range asked {
		got[<-codes]++
	}
	if got[protocol.CodeNotMatched] != 2 || got[protocol.CodeLocked] != asked-2 {
		t.Errorf("got %v, want two verdicts", got)
	}
}
