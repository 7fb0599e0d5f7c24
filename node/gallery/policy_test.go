package gallery_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
)

// TestIfKnown: what a batch brought itself does not make a subject known to it.
func TestIfKnown(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrolment := func(batch string, policy gallery.IfKnown, templates ...string) gallery.Enrolment {
		e := person(0)
		e.Templates, e.Holder, e.Batch, e.IfKnown = nil, "", batch, policy
		for _, data := range templates {
			e.Templates = append(e.Templates, gallery.Template{Modality: "finger", Format: "f", Data: []byte(data)})
		}
		return e
	}
	steps := []struct {
		e    gallery.Enrolment
		want gallery.Change
		err  error
	}{
		{enrolment("one", gallery.Refuse, "a"), gallery.Created, nil},
		{enrolment("one", gallery.Refuse, "b"), gallery.Updated, nil}, // the batch's own second file
		{enrolment("one", gallery.Refuse, "a", "b"), gallery.Unchanged, nil},
		{enrolment("two", gallery.Refuse, "a"), gallery.Unchanged, nil},
		{enrolment("two", gallery.Refuse, "c"), gallery.Failed, gallery.ErrKnown},
		{enrolment("two", gallery.Keep, "c"), gallery.Kept, nil},
		{enrolment("", gallery.Keep, "c"), gallery.Kept, nil},
		{enrolment("two", gallery.Add, "c"), gallery.Updated, nil},
		{enrolment("one", gallery.Keep, "d"), gallery.Kept, nil}, // by now two has a part in it
	}
	for i, s := range steps {
		for _, f := range []func() ([]gallery.Result, error){
			func() ([]gallery.Result, error) { return g.Plan(t.Context(), []gallery.Enrolment{s.e}) },
			func() ([]gallery.Result, error) { return g.Enrol(t.Context(), []gallery.Enrolment{s.e}) },
		} {
			r, err := f()
			if err != nil || len(r) != 1 || r[0].Change != s.want || !errors.Is(r[0].Err, s.err) {
				t.Errorf("step %d: got %+v, %v; want %s, %v", i, r, err, s.want, s.err)
			}
		}
	}
	refs, err := g.References(person(0).Subject, "finger")
	if err != nil || refs.Len() != 3 {
		t.Errorf("%d records, %v; want 3", refs.Len(), err)
	}
	refs.Close()
}

// TestAbsences keeps what could not be captured, of a subject who has nothing else too.
func TestAbsences(t *testing.T) {
	g := openGallery(t, newDir(t))
	e := person(0)
	thumb := gallery.Absence{Modality: "finger", Position: 1, Reason: "amputated"}
	e.Templates, e.Absences = nil, []gallery.Absence{thumb}
	expect := func(want gallery.Change) {
		t.Helper()
		r, err := g.Enrol(t.Context(), []gallery.Enrolment{e})
		if err != nil || r[0].Change != want {
			t.Errorf("got %+v, %v; want %s", r, err, want)
		}
	}
	expect(gallery.Created)
	expect(gallery.Unchanged)
	e.Absences = append(e.Absences, gallery.Absence{Modality: "finger", Position: 2, Reason: "amputated"})
	expect(gallery.Updated)
	for modality, want := range map[string][]gallery.Absence{"finger": e.Absences, "face": nil} {
		refs, err := g.References(e.Subject, modality)
		if err != nil || !refs.Known || refs.Len() != 0 || !slices.Equal(refs.Absent, want) {
			t.Errorf("%s: known %v, %d absences, %v", modality, refs.Known, len(refs.Absent), err)
		}
		refs.Close()
	}
	for i := range 20 {
		e.Absences = append(e.Absences, gallery.Absence{Modality: "finger", Position: uint8(i), Reason: "other"})
	}
	if r, err := g.Enrol(t.Context(), []gallery.Enrolment{e}); err != nil || !errors.Is(r[0].Err, gallery.ErrTooMuch) {
		t.Errorf("22 absences: %+v, %v", r, err)
	}
}
