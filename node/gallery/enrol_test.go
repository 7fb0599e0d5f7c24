package gallery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
)

// changes writes results as words.
func changes(results []gallery.Result) string {
	var words []string
	for _, r := range results {
		words = append(words, string(r.Change))
	}
	return strings.Join(words, " ")
}

func TestEnrolChanges(t *testing.T) {
	g := openGallery(t, newDir(t))
	e := person(0)
	only := func(templates ...gallery.Template) gallery.Enrolment {
		return gallery.Enrolment{Subject: e.Subject, Templates: templates}
	}
	held := func(holder string) gallery.Enrolment {
		some := only(e.Templates[0])
		some.Holder = holder
		return some
	}
	moved := e.Templates[1]
	moved.Position = 3
	steps := []struct {
		name  string
		batch []gallery.Enrolment
		want  string
		total int
	}{
		{"new", []gallery.Enrolment{only(e.Templates[0])}, "created", 1},
		{"repeated", []gallery.Enrolment{only(e.Templates[0])}, "unchanged", 1},
		{"holder", []gallery.Enrolment{held("h1")}, "updated", 1},
		{"same-holder", []gallery.Enrolment{held("h1")}, "unchanged", 1},
		{"other-holder", []gallery.Enrolment{held("h2")}, "failed", 1},
		{"more", []gallery.Enrolment{only(e.Templates[0], e.Templates[1])}, "updated", 2},
		{"twice-in-one", []gallery.Enrolment{only(e.Templates[2], e.Templates[2])}, "updated", 3},
		{"other-position", []gallery.Enrolment{only(moved)}, "updated", 4},
		{"duplicates", []gallery.Enrolment{person(1), person(1), held("h1"), person(1)}, "created unchanged unchanged unchanged", 4},
		{"created-twice", []gallery.Enrolment{
			{Subject: passport(2), Templates: person(2).Templates[:1]},
			{Subject: passport(2), Templates: person(2).Templates[1:]},
			person(2)}, "created updated updated", 4},
	}
	for _, s := range steps {
		results, err := g.Enrol(t.Context(), s.batch)
		if err != nil || changes(results) != s.want {
			t.Fatalf("%s: %q, %v; want %q", s.name, changes(results), err, s.want)
		}
		face, err1 := look(g, e.Subject, "face")
		finger, err2 := look(g, e.Subject, "finger")
		if n := len(face.templates) + len(finger.templates); n != s.total || err1 != nil || err2 != nil {
			t.Fatalf("%s: %d records, %v, %v; want %d", s.name, n, err1, err2, s.total)
		}
	}
	if g.Subjects() != 3 {
		t.Errorf("%d subjects, want 3", g.Subjects())
	}
	check(t, g, person(1))
	check(t, g, person(2))
	if h, err := look(g, e.Subject, "face"); err != nil || h.holder != "h1" {
		t.Errorf("holder %q, %v; want the first", h.holder, err)
	}
}

// TestEnrolRules has one fault a row, each between two good enrolments.
func TestEnrolRules(t *testing.T) {
	big := bytes.Repeat([]byte{1}, gallery.MaxRecordSize)
	many := func(n, size int) (ts []gallery.Template) {
		for i := range n {
			ts = append(ts, gallery.Template{Modality: "finger", Format: "test", Data: append([]byte{byte(i)}, big[:size-1]...)})
		}
		return ts
	}
	tests := map[string]struct {
		edit func(*gallery.Enrolment)
		want error
	}{
		"nothing":        {func(e *gallery.Enrolment) { e.Templates = nil }, gallery.ErrNothing},
		"empty-record":   {func(e *gallery.Enrolment) { e.Templates[1].Data = nil }, gallery.ErrTooMuch},
		"large-record":   {func(e *gallery.Enrolment) { e.Templates[1].Data = append(big, 1) }, gallery.ErrTooMuch},
		"many-records":   {func(e *gallery.Enrolment) { e.Templates = many(gallery.MaxRecords+1, 10) }, gallery.ErrTooMuch},
		"large-together": {func(e *gallery.Enrolment) { e.Templates = many(8, gallery.MaxRecordSize) }, gallery.ErrTooMuch},
		"large-holder":   {func(e *gallery.Enrolment) { e.Holder = strings.Repeat("h", gallery.MaxHolder+1) }, gallery.ErrTooMuch},
		"identifier":     {func(e *gallery.Enrolment) { e.Subject.Value = "канарейка" }, pseudonym.ErrIdentifier},
		"country":        {func(e *gallery.Enrolment) { e.Subject.Jurisdiction = "" }, pseudonym.ErrIdentifier},
		"no-modality":    {func(e *gallery.Enrolment) { e.Templates[2].Modality = "" }, envelope.ErrField},
		"long-modality":  {func(e *gallery.Enrolment) { e.Templates[2].Modality = strings.Repeat("m", 65) }, envelope.ErrField},
		"no-format":      {func(e *gallery.Enrolment) { e.Templates[2].Format = "" }, envelope.ErrField},
		"long-format":    {func(e *gallery.Enrolment) { e.Templates[2].Format = strings.Repeat("f", 129) }, envelope.ErrField},
	}
	g := openGallery(t, newDir(t))
	next := 0
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bad := person(next + 1)
			tt.edit(&bad)
			batch := []gallery.Enrolment{person(next), bad, person(next + 2)}
			results, err := g.Enrol(t.Context(), batch)
			if err != nil || changes(results) != "created failed created" {
				t.Fatalf("got %q, %v", changes(results), err)
			}
			if !errors.Is(results[1].Err, tt.want) {
				t.Errorf("rule %v, want %v", results[1].Err, tt.want)
			}
			for _, mark := range append(people.Person(next+1).Marks(), "канарейка") {
				if strings.Contains(results[1].Err.Error(), mark) {
					t.Error("the error names the subject")
				}
			}
			check(t, g, batch[0])
			check(t, g, batch[2])
			if h, err := look(g, passport(next+1), "finger"); err != nil || h.known {
				t.Errorf("the bad one: known %v, %v", h.known, err)
			}
			next += 3
			if g.Subjects() != int64(next/3*2) {
				t.Errorf("%d subjects, want %d", g.Subjects(), next/3*2)
			}
		})
	}
}

// TestEnrolLimits goes exactly to the limits of a subject.
func TestEnrolLimits(t *testing.T) {
	g := openGallery(t, newDir(t))
	template := func(i, size int) gallery.Template {
		return gallery.Template{Modality: strings.Repeat("m", 64), Format: strings.Repeat("f", 128), Position: 255,
			Data: append([]byte{byte(i), byte(i >> 8)}, make([]byte, size-2)...)}
	}
	full := gallery.Enrolment{Subject: passport(0), Holder: strings.Repeat("h", gallery.MaxHolder)}
	for i := range gallery.MaxRecords {
		full.Templates = append(full.Templates, template(i, 7000))
	}
	enrol(t, g, full)
	h, err := look(g, full.Subject, full.Templates[0].Modality)
	if err != nil || !sameTemplates(h.templates, full.Templates[0].Modality, full.Templates) {
		t.Errorf("%d templates, %v", len(h.templates), err)
	}
	_, keyring, _ := g.Keys(full.Subject)
	if n := len(entries{t, g.DB()}.value(keyring)); n > gallery.MaxKeyring {
		t.Errorf("a full keyring has %d bytes, MaxKeyring is %d", n, gallery.MaxKeyring)
	}
	full.Templates = append(full.Templates[:0:0], template(1000, 10))
	if r, err := g.Enrol(t.Context(), []gallery.Enrolment{full}); err != nil || !errors.Is(r[0].Err, gallery.ErrTooMuch) {
		t.Errorf("one record more: %v, %v; want ErrTooMuch", r, err)
	}
	seven := gallery.Enrolment{Subject: passport(1)}
	for i := range 7 {
		seven.Templates = append(seven.Templates, template(i, gallery.MaxRecordSize))
	}
	enrol(t, g, seven)
	h, err = look(g, seven.Subject, seven.Templates[0].Modality)
	if err != nil || !sameTemplates(h.templates, seven.Templates[0].Modality, seven.Templates) {
		t.Errorf("%d templates, %v", len(h.templates), err)
	}
}

// TestEnrolFullLists makes every Enrolment of a batch small and every list it
// rewrites as large as can be, so that commits outgrow their estimate.
func TestEnrolFullLists(t *testing.T) {
	g := openGallery(t, newDir(t))
	const subjects = 200
	batch := func(from, to int) (es []gallery.Enrolment) {
		for i := range subjects {
			e := small(fmt.Sprint("S", i))
			e.Templates = nil
			for n := from; n < to; n++ {
				e.Templates = append(e.Templates, gallery.Template{Modality: strings.Repeat("m", 64),
					Format: strings.Repeat("f", 128), Data: []byte{byte(n), byte(i)}})
			}
			es = append(es, e)
		}
		return es
	}
	enrol(t, g, batch(0, gallery.MaxRecords-1)...)
	before := g.Commits()
	enrol(t, g, batch(gallery.MaxRecords-1, gallery.MaxRecords)...)
	if commits := g.Commits() - before; commits < 2 {
		t.Errorf("%d commits; the batch was to outgrow one", commits)
	}
	modality := strings.Repeat("m", 64)
	for i, e := range batch(0, gallery.MaxRecords) {
		if h, err := look(g, e.Subject, modality); err != nil || !sameTemplates(h.templates, modality, e.Templates) {
			t.Fatalf("subject %d: %d templates, %v", i, len(h.templates), err)
		}
	}
}

// TestEnrolHuge splits a batch over many commits and reopens.
func TestEnrolHuge(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	var batch []gallery.Enrolment
	for i := range 3000 {
		e := small(fmt.Sprint("H", i%2500))
		e.Templates[0].Data = bytes.Repeat(e.Templates[0].Data, 1+i%40) // 32 to 1,280 bytes
		batch = append(batch, e)
	}
	results, err := g.Enrol(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		want := gallery.Created
		if i >= 2500 {
			// The 500 repeats have other lengths than the first time, unless i%40
			// comes out the same.
			want = gallery.Updated
			if i%40 == (i-2500)%40 {
				want = gallery.Unchanged
			}
		}
		if r.Change != want || r.Err != nil {
			t.Fatalf("enrolment %d: %v, want %s", i, r, want)
		}
	}
	if n := g.Commits(); n < 3000/gallery.MaxCall {
		t.Errorf("only %d commits", n)
	}
	if g.Subjects() != 2500 {
		t.Errorf("%d subjects, want 2500", g.Subjects())
	}
	closeGallery(t, g)
	g = openGallery(t, dir)
	if g.Subjects() != 2500 {
		t.Errorf("%d subjects after reopening, want 2500", g.Subjects())
	}
	for i := 0; i < 2500; i += 7 {
		h, err := look(g, batch[i].Subject, "finger")
		if err != nil || len(h.templates) == 0 || !sameTemplate(h.templates[0], batch[i].Templates[0]) {
			t.Fatalf("subject %d: %d templates, %v", i, len(h.templates), err)
		}
	}
}

func TestEnrolEmpty(t *testing.T) {
	g := openGallery(t, newDir(t))
	results, err := g.Enrol(t.Context(), nil)
	if err != nil || len(results) != 0 {
		t.Errorf("%v, %v", results, err)
	}
	if g.Commits() != 0 {
		t.Error("an empty batch was committed")
	}
	enrol(t, g, person(0))
	enrol(t, g, person(0))
	if g.Commits() != 1 {
		t.Errorf("%d commits, want 1: nothing new was enrolled", g.Commits())
	}
}

func TestEnrolCancelled(t *testing.T) {
	g := openGallery(t, newDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := g.Enrol(ctx, persons(0, 3))
	if !errors.Is(err, context.Canceled) || changes(results) != "failed failed failed" {
		t.Errorf("%q, %v", changes(results), err)
	}
	if g.Subjects() != 0 || g.Commits() != 0 {
		t.Errorf("%d subjects, %d commits", g.Subjects(), g.Commits())
	}
}

// lateContext ends after it was asked a number of times.
type lateContext struct {
	context.Context
	left int
}

func (c *lateContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestEnrolCutOff ends the context in the middle of a batch: what its results
// call created is there, and nothing else.
func TestEnrolCutOff(t *testing.T) {
	for _, left := range []int{0, 1, 255, 256, 257, 700} {
		g := openGallery(t, newDir(t))
		var batch []gallery.Enrolment
		for i := range 1000 {
			batch = append(batch, small(fmt.Sprint("C", i)))
		}
		results, err := g.Enrol(&lateContext{t.Context(), left}, batch)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d: %v", left, err)
		}
		created := 0
		for i, r := range results {
			h, err := look(g, batch[i].Subject, "finger")
			if err != nil || h.known != (r.Change == gallery.Created) || (r.Err == nil) != h.known {
				t.Fatalf("after %d: enrolment %d: %v, known %v, %v", left, i, r, h.known, err)
			}
			if h.known {
				created++
			}
		}
		if want := left / gallery.MaxCall * gallery.MaxCall; created != want || g.Subjects() != int64(want) {
			t.Errorf("after %d: %d created, %d subjects, want %d", left, created, g.Subjects(), want)
		}
		closeGallery(t, g)
	}
}
