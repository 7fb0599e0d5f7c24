package responder_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/protect"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/gallery"
)

// stored is what lies in the gallery of a person's first face.
func stored(t *testing.T, w *world, p synth.Person) (data []byte) {
	t.Helper()
	refs, err := w.gallery.under.References(passport(p), "face")
	if err != nil {
		t.Fatal(err)
	}
	defer refs.Close()
	err = refs.Each(func(t gallery.Template) error { data = bytes.Clone(t.Data); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestProtectedFaces: faces stored under one generation, another, or two, decide as
// those that are stored as they are.
func TestProtectedFaces(t *testing.T) {
	p, other := person(7), person(8)
	first, second := faceTemplate(p.FaceReference()), faceTemplate(p.FaceProbe(2))
	ask := func(name string, w *world) {
		t.Helper()
		for _, c := range []struct {
			probe []byte
			want  protocol.Code
		}{{p.FaceProbe(1), protocol.CodeMatched}, {other.FaceProbe(1), protocol.CodeNotMatched}} {
			if a := w.send(t, about(p, faceProbe(c.probe))); a.Code != c.want {
				t.Errorf("%s: got %s, want %s", name, a.Code, c.want)
			}
		}
	}
	ask("plain", newWorld().withLedger(t).withGalleryUnder(t, nil, enrolled(p, first)))

	w := newWorld().withLedger(t).withGallery(t, enrolled(p, first))
	ask("one generation", w)
	e, err := exchange.ParseEmbedding(stored(t, w, p))
	if err != nil {
		t.Fatal(err)
	}
	if _, n, ok := protect.Base(e.Model); !ok || n != 1 {
		t.Errorf("stored as of %q", e.Model)
	}

	w.faces.Replace(facesOf(1, 2))
	ask("prepared", w)
	g := w.gallery.under.(*gallery.Gallery)
	if r, err := g.Enrol(t.Context(), []gallery.Enrolment{enrolled(p, second)}); err != nil || r[0].Change != gallery.Updated {
		t.Fatalf("adding a face: %v, %v", r, err)
	}
	ask("two generations", w)
	if n, err := g.RenewAll(context.Background(), nil); n.Subjects != 1 || err != nil {
		t.Fatalf("renewed %+v, %v", n, err)
	}
	w.faces.Replace(facesOf(2))
	ask("renewed", w)

	// What the node cannot compare is never a "no".
	w.faces.Replace(facesOf(3))
	if a := w.send(t, about(p, faceProbe(p.FaceProbe(1)))); a.Code != protocol.CodeInternal || a.Outcome != protocol.Unavailable {
		t.Errorf("without the secret: %+v", a.Verdict)
	}
}

// TestProtectedProbe: what was stored is no probe, so that a template that leaked does
// not open the door that it was taken from.
func TestProtectedProbe(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	if a := w.send(t, about(p, faceProbe(stored(t, w, p)))); a.Outcome != protocol.Inconclusive {
		t.Errorf("got %+v", a.Verdict)
	}
}
