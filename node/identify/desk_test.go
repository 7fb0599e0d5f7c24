package identify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/identify"
)

// TestSearchAndResolve: the person is among the candidates, is named once, and under an order of its own.
func TestSearchAndResolve(t *testing.T) {
	w := newWorld(t, nil)
	s, code := w.serve(t, searching(faceOf(4)))
	if code != protocol.CodeCandidates || len(s.Found.Handles) != 1 || s.Consent != "exemption" || s.Modalities != "face" || s.Decision.PolicyID != "kaz-search-rescue" {
		t.Fatalf("search: %s, %d handles, %+v", code, len(s.Found.Handles), s.Decision.PolicyID)
	}
	h := s.Found.Handles[0]
	s, code = w.serve(t, resolving(h, "face"))
	if code != protocol.CodeResolved || s.Found.Subject != passport(4) {
		t.Fatalf("resolution: %s, the right one %v", code, s.Found.Subject == passport(4))
	}
	again := resolving(h, "face")
	again.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.ID = "another" })
	if _, code = w.serve(t, again); code != protocol.CodeHandle {
		t.Errorf("a handle used twice: %s", code)
	}
	if _, code := w.serve(t, searching(faceOf(5))); code != protocol.CodeNoCandidate {
		t.Errorf("somebody enrolled without a face: %s", code)
	}
	finger := protocol.Probe{Modality: "finger", Format: exchange.FormatFinger2005, Position: 2, Data: people.Person(5).FingerProbe(2, 0)}
	if s, code := w.serve(t, searching(finger)); code != protocol.CodeCandidates || len(s.Found.Handles) != 1 {
		t.Errorf("by the finger: %s", code)
	}
	finger.Position, finger.Data = 0, people.Person(50).FingerProbe(2, 0)
	if _, code := w.serve(t, searching(finger)); code != protocol.CodeNoCandidate {
		t.Errorf("a stranger's finger: %s", code)
	}
	if strings.Contains(w.logs.String(), passport(4).Value) || strings.Contains(w.logs.String(), h.Text()) {
		t.Error("the log names somebody, or a handle")
	}
}

// TestRefusedSearches: one fault each.
func TestRefusedSearches(t *testing.T) {
	w := newWorld(t, nil)
	p := faceOf(4)
	single := must(consent.Order(key(21), consent.Consent{ID: "x", Requester: asker, Controller: self, Purpose: "humanitarian_aid", Modalities: []string{"face"},
		IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Uses: 1, Office: office, Officer: "first", Subject: consent.BindSample(p.Data),
		Exemption: consent.Exemption{Case: "1", Disclose: start.AddDate(0, 6, 0)}}))
	attested := must(consent.Attest(key(23), consent.Consent{ID: "y", Requester: asker, Controller: self, Purpose: "humanitarian_aid", Modalities: []string{"face"},
		IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Uses: 1, Office: office, Officer: "desk", Form: consent.Written,
		Subject: consent.BindSample(p.Data), Notice: consent.NoticeOf([]byte("n"), "kk")}))
	by := func(edit func(*consent.Consent)) func(*ask) {
		return func(a *ask) { a.order = order(consent.BindSample(a.probe.Data), asker, a.modality, edit) }
	}
	for name, c := range map[string]struct {
		edit func(*ask)
		want protocol.Code
	}{
		"consent-basis":    {func(a *ask) { a.basis = "consent" }, protocol.CodeLaw},
		"purpose":          {func(a *ask) { a.purpose = "border_control" }, protocol.CodeLaw},
		"no-order":         {func(a *ask) { a.order = "" }, protocol.CodeConsentMissing},
		"one-officer":      {func(a *ask) { a.order = single }, protocol.CodeSecondOfficer},
		"attested":         {func(a *ask) { a.order = attested }, protocol.CodeSearchGround},
		"many-uses":        {by(func(c *consent.Consent) { c.Uses = 2 }), protocol.CodeSearchGround},
		"other-sample":     {func(a *ask) { a.order = order(consent.BindSample([]byte("x")), asker, "face", nil) }, protocol.CodeConsentHolder},
		"a-person":         {func(a *ask) { a.order = order(must(consent.Bind(passport(4))), asker, "face", nil) }, protocol.CodeConsentHolder},
		"other-requester":  {by(func(c *consent.Consent) { c.Requester = "https://tjk.example" }), protocol.CodeConsentAudience},
		"other-modality":   {by(func(c *consent.Consent) { c.Modalities = []string{"finger"} }), protocol.CodeConsentModality},
		"expired":          {by(func(c *consent.Consent) { c.ExpiresAt = start.Add(-time.Second) }), protocol.CodeConsentExpired},
		"not-an-officer":   {by(func(c *consent.Consent) { c.Officer = "desk" }), protocol.CodeConsentOffice},
		"signature":        {func(a *ask) { a.probe.Modality, a.modality = "signature", "signature" }, protocol.CodeLaw},
		"no-order-garbage": {func(a *ask) { a.order, a.probe.Data = "", []byte("garbage") }, protocol.CodeConsentMissing},
		"garbage":          {func(a *ask) { a.probe.Data = []byte("garbage") }, protocol.CodeProbe},
		"format":           {func(a *ask) { a.probe.Format = "jpeg" }, protocol.CodeModality},
	} {
		a := searching(p)
		c.edit(&a)
		if _, code := w.serve(t, a); code != c.want {
			t.Errorf("%s: %s, want %s", name, code, c.want)
		}
	}
	// None of these used the order up, and the right one is good once.
	a := searching(p)
	if _, code := w.serve(t, a); code != protocol.CodeCandidates {
		t.Errorf("the right order: %s", code)
	}
	if _, code := w.serve(t, a); code != protocol.CodeConsentUsed {
		t.Errorf("the order once more: %s", code)
	}
}

// TestRefusedCheaply: who has no order has a probe decoded once, however many workers search.
func TestRefusedCheaply(t *testing.T) {
	a := searching(faceOf(4))
	a.order = order(consent.BindSample([]byte("x")), asker, "face", nil)
	refused := func(workers int) float64 {
		w := newWorld(t, func(c *identify.Config) { c.Workers = workers })
		return testing.AllocsPerRun(3, func() {
			if _, code := w.serve(t, a); code != protocol.CodeConsentHolder {
				t.Errorf("another sample's order: %s", code)
			}
		})
	}
	if one, many := refused(1), refused(256); many > one+100 {
		t.Errorf("%.0f allocations with a worker, %.0f with 256", one, many)
	}
}

// TestFloor: whatever law says, no search without a ground and two officers.
func TestFloor(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Law = lax{} })
	for _, basis := range []string{"consent", "written_consent", "legal_obligation", "public_task"} {
		a := searching(faceOf(4))
		a.basis = basis
		if _, code := w.serve(t, a); code != protocol.CodeSearchGround {
			t.Errorf("%s: %s", basis, code)
		}
		b := resolving(protocol.Handle{1}, "face")
		b.basis = basis
		if _, code := w.serve(t, b); code != protocol.CodeSearchGround {
			t.Errorf("resolving on %s: %s", basis, code)
		}
	}
	a := searching(faceOf(4))
	a.order = ""
	if _, code := w.serve(t, a); code != protocol.CodeConsentMissing {
		t.Errorf("without an order: %s", code)
	}
	p := faceOf(4)
	p.Modality, p.Format = "signature", exchange.FormatSignature2007
	if _, code := w.serve(t, searching(p)); code != protocol.CodeModality {
		t.Errorf("by a signature: %s", code)
	}
}
