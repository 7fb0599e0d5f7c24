package responder_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/pace"
	"github.com/tamga-id/tamga/node/responder"
)

// slowBudgets take as long as a disk does, whoever a Query is about.
type slowBudgets struct{ locked bool }

const diskTime = 5 * time.Millisecond

func (b slowBudgets) Begin(budget.Ask, time.Time) (budget.Counts, bool, error) {
	time.Sleep(diskTime)
	return budget.Counts{}, b.locked, nil
}

func (slowBudgets) End(budget.Ask, bool, time.Time) (locks, locked bool, err error) {
	time.Sleep(diskTime)
	return false, false, nil
}

// slowDecoys take long where they raise an alarm, as a slow log does.
type slowDecoys struct{ touched bool }

func (d slowDecoys) Touched(pseudonym.Identifier) (bool, error) {
	if d.touched {
		time.Sleep(time.Millisecond / 2)
	}
	return d.touched, nil
}

// people of the cases of time: who is enrolled, and with what.
func paced(t testing.TB) (base *world, p, another, canary, locked, erased, nobody synth.Person) {
	p, another, canary, locked, erased = person(7), person(8), person(10), person(11), person(12)
	both := func(p synth.Person) gallery.Enrolment {
		return enrolled(p, faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2)))
	}
	base = newWorld().withLedger(t).withGallery(t, both(p), both(another), both(canary), both(locked), both(erased))
	must(base.gallery.under.(*gallery.Gallery).Erase(t.Context(), passport(erased)))
	return base, p, another, canary, locked, erased, person(9)
}

// fetched is what a gallery has of one person, looked up before a bubble begins: a store's goroutines are outside of it.
type fetched map[string]gallery.References

func fetch(t testing.TB, g responder.Gallery, p synth.Person) fetched {
	t.Helper()
	out := fetched{}
	for _, m := range []string{"face", "finger"} {
		refs, err := g.References(passport(p), m)
		if err != nil {
			t.Fatal(err)
		}
		out[m] = refs
	}
	return out
}

func (f fetched) References(_ pseudonym.Identifier, modality string) (gallery.References, error) {
	return f[modality], nil
}

// TestPace: with what is looked up and compared taking any time, by the bubble's clock, what is
// answered about a person takes a time that follows from the probes; nothing else does.
func TestPace(t *testing.T) {
	base, p, another, canary, locked, erased, nobody := paced(t)
	probes := map[string]func(synth.Person) []protocol.Probe{
		"face":   func(p synth.Person) []protocol.Probe { return []protocol.Probe{faceProbe(p.FaceProbe(1))} },
		"finger": func(p synth.Person) []protocol.Probe { return []protocol.Probe{fingerProbe(2, p.FingerProbe(2, 1))} },
		"both": func(p synth.Person) []protocol.Probe {
			return []protocol.Probe{faceProbe(p.FaceProbe(1)), fingerProbe(2, p.FingerProbe(2, 1))}
		},
	}
	for kind, make := range probes {
		unpaced := map[time.Duration]bool{}
		times := map[time.Duration]string{}
		for name, c := range map[string]struct {
			subject    synth.Person
			work       time.Duration
			bend       func(*world)
			want       protocol.Code
			unfinished bool // ends before what came of it is counted
		}{
			"unknown":     {nobody, 100 * time.Microsecond, nil, protocol.CodeSubjectUnknown, false},
			"erased":      {erased, 200 * time.Microsecond, nil, protocol.CodeSubjectUnknown, false},
			"not-matched": {another, 600 * time.Microsecond, nil, protocol.CodeNotMatched, false},
			"matched":     {p, 900 * time.Microsecond, nil, protocol.CodeMatched, false},
			"locked":      {locked, 500 * time.Microsecond, func(w *world) { w.budgets = slowBudgets{true} }, protocol.CodeLocked, false},
			"canary":      {canary, 700 * time.Microsecond, func(w *world) { w.decoys = slowDecoys{true} }, protocol.CodeNotMatched, false},
			"folded":      {nobody, 300 * time.Microsecond, func(w *world) { w.law.d.WithholdUnknown = true }, protocol.CodeNotMatched, false},
			"failing":     {another, 800 * time.Microsecond, func(w *world) { w.gallery.err = gallery.ErrDamaged }, protocol.CodeInternal, true},
			"panicking":   {another, 800 * time.Microsecond, func(w *world) { w.gallery.panic = "at once" }, protocol.CodeInternal, true},
		} {
			for _, on := range []bool{true, false} {
				refs := fetch(t, base.gallery.under, c.subject)
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.gallery.under, w.budgets, w.decoys = refs, slowBudgets{}, slowDecoys{}
					if on {
						w.pace = pace.New(0)
					}
					if c.bend != nil {
						c.bend(w)
					}
					w.clock.set(start.Add(-time.Hour))
					w.Responder = w.build(w.clock.Now)
					w.clock.set(start)
					w.trace.hook = func(at string) {
						if at == "before gallery face" || at == "before gallery finger" {
							time.Sleep(c.work / 2)
						}
					}
					begin := time.Now()
					if got := w.code(t, t.Context(), about(c.subject, make(p)...).pending(t)); got != c.want {
						t.Errorf("%s, %s: %s, want %s", kind, name, got, c.want)
					}
					took := time.Since(begin) - diskTime
					if !c.unfinished {
						took -= diskTime
					}
					if !on {
						unpaced[took] = true
						return
					}
					times[took] = name
				})
			}
		}
		if len(times) != 1 || times[0] != "" {
			t.Errorf("%s: answers take these times: %v", kind, times)
		}
		if len(unpaced) < 7 {
			t.Errorf("%s: without a pace answers take %d times: the test sees no difference", kind, len(unpaced))
		}
	}
}

// TestSizes: whoever sees an Answer pass learns nothing of it from its length, with one law and one size of
// the ledger, whatever came of the comparison and at which rate.
func TestSizes(t *testing.T) {
	base, p, another, canary, locked, erased, nobody := paced(t)
	sizes := map[int][]string{}
	for name, c := range map[string]struct {
		subject synth.Person
		bend    func(*world)
		want    protocol.Code
	}{
		"unknown":     {nobody, nil, protocol.CodeSubjectUnknown},
		"erased":      {erased, nil, protocol.CodeSubjectUnknown},
		"not-matched": {another, nil, protocol.CodeNotMatched},
		"matched":     {p, nil, protocol.CodeMatched},
		"at-100":      {p, func(w *world) { w.law.d.FMROneIn = 100 }, protocol.CodeMatched},
		"at-10":       {p, func(w *world) { w.law.d.FMROneIn = 10 }, protocol.CodeMatched},
		"locked":      {locked, func(w *world) { w.budgets = slowBudgets{true} }, protocol.CodeLocked},
		"canary":      {canary, func(w *world) { w.decoys = slowDecoys{true} }, protocol.CodeNotMatched},
		"folded":      {nobody, func(w *world) { w.law.d.WithholdUnknown = true }, protocol.CodeNotMatched},
		"failing":     {p, func(w *world) { w.budgets = nil; w.gallery.err = gallery.ErrDamaged }, protocol.CodeInternal},
	} {
		w := newWorld()
		w.gallery.under, w.budgets, w.decoys = base.gallery.under, slowBudgets{}, slowDecoys{}
		if c.bend != nil {
			c.bend(w)
		}
		w.clock.set(start.Add(-time.Hour))
		w.Responder = w.build(w.clock.Now)
		w.clock.set(start)
		var got protocol.Code
		w.ledger.under = ledgerFunc(func(_ context.Context, leaf []byte) error {
			l, err := protocol.ParseLeaf(leaf)
			got = l.Code
			return err
		})
		reply, err := w.Handle(t.Context(), askerKey, about(c.subject, faceProbe(p.FaceProbe(1))).pending(t).Frame)
		if err != nil || got != c.want {
			t.Fatalf("%s: %s, %v", name, got, err)
		}
		if name == "failing" { // its leaf has no state of a consent, which was not looked at
			continue
		}
		sizes[len(reply)] = append(sizes[len(reply)], name)
	}
	if len(sizes) != 1 {
		t.Errorf("Answers are of these lengths: %v", sizes)
	}
}

// TestTiming prints how long Queries take, with a ledger on the disk and every count on, by what
// comes of them, and the Kolmogorov-Smirnov distance of each distribution from that of an unknown
// subject, once with a pace and once without. It asserts nothing of time.
func TestTiming(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("prints distributions: go test -run Timing -v")
	}
	base, p, another, canary, locked, erased, nobody := paced(t)
	const each = 200
	for _, kind := range []string{"face", "finger", "both"} {
		for _, on := range []bool{false, true} {
			worldOf := func(limits budget.Limits, fold bool) *world {
				w := newWorld()
				w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
				w.law.d.WithholdUnknown, w.decoys = fold, slowDecoys{}
				if on {
					w.pace = pace.New(0)
				}
				return w.withBudgets(t, limits)
			}
			// Counts are on, and far from the limit but for the one who is locked.
			open, folding, locking := worldOf(budget.Limits{Misses: 1 << 20}, false), worldOf(budget.Limits{Misses: 1 << 20}, true), worldOf(budget.Limits{Misses: 1}, false)
			touching := worldOf(budget.Limits{Misses: 1 << 20}, false)
			touching.decoys = touch{}
			touching.withBudgets(t, budget.Limits{Misses: 1 << 20})
			locking.tries(t, locked, p.FaceProbe(1))
			classes := []struct {
				name    string
				w       *world
				subject synth.Person
			}{{"unknown", open, nobody}, {"erased", open, erased}, {"not-matched", open, another}, {"matched", open, p},
				{"locked", locking, locked}, {"folded", folding, nobody}, {"canary", touching, canary}}
			took := map[string][]float64{}
			for range each {
				for _, c := range classes {
					probes := []protocol.Probe{faceProbe(p.FaceProbe(1)), fingerProbe(2, p.FingerProbe(2, 1))}
					switch kind {
					case "face":
						probes = probes[:1]
					case "finger":
						probes = probes[1:]
					}
					q := about(c.subject, probes...)
					pending := q.pending(t)
					begin := time.Now()
					if _, err := c.w.Handle(t.Context(), q.from, pending.Frame); err != nil {
						t.Fatal(err)
					}
					took[c.name] = append(took[c.name], float64(time.Since(begin).Microseconds()))
				}
			}
			for _, c := range classes {
				v := slices.Sorted(slices.Values(took[c.name]))
				t.Logf("%-6s paced %-5v %-12s p10 %6.0f us  median %6.0f us  p90 %6.0f us  KS from unknown %.3f", kind, on, c.name, v[each/10], v[each/2], v[each*9/10],
					distance(took["unknown"], took[c.name]))
			}
		}
	}
	t.Logf("two samples of %d of one distribution differ at 1 in 20 above %.3f, at 1 in 1000 above %.3f", each, 1.36*math.Sqrt(2.0/each), 1.95*math.Sqrt(2.0/each))
}

// touch has everybody be a canary.
type touch struct{}

func (touch) Touched(pseudonym.Identifier) (bool, error) { return true, nil }

// distance is the two-sample Kolmogorov-Smirnov statistic.
func distance(a, b []float64) (most float64) {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	for _, x := range append(slices.Clone(a), b...) {
		below := func(s []float64) float64 {
			n, found := slices.BinarySearch(s, x)
			for found && n < len(s) && s[n] == x {
				n++
			}
			return float64(n) / float64(len(s))
		}
		most = max(most, math.Abs(below(a)-below(b)))
	}
	return most
}
