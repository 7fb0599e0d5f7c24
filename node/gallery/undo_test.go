package gallery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/undo"
)

// of is an enrolment by a batch.
func of(batch string, e gallery.Enrolment) gallery.Enrolment {
	e.Batch = batch
	return e
}

// TestUndo takes one of two batches back: subjects that it alone brought are unknown,
// of those that both have a part in the other's part is left, and all of it stands
// after a restart.
func TestUndo(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	const alone, both, others = 2500, 30, 20
	var first, second []gallery.Enrolment
	for i := range alone {
		second = append(second, of("second", small(fmt.Sprintf("A%d", i))))
	}
	for i := range both {
		e := small(fmt.Sprintf("B%d", i))
		first = append(first, of("first", e))
		e.Holder = "holder"
		e.Templates = []gallery.Template{{Modality: "face", Format: "f", Data: []byte{byte(i), 1}}}
		e.Absences = []gallery.Absence{{Modality: "finger", Position: 3, Reason: "amputated"}}
		second = append(second, of("second", e))
	}
	for i := range others {
		first = append(first, of("first", small(fmt.Sprintf("C%d", i))))
	}
	enrol(t, g, first...)
	enrol(t, g, second...)
	if done, err := g.Undo(t.Context(), "third"); err != nil || done != (undo.Done{}) {
		t.Errorf("a batch that is none: %+v, %v", done, err)
	}
	if _, err := g.Undo(t.Context(), ""); err == nil {
		t.Error("what belongs to no batch was undone")
	}
	want := undo.Done{Subjects: alone, Reduced: both, Records: alone + both}
	if done, err := g.Undo(t.Context(), "second"); err != nil || done != want {
		t.Errorf("got %+v, %v; want %+v", done, err, want)
	}
	if done, err := g.Undo(t.Context(), "second"); err != nil || done != (undo.Done{}) {
		t.Errorf("again: %+v, %v", done, err)
	}
	for range 2 {
		if g.Subjects() != both+others {
			t.Errorf("%d subjects, want %d", g.Subjects(), both+others)
		}
		for _, e := range first {
			check(t, g, e)
		}
		for _, e := range second[:alone] {
			if h, err := look(g, e.Subject, "finger"); err != nil || h.known {
				t.Fatalf("undone: known %v, %v", h.known, err)
			}
		}
		refs, err := g.References(second[alone].Subject, "face")
		if err != nil || refs.Len() != 0 || refs.Holder != "" {
			t.Errorf("a part is left: %d records, holder %q, %v", refs.Len(), refs.Holder, err)
		}
		refs.Close()
		closeGallery(t, g)
		g = openGallery(t, dir)
	}
	// By the same import they do not come again, by another they do.
	if r, err := g.Enrol(t.Context(), second[:1]); err != nil || !errors.Is(r[0].Err, gallery.ErrErased) {
		t.Errorf("the same batch again: %+v, %v", r, err)
	}
	for i := range second {
		second[i].Batch = "again"
	}
	enrol(t, g, second...)
	check(t, g, second[0])
}

// TestUndoIsFinal puts back the gallery from before a batch was taken back: nobody whom it
// alone brought is there again, also under the name of before another key.
func TestUndoIsFinal(t *testing.T) {
	dir, old := newDir(t), newDir(t)
	g := openNamed(t, dir, nameKeys(t, 1, 1))
	enrol(t, g, of("first", small("A")), of("second", small("B")), of("second", small("C")))
	closeGallery(t, g)
	copyFolder(t, dir, old)
	g = openNamed(t, dir, nameKeys(t, 2, 1, 2))
	rename(t, g, 3)
	if done, err := g.Undo(t.Context(), "second"); err != nil || done.Subjects != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	enrol(t, g, of("third", small("C"))) // comes again, and is gone when put back
	closeGallery(t, g)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, old, dir)
	g = openNamed(t, dir, nameKeys(t, 2, 1, 2))
	rename(t, g, 1)
	check(t, g, small("A"))
	for _, name := range []string{"B", "C"} {
		if h, err := look(g, small(name).Subject, "finger"); err != nil || h.known {
			t.Errorf("%s: known %v, %v", name, h.known, err)
		}
	}
}

// TestUndoCutOff ends half way and goes on.
func TestUndoCutOff(t *testing.T) {
	g := openGallery(t, newDir(t))
	var all []gallery.Enrolment
	for i := range 2100 {
		all = append(all, of("b", small(fmt.Sprintf("A%d", i))))
	}
	enrol(t, g, all...)
	ctx := &dying{Context: t.Context(), left: 1500}
	done, err := g.Undo(ctx, "b")
	if !errors.Is(err, context.Canceled) || done.Subjects != 1024 || g.Subjects() != int64(len(all)-1024) {
		t.Fatalf("cut off: %+v, %d subjects, %v", done, g.Subjects(), err)
	}
	if done, err := g.Undo(t.Context(), "b"); err != nil || done.Subjects != len(all)-1024 || g.Subjects() != 0 {
		t.Errorf("again: %+v, %d subjects, %v", done, g.Subjects(), err)
	}
}

// dying ends after Err was asked for some times.
type dying struct {
	context.Context
	left int
}

func (d *dying) Err() error {
	if d.left--; d.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestUndoneInBulk puts back a gallery from before more people were erased than one
// commit of the store takes.
func TestUndoneInBulk(t *testing.T) {
	dir, old := newDir(t), newDir(t)
	g := openGallery(t, dir)
	const people = 9000
	var all []gallery.Enrolment
	for i := range people {
		all = append(all, of("b", small(fmt.Sprintf("A%d", i))))
	}
	enrol(t, g, all...)
	enrol(t, g, small("stays"))
	closeGallery(t, g)
	copyFolder(t, dir, old)
	g = openGallery(t, dir)
	if done, err := g.Undo(t.Context(), "b"); err != nil || done.Subjects != people {
		t.Fatalf("%+v, %v", done, err)
	}
	closeGallery(t, g)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, old, dir)
	g = openGallery(t, dir)
	if g.Subjects() != 1 {
		t.Errorf("%d subjects, want 1", g.Subjects())
	}
	check(t, g, small("stays"))
}
