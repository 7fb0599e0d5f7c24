package budget_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/rows"
)

var now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

type lent struct {
	store.Store
	err error
}

func (l *lent) Beside(f func(store.Store) error) error {
	if l.err != nil {
		return l.err
	}
	return f(l.Store)
}

func open(t *testing.T, dir string) *lent {
	t.Helper()
	s, err := store.OpenBadger(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &lent{Store: s}
}

func book(t *testing.T, l *lent, limits budget.Limits) *budget.Book {
	t.Helper()
	r, err := rows.New(l, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return budget.New(r, [32]byte{2}, limits)
}

func ask(officer, value string, fingers ...[]byte) budget.Ask {
	var probes []budget.Probe
	for _, f := range fingers {
		probes = append(probes, budget.Probe{Format: exchange.FormatFinger2005, Data: f})
	}
	return budget.Ask{Country: "UZB", Requester: "https://uzb.example", Officer: officer, Purpose: "border_control",
		Subject: pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: value}, Probes: probes}
}

func TestWindows(t *testing.T) {
	dir := t.TempDir()
	limits := budget.Limits{Officer: 3}
	for i, want := range []error{nil, nil, nil, budget.ErrSpent} {
		l := open(t, dir) // a restart between every two
		c, _, err := book(t, l, limits).Begin(ask("a", "N1"), now.Add(time.Duration(i)*time.Minute))
		if !errors.Is(err, want) || err == nil && (c.Officer != i || c.Subject != i || c.Requester != i || c.Purpose != i) {
			t.Errorf("query %d: %+v, %v; want %v", i+1, c, err, want)
		}
		if i == 3 {
			if _, _, err := book(t, l, limits).Begin(ask("b", "N1"), now.Add(4*time.Minute)); err != nil {
				t.Errorf("another officer: %v", err)
			}
			if _, _, err := book(t, l, limits).Begin(ask("a", "N1"), now.Add(2*time.Hour)); err != nil {
				t.Errorf("once the window is over: %v", err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, limits := range map[string]budget.Limits{"requester": {Requester: 1}, "purpose": {Purpose: 1}, "subject": {Subject: 1}} {
		l := open(t, t.TempDir())
		b := book(t, l, limits)
		_, _, first := b.Begin(ask("a", "N1"), now)
		ministry := ask("b", "N1")
		ministry.Requester = "https://ministry.uzb.example"
		_, _, second := b.Begin(ministry, now)
		if first != nil || !errors.Is(second, budget.ErrSpent) {
			t.Errorf("%s: %v, then %v", name, first, second)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSpentAlone: who has spent his own budget takes nothing from others, and leaves no more rows for asking on.
func TestSpentAlone(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l, budget.Limits{Requester: 2, Subject: 5, Probes: time.Hour})
	probe := synth.New(1, "KAZ").Person(1).FingerProbe(2, 1)
	for i := range 40 {
		a := ask("a"+string(rune('0'+i)), "N1", probe)
		if i%2 == 1 {
			a.Subject.Value = "M" + string(rune('0'+i))
		}
		if _, _, err := b.Begin(a, now); (err == nil) != (i < 2) {
			t.Fatalf("query %d: %v", i+1, err)
		}
	}
	other := ask("a", "N1", probe)
	other.Country, other.Requester = "TJK", "https://tjk.example"
	if c, _, err := b.Begin(other, now); err != nil || c.Subject != 1 {
		t.Errorf("another country: %+v, %v", c, err)
	}
	// Once there is budget again, a probe that was refused with it is no repetition: it was never compared.
	later := ask("b", "M3", probe)
	if _, _, err := b.Begin(later, now.Add(90*time.Minute)); err != nil {
		t.Errorf("a refused probe again: %v", err)
	}
	// Of 2 requesters, 4 officers, 2 purposes, 3 subjects and 4 pairs.
	if n, err := b.Forget(now.Add(48 * time.Hour)); n != 15 || err != nil {
		t.Errorf("%d rows, %v; want 15", n, err)
	}
}

func TestLock(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l, budget.Limits{Misses: 3})
	end := func(a budget.Ask, matched, want bool, at time.Duration) {
		t.Helper()
		if locks, _, err := b.End(a, matched, now.Add(at)); locks != want || err != nil {
			t.Errorf("at %v: locks %v, %v", at, locks, err)
		}
	}
	locked := func(a budget.Ask, want bool, at time.Duration) {
		t.Helper()
		if _, is, err := b.Begin(a, now.Add(at)); is != want || err != nil {
			t.Errorf("at %v: locked %v, %v", at, is, err)
		}
	}
	a := ask("a", "N1")
	end(a, false, false, 0)
	end(a, false, false, 1)
	end(a, true, false, 2) // a match ends the run
	end(a, false, false, 3)
	end(ask("b", "N1"), false, false, 4) // officers of one requester add up
	locked(a, false, 5)
	end(a, false, true, 6)
	locked(ask("c", "N1"), true, 7)
	end(a, true, false, 8)
	locked(a, true, 9) // a match does not open it
	locked(ask("a", "N2"), false, 9)
	other := a
	other.Requester = "https://ministry.uzb.example"
	locked(other, true, 9) // a country is one, however many nodes it has
	other.Country = "TJK"
	locked(other, false, 9)
	locked(a, false, 25*time.Hour)
}

// TestLockAtOnce: Queries that all began before the first of them missed get no more answers
// than those that come one after the other.
func TestLockAtOnce(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l, budget.Limits{Misses: 3})
	const asked = 10
	for i := range asked {
		if _, locked, err := b.Begin(ask("a", "N1"), now); locked || err != nil {
			t.Fatalf("query %d: locked %v, %v", i+1, locked, err)
		}
	}
	for i := range asked {
		locks, locked, err := b.End(ask("a", "N1"), i == 5, now) // one of them would even match
		if err != nil || locks != (i == 2) || locked != (i > 2) {
			t.Errorf("query %d: locks %v, locked %v, %v", i+1, locks, locked, err)
		}
	}
}

func TestProbes(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l, budget.Limits{Probes: time.Hour})
	p := synth.New(1, "KAZ").Person(1)
	first := p.FingerProbe(2, 1)
	near := bytes.Clone(first)
	near[len(near)/2] ^= 1 // one minutia moved
	for _, c := range []struct {
		name  string
		probe []byte
		value string
		at    time.Duration
		want  error
	}{
		{"first", first, "N1", 0, nil},
		{"identical", first, "N1", time.Minute, budget.ErrRepeated},
		{"near", near, "N1", 2 * time.Minute, budget.ErrRepeated},
		{"recaptured", p.FingerProbe(2, 2), "N1", 3 * time.Minute, nil},
		{"other-subject", first, "N2", 4 * time.Minute, nil},
		{"later", p.FingerProbe(2, 3), "N1", 2 * time.Hour, nil},
		{"forgotten", first, "N1", 3 * time.Hour, nil},
	} {
		if _, _, err := b.Begin(ask("a", c.value, c.probe), now.Add(c.at)); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestNoisyProbes: a face with noise on every number is the one that was sent before, across a
// restart; another capture, somebody else's, and the same for another requester are not.
func TestNoisyProbes(t *testing.T) {
	dir := t.TempDir()
	p, other := synth.New(1, "KAZ").Person(1), synth.New(1, "KAZ").Person(2)
	noisy := func(record []byte) []byte {
		e, err := exchange.ParseEmbedding(record)
		if err != nil {
			t.Fatal(err)
		}
		for i := range e.Values {
			e.Values[i] *= 1 + 0.02*float32(i%5-2)
		}
		out, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name, requester string
		face            []byte
		want            error
	}{
		{"first", "uzb", p.FaceProbe(1), nil},
		{"noisy", "uzb", noisy(p.FaceProbe(1)), budget.ErrRepeated},
		{"another-capture", "uzb", p.FaceProbe(2), nil},
		{"another-person", "uzb", other.FaceProbe(1), nil},
		{"another-requester", "tjk", noisy(p.FaceProbe(1)), nil},
		{"noisy-again", "uzb", noisy(noisy(p.FaceProbe(1))), budget.ErrRepeated},
	} {
		l := open(t, dir)
		a := ask("a", "N1")
		a.Country, a.Requester, a.Probes = c.requester, c.requester, []budget.Probe{{Format: exchange.FormatEmbedding, Data: c.face}}
		if _, _, err := book(t, l, budget.Limits{Probes: time.Hour}).Begin(a, now); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMarksOfAll: nothing that is sent before a probe, in one Query, keeps it from being told again.
func TestMarksOfAll(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l, budget.Limits{Probes: time.Hour})
	pop := synth.New(1, "KAZ")
	filler := func(i int) []byte { // a record of 16 views, other ones each time
		var views []finger.Sample
		for v := range 16 {
			s, err := exchange.DecodeFinger(pop.Person(100+20*i+v).FingerProbe(2, 1))
			if err != nil {
				t.Fatal(err)
			}
			views = append(views, s[0])
		}
		record, err := exchange.EncodeFinger(views)
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	for i, want := range []error{nil, budget.ErrRepeated} {
		a := ask("a", "N1", filler(2*i), filler(2*i+1))
		a.Probes = append(a.Probes, budget.Probe{Format: exchange.FormatEmbedding, Data: pop.Person(1).FaceProbe(1)})
		if _, _, err := b.Begin(a, now); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("query %d: %v, want %v", i+1, err, want)
		}
	}
}

// TestMarksBounded: one Query, whatever it holds, does not drive out what was before it.
func TestMarksBounded(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l, budget.Limits{Probes: time.Hour})
	pop := synth.New(1, "KAZ")
	probe := pop.Person(1).FingerProbe(2, 1)
	if _, _, err := b.Begin(ask("a", "N1", probe), now); err != nil {
		t.Fatal(err)
	}
	var flood [][]byte
	for i := range 60 { // each half has as many views as two full records
		flood = append(flood, pop.Person(10+i).FingerProbe(2, 1))
	}
	for range 2 {
		if _, _, err := b.Begin(ask("a", "N1", flood[:len(flood)/2]...), now); err != nil {
			t.Fatal(err)
		}
		flood = flood[len(flood)/2:]
	}
	if _, _, err := b.Begin(ask("a", "N1", probe), now); !errors.Is(err, budget.ErrRepeated) {
		t.Errorf("after a flood: %v", err)
	}
}

// TestClockBack: a clock that was put back gives nobody back what he spent, and has nothing
// forgotten before its time.
func TestClockBack(t *testing.T) {
	for _, back := range []time.Duration{time.Second, 10 * time.Minute, 2 * time.Hour, 30 * time.Hour} {
		l := open(t, t.TempDir())
		b := book(t, l, budget.Limits{Officer: 2, Misses: 1, Probes: time.Hour})
		probe := synth.New(1, "KAZ").Person(1).FingerProbe(2, 1)
		for range 2 {
			if _, _, err := b.Begin(ask("a", "N1"), now); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := b.Begin(ask("b", "N2", probe), now); err != nil {
			t.Fatal(err)
		}
		if locks, _, err := b.End(ask("b", "N3"), false, now); !locks || err != nil {
			t.Fatal(locks, err)
		}
		for i, at := range []time.Time{now.Add(-back), now.Add(time.Minute)} { // and when it was corrected
			if _, _, err := b.Begin(ask("a", "N1"), at); !errors.Is(err, budget.ErrSpent) {
				t.Errorf("%v back, step %d: spent Queries: %v", back, i, err)
			}
			if _, _, err := b.Begin(ask("c", "N2", probe), at); !errors.Is(err, budget.ErrRepeated) && !errors.Is(err, budget.ErrSpent) {
				t.Errorf("%v back, step %d: a repeated probe: %v", back, i, err)
			}
			if _, locked, err := b.Begin(ask("d"+string(rune('0'+i)), "N3"), at); !locked || err != nil {
				t.Errorf("%v back, step %d: locked %v, %v", back, i, locked, err)
			}
			if _, err := b.Forget(now.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAwayAndForget(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l, budget.Limits{Officer: 1})
	l.err = store.ErrUnavailable
	if _, _, err := b.Begin(ask("a", "N1"), now); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, budget.ErrSpent) {
		t.Errorf("with the store away: %v", err)
	}
	l.err = nil
	if _, _, err := b.Begin(ask("a", "N1"), now); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]int{time.Minute: 0} {
		if n, err := b.Forget(now.Add(at)); n != want || err != nil {
			t.Errorf("after %v: forgot %d, %v", at, n, err)
		}
	}
	if n, err := b.Forget(now.Add(25 * time.Hour)); n != 4 || err != nil {
		t.Errorf("after a day: forgot %d, %v", n, err)
	}
}
