package identify_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/identify"
	"github.com/tamga-id/tamga/node/protection"
	"github.com/tamga-id/tamga/node/rows"
)

// TestHandles: a handle is for one requester, purpose and case, for minutes, and outlives the process.
func TestHandles(t *testing.T) {
	w := newWorld(t, nil)
	find := func(i int) protocol.Handle {
		t.Helper()
		s, code := w.serve(t, searching(faceOf(i)))
		if code != protocol.CodeCandidates {
			t.Fatal(code)
		}
		return s.Found.Handles[0]
	}
	h := find(2)
	foreign := resolving(h, "face")
	foreign.issuer, foreign.order = "https://tjk.example", order(consent.BindHandle(h[:]), "https://tjk.example", "face", nil)
	otherCase := resolving(h, "face")
	otherCase.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.Exemption.Case = "18/2026" })
	otherHandle := resolving(h, "face")
	otherHandle.order = order(consent.BindHandle(make([]byte, 16)), asker, "face", nil)
	otherPurpose := resolving(h, "face")
	otherPurpose.purpose, otherPurpose.basis = "law_enforcement", "court_order"
	for name, c := range map[string]struct {
		a    ask
		want protocol.Code
	}{
		"foreign":       {foreign, protocol.CodeHandle},
		"other-case":    {otherCase, protocol.CodeHandle},
		"other-handle":  {otherHandle, protocol.CodeConsentHolder},
		"other-purpose": {otherPurpose, protocol.CodeHandle},
		"unknown":       {resolving(protocol.Handle{9}, "face"), protocol.CodeHandle},
	} {
		if _, code := w.serve(t, c.a); code != c.want {
			t.Errorf("%s: %s, want %s", name, code, c.want)
		}
	}
	w.Desk = identify.New(w.cfg) // another process, or replica, with the same store
	if _, code := w.serve(t, resolving(h, "face")); code != protocol.CodeResolved {
		t.Errorf("after a restart: %s", code)
	}
	late, erased := find(4), find(6)
	if _, err := w.gallery.Erase(t.Context(), passport(6)); err != nil {
		t.Fatal(err)
	}
	if _, code := w.serve(t, resolving(erased, "face")); code != protocol.CodeHandle {
		t.Errorf("of somebody erased: %s", code)
	}
	again := gallery.Enrolment{Subject: passport(6), Templates: []gallery.Template{{Modality: "face", Format: exchange.FormatEmbedding, Data: people.Person(6).FaceReference()}}}
	if r := must(w.gallery.Enrol(t.Context(), []gallery.Enrolment{again})); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if _, code := w.serve(t, resolving(erased, "face")); code != protocol.CodeHandle {
		t.Errorf("of somebody erased, and enrolled again: %s", code)
	}
	if n, err := w.Forget(w.now); n != 0 || err != nil {
		t.Errorf("%d handles forgotten that are good, %v", n, err)
	}
	w.now = w.now.Add(10 * time.Minute)
	if _, code := w.serve(t, resolving(late, "face")); code != protocol.CodeHandle {
		t.Errorf("after its time: %s", code)
	}
	w.now = w.now.Add(time.Minute)
	if n, err := w.Forget(w.now); n != 2 || err != nil {
		t.Errorf("%d handles forgotten, %v; want the two that are over", n, err)
	}
}

// TestOneHandleManyAtOnce: of resolutions that come at once one is told.
func TestOneHandleManyAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	s, _ := w.serve(t, searching(faceOf(2)))
	h := s.Found.Handles[0]
	codes := make([]protocol.Code, 8)
	var all sync.WaitGroup
	for i := range codes {
		a := resolving(h, "face")
		a.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.ID = strings.Repeat("i", i+1) })
		all.Go(func() { _, codes[i] = w.serve(t, a) })
	}
	all.Wait()
	slices.Sort(codes)
	if n := slices.Index(codes, protocol.CodeResolved); n != 7 || codes[0] != protocol.CodeHandle {
		t.Errorf("got %v, want one told", codes)
	}
}

// TestReplicas: of two nodes over one store an order is good at one, once, and so is a handle, and after a restart of both.
func TestReplicas(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Consents = consents.New(c.Rows, nil) })
	another := func() *world {
		r := must(rows.New(w.gallery, [32]byte{7}))
		return over(t, w.gallery, w.cfg.Faces.(*protection.Faces), func(c *identify.Config) { c.Rows, c.Consents = r, consents.New(r, nil) })
	}
	other := another()
	a := searching(faceOf(2))
	s, code := w.serve(t, a)
	if code != protocol.CodeCandidates {
		t.Fatal(code)
	}
	h := s.Found.Handles[0]
	tell := resolving(h, "face")
	again := resolving(h, "face")
	again.order = order(consent.BindHandle(h[:]), asker, "face", func(c *consent.Consent) { c.ID = "another" })
	for _, c := range []struct {
		at   *world
		a    ask
		want protocol.Code
	}{
		{other, a, protocol.CodeConsentUsed}, {another(), a, protocol.CodeConsentUsed},
		{other, tell, protocol.CodeResolved}, {w, tell, protocol.CodeHandle}, {w, again, protocol.CodeHandle}, {another(), again, protocol.CodeHandle},
	} {
		if _, code := c.at.serve(t, c.a); code != c.want {
			t.Errorf("%s: %s, want %s", c.a.operation, code, c.want)
		}
	}
}
