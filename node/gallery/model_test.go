package gallery_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/node/gallery"
)

// model is a gallery without cryptography or disk.
type model map[string]*gallery.Enrolment

// enrol does what Gallery.Enrol promises, and says what it did.
func (m model) enrol(e gallery.Enrolment) gallery.Change {
	if len(e.Templates) == 0 {
		return gallery.Failed
	}
	was := m[e.Subject.Value]
	now := gallery.Enrolment{Subject: e.Subject, Holder: e.Holder}
	if was != nil {
		now.Templates = append(now.Templates, was.Templates...)
		if was.Holder != "" && e.Holder != "" && was.Holder != e.Holder {
			return gallery.Failed
		}
		if e.Holder == "" {
			now.Holder = was.Holder
		}
	}
	for _, t := range e.Templates {
		known := false
		for _, other := range now.Templates {
			known = known || sameTemplate(other, t)
		}
		if !known {
			now.Templates = append(now.Templates, t)
		}
	}
	if len(now.Templates) > gallery.MaxRecords {
		return gallery.Failed
	}
	m[e.Subject.Value] = &now
	switch {
	case was == nil:
		return gallery.Created
	case was.Holder == now.Holder && len(was.Templates) == len(now.Templates):
		return gallery.Unchanged
	}
	return gallery.Updated
}

func drawTemplate(t *rapid.T) gallery.Template {
	return gallery.Template{
		Modality: rapid.SampledFrom([]string{"face", "finger"}).Draw(t, "modality"),
		Format:   rapid.SampledFrom([]string{"f1", "f2"}).Draw(t, "format"),
		Position: rapid.Uint8Max(1).Draw(t, "position"),
		Data:     rapid.SliceOfN(rapid.Byte(), 1, 2).Draw(t, "data"),
	}
}

// drawEnrolment draws one of six subjects of a run.
func drawEnrolment(run int) *rapid.Generator[gallery.Enrolment] {
	return rapid.Custom(func(t *rapid.T) gallery.Enrolment {
		e := small(fmt.Sprintf("R%dS%d", run, rapid.IntRange(0, 5).Draw(t, "subject")))
		e.Holder = rapid.SampledFrom([]string{"", "", "h1", "h2"}).Draw(t, "holder")
		count := rapid.SampledFrom([]int{0, 1, 1, 2, 5, 30}).Draw(t, "templates")
		e.Templates = rapid.SliceOfN(rapid.Custom(drawTemplate), count, count).Draw(t, "records")
		return e
	})
}

// TestModel enrols and reopens as rapid likes and compares with the model. The
// runs share a gallery and have subjects of their own, because making one is slow.
func TestModel(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	run, former := 0, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		run++
		former = g.Subjects()
		m := make(model)
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				if now := g.Subjects(); now != former+int64(len(m)) {
					rt.Fatalf("%d subjects, want %d and %d", now, former, len(m))
				}
				m.compare(rt, g, run, rapid.IntRange(0, 5).Draw(rt, "looked up"))
			},
			"enrol": func(rt *rapid.T) {
				batch := rapid.SliceOfN(drawEnrolment(run), 0, 6).Draw(rt, "batch")
				results, err := g.Enrol(t.Context(), batch)
				if err != nil {
					rt.Fatal(err)
				}
				for i, e := range batch {
					if want := m.enrol(e); results[i].Change != want || (results[i].Err != nil) != (want == gallery.Failed) {
						rt.Fatalf("enrolment %d: %v, want %s", i, results[i], want)
					}
				}
			},
			"reopen": func(rt *rapid.T) {
				if rapid.IntRange(0, 199).Draw(rt, "patience") > 0 {
					rt.Skip("reopening is slow")
				}
				closeGallery(t, g)
				g = openGallery(t, dir)
			},
		})
		for i := range 6 {
			m.compare(rt, g, run, i)
		}
	})
}

func (m model) compare(rt *rapid.T, g *gallery.Gallery, run, i int) {
	id := small(fmt.Sprintf("R%dS%d", run, i)).Subject
	want, known := m[id.Value]
	for _, modality := range []string{"face", "finger"} {
		h, err := look(g, id, modality)
		switch {
		case err != nil || h.known != known:
			rt.Fatalf("subject %d: known %v, %v; want %v", i, h.known, err, known)
		case known && (h.holder != want.Holder || !sameTemplates(h.templates, modality, want.Templates)):
			rt.Fatalf("subject %d, %s: other holder or templates", i, modality)
		}
	}
}
