package identify_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/identify"
	"github.com/tamga-id/tamga/node/pace"
	"github.com/tamga-id/tamga/node/responder"
)

// TestCanaryAmongCandidates: an alarm, and the same answer.
func TestCanaryAmongCandidates(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Decoys, c.Alarms = decoy.New(c.Rows, nil), alarms.New(c.Rows) })
	if err := decoy.New(w.cfg.Rows, nil).Add(start, passport(4)); err != nil {
		t.Fatal(err)
	}
	raised := func() int { return strings.Count(w.logs.String(), responder.AlarmCanary) }
	if _, code := w.serve(t, searching(faceOf(2))); code != protocol.CodeCandidates || raised() != 0 {
		t.Errorf("somebody real: %s, %d alarms", code, raised())
	}
	s, code := w.serve(t, searching(faceOf(4)))
	if code != protocol.CodeCandidates || raised() != 1 || !strings.Contains(w.logs.String(), `"officer":"o7"`) {
		t.Fatalf("a canary: %s, %d alarms", code, raised())
	}
	if _, code := w.serve(t, resolving(s.Found.Handles[0], "face")); code != protocol.CodeResolved || raised() != 2 {
		t.Errorf("a canary resolved: %s, %d alarms", code, raised())
	}
	if list, err := w.cfg.Alarms.List(); err != nil || len(list) != 2 || list[0].Kind != alarms.Canary || list[0].Officer != "o7" {
		t.Errorf("kept %v: %v", list, err)
	}
}

// TestPaced: what is looked up of candidates, and an alarm, takes no less than the time that is settled before.
func TestPaced(t *testing.T) {
	const quantum = 30 * time.Millisecond // many times what it takes
	w := newWorld(t, func(c *identify.Config) { c.Pace, c.Candidates = pace.New(quantum), 2 })
	least := func(want time.Duration, of protocol.Code, a ask) responder.Served {
		t.Helper()
		begin := time.Now()
		s, code := w.serve(t, a)
		if took := time.Since(begin); code != of || took < want {
			t.Errorf("%s after %v, want %s and no less than %v", code, took, of, want)
		}
		return s
	}
	s := least(2*quantum, protocol.CodeCandidates, searching(faceOf(4)))
	least(2*quantum, protocol.CodeNoCandidate, searching(faceOf(5)))
	least(quantum, protocol.CodeResolved, resolving(s.Found.Handles[0], "face"))
}

// classes refuses minors once a person's class is known.
type classes struct{ lax }

func (l classes) Decide(r policy.Request) policy.Decision {
	if !r.Sealed && r.SubjectClass == "minor" {
		return policy.Decision{PolicyID: "no-minors"}
	}
	return l.lax.Decide(r)
}

// TestClass: whom law does not let be found is not there.
func TestClass(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Law = classes{} })
	p := people.Person(30)
	e := gallery.Enrolment{Subject: passport(30), Class: "minor", Templates: []gallery.Template{{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceReference()}}}
	if r := must(w.gallery.Enrol(t.Context(), []gallery.Enrolment{e})); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if _, code := w.serve(t, searching(faceOf(30))); code != protocol.CodeNoCandidate {
		t.Errorf("a minor: %s", code)
	}
	if _, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeCandidates {
		t.Errorf("an adult: %s", code)
	}
}

// TestUntoldTakeNobodysPlace: whom law does not let be found keeps nobody else from being found.
func TestUntoldTakeNobodysPlace(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Law, c.Candidates, c.Decoys = classes{}, 1, decoy.New(c.Rows, nil) })
	probe := faceOf(4)
	for i := 30; i < 38; i++ { // as near to the probe as one can be
		e := gallery.Enrolment{Subject: passport(i), Class: "minor", Templates: []gallery.Template{{Modality: "face", Format: exchange.FormatEmbedding, Data: probe.Data}}}
		if r := must(w.gallery.Enrol(t.Context(), []gallery.Enrolment{e})); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		if err := decoy.New(w.cfg.Rows, nil).Add(start, passport(i)); err != nil {
			t.Fatal(err)
		}
	}
	s, code := w.serve(t, searching(faceOf(4)))
	if code != protocol.CodeCandidates || len(s.Found.Handles) != 1 {
		t.Fatalf("an adult beside minors: %s", code)
	}
	if n := strings.Count(w.logs.String(), responder.AlarmCanary); n != 1 {
		t.Errorf("a canary of whom law does not let be told: %d alarms", n)
	}
	if s, code = w.serve(t, resolving(s.Found.Handles[0], "face")); code != protocol.CodeResolved || s.Found.Subject != passport(4) {
		t.Errorf("resolved: %s", code)
	}
}

// stricter is a law that demands more once it knows this much.
type stricter struct {
	lax
	when func(policy.Request) bool
}

func (l stricter) Decide(r policy.Request) policy.Decision {
	d := l.lax.Decide(r)
	if l.when(r) {
		d.FMROneIn = math.MaxUint32
	}
	return d
}

// TestRateOfTheDecision: the rate is that of the decision which is told, and of the person's class.
func TestRateOfTheDecision(t *testing.T) {
	for name, when := range map[string]func(policy.Request) bool{
		"exempted": func(r policy.Request) bool { return r.Consent == "exemption" },
		"class":    func(r policy.Request) bool { return !r.Sealed && r.SubjectClass == "" },
	} {
		w := newWorld(t, func(c *identify.Config) { c.Law = stricter{when: when} })
		if s, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeUncalibrated {
			t.Errorf("%s: %s at 1 in %d, which no calibration carries", name, code, s.Decision.FMROneIn)
		}
	}
}
