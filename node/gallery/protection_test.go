package gallery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/gallery/undo"
)

// shifts is a protection that adds the generation to every byte, and says so in the
// first one. Faces are covered.
type shifts struct {
	current atomic.Uint32
	gone    atomic.Uint32 // generations up to this were destroyed
}

func (*shifts) Covers(modality, _ string) bool { return modality == "face" }

func (s *shifts) Current() uint32 { return s.current.Load() }

func (s *shifts) Holds(n uint32) bool { return n > s.gone.Load() }

func (s *shifts) Protect(t gallery.Template) (gallery.Template, uint32, error) {
	if len(t.Data) == 0 || t.Data[0] == 0xff {
		return gallery.Template{}, 0, errors.New("malformed")
	}
	n := s.current.Load()
	t.Data = shifted(byte(n), t.Data)
	return t, n, nil
}

func (s *shifts) Renew(t gallery.Template) (gallery.Template, uint32, error) {
	if uint32(t.Data[0]) <= s.gone.Load() {
		return gallery.Template{}, 0, errors.New("destroyed")
	}
	n := s.current.Load()
	t.Data = shifted(byte(n), unshifted(t.Data))
	return t, n, nil
}

func shifted(n byte, data []byte) []byte {
	out := []byte{n}
	for _, b := range data {
		out = append(out, b+n)
	}
	return out
}

func unshifted(data []byte) (out []byte) {
	for _, b := range data[1:] {
		out = append(out, b-data[0])
	}
	return out
}

func openProtected(t *testing.T, dir string, by *shifts) *gallery.Gallery {
	t.Helper()
	cfg := testConfig(t, dir)
	cfg.Protection = by
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil && !errors.Is(err, gallery.ErrClosed) {
			t.Error(err)
		}
	})
	return g
}

// faced is an enrolment of a face and a finger that follow from the value, cheap to make.
func faced(value string) gallery.Enrolment {
	e := small(value)
	e.Templates = append(e.Templates, gallery.Template{Modality: "face", Format: "test", Data: []byte("face of " + value)})
	return e
}

func faces(from, to int) (es []gallery.Enrolment) {
	for i := from; i < to; i++ {
		es = append(es, faced(fmt.Sprintf("F%d", i)))
	}
	return es
}

// generations counts the subjects' faces by generation, and fails unless each subject
// has exactly one face and one finger, both of what was enrolled.
func generations(t *testing.T, g *gallery.Gallery, es []gallery.Enrolment) map[byte]int {
	t.Helper()
	out := map[byte]int{}
	for _, e := range es {
		face, err := look(g, e.Subject, "face")
		if err != nil || len(face.templates) != 1 || !bytes.Equal(unshifted(face.templates[0].Data), e.Templates[1].Data) {
			t.Fatalf("%d faces, or another, %v", len(face.templates), err)
		}
		finger, err := look(g, e.Subject, "finger")
		if err != nil || !sameTemplates(finger.templates, "finger", e.Templates) {
			t.Fatalf("%d fingers, or another, %v", len(finger.templates), err)
		}
		out[face.templates[0].Data[0]]++
	}
	return out
}

// TestRenewAll renews while people are enrolled and looked up, and then needs nothing
// of the generation before.
func TestRenewAll(t *testing.T) {
	by := &shifts{}
	by.current.Store(1)
	g := openProtected(t, newDir(t), by)
	enrol(t, g, faces(0, 150)...)
	if n := generations(t, g, faces(0, 150)); n[1] != 150 {
		t.Fatalf("stored under %v", n)
	}
	by.current.Store(2)
	var others sync.WaitGroup
	others.Go(func() {
		for i := 150; i < 200; i++ {
			if _, err := g.Enrol(t.Context(), faces(i, i+1)); err != nil {
				t.Error(err)
			}
		}
	})
	others.Go(func() {
		for i := range 300 {
			h, err := look(g, faced(fmt.Sprintf("F%d", i%150)).Subject, "face")
			if err != nil || len(h.templates) != 1 {
				t.Errorf("looked up meanwhile: %d faces, %v", len(h.templates), err)
			}
		}
	})
	var steps []renewal.Renewed
	n, err := g.RenewAll(t.Context(), func(r renewal.Renewed) { steps = append(steps, r) })
	others.Wait()
	if err != nil || n.Subjects != 150 || n.Looked < 150 || len(steps) < 3 || steps[len(steps)-1] != n {
		t.Errorf("renewed %+v in steps %v, %v; want 150 subjects", n, steps, err)
	}
	by.gone.Store(1)
	if n := generations(t, g, faces(0, 200)); n[2] != 200 {
		t.Errorf("stored under %v", n)
	}
	if n, err := g.RenewAll(t.Context(), nil); n.Subjects != 0 || n.Looked != 200 || err != nil {
		t.Errorf("again: %+v, %v; want 0 of 200", n, err)
	}
}

// TestRenewResumed stops in the middle and goes on after a restart. Meanwhile both
// generations are there.
func TestRenewResumed(t *testing.T) {
	by, dir := &shifts{}, newDir(t)
	by.current.Store(1)
	g := openProtected(t, dir, by)
	enrol(t, g, faces(0, 150)...)
	by.current.Store(2)
	ctx, cancel := context.WithCancel(t.Context())
	first, err := g.RenewAll(ctx, func(renewal.Renewed) { cancel() })
	if !errors.Is(err, context.Canceled) || first.Subjects == 0 || first.Subjects == 150 {
		t.Fatalf("stopped after %+v: %v", first, err)
	}
	closeGallery(t, g)
	g = openProtected(t, dir, by)
	if n := generations(t, g, faces(0, 150)); n[2] != int(first.Subjects) || n[1] != 150-n[2] {
		t.Errorf("stored under %v after %+v", n, first)
	}
	if n, err := g.RenewAll(t.Context(), nil); err != nil || first.Subjects+n.Subjects != 150 {
		t.Errorf("then %+v, %v; want %d", n, err, 150-first.Subjects)
	}
}

// TestRenewKeeps holds what is known of a subject to what it was: batches, findings,
// policies, holders and what an undo takes.
func TestRenewKeeps(t *testing.T) {
	by := &shifts{}
	by.current.Store(1)
	g := openProtected(t, newDir(t), by)
	a, b := faced("A"), faced("A")
	a.Batch, a.Holder, a.Templates = "one", "holder", a.Templates[:1]
	a.Absences = []gallery.Absence{{Modality: "face", Reason: "refused"}}
	b.Batch, b.Templates = "two", b.Templates[1:]
	enrol(t, g, a)
	enrol(t, g, b)
	commits := g.Commits()
	by.current.Store(2)
	if n, err := g.RenewAll(t.Context(), nil); n.Subjects != 1 || err != nil {
		t.Fatalf("renewed %+v, %v", n, err)
	}
	if g.Commits() != commits+2 || g.Subjects() != 1 { // one says from which generation on
		t.Errorf("%d commits, %d subjects", g.Commits()-commits, g.Subjects())
	}
	// The same again is a repetition, whatever generation it was stored under.
	if r := enrol(t, g, a, b); changes(r) != "unchanged unchanged" {
		t.Errorf("enrolled again: %v", changes(r))
	}
	if h, err := look(g, a.Subject, "face"); h.holder != "holder" || len(h.templates) != 1 || err != nil {
		t.Errorf("holder %q, %d faces, %v", h.holder, len(h.templates), err)
	}
	if refs, err := g.References(a.Subject, "face"); err != nil || len(refs.Absent) != 1 || refs.Absent[0].Reason != "refused" {
		t.Errorf("findings %d, %v", len(refs.Absent), err)
	} else {
		refs.Close()
	}
	if u, err := g.Undo(t.Context(), "two"); u != (undo.Done{Reduced: 1, Records: 1}) || err != nil {
		t.Errorf("undone %+v, %v", u, err)
	}
	if h, err := look(g, a.Subject, "face"); len(h.templates) != 0 || err != nil {
		t.Errorf("%d faces after the undo, %v", len(h.templates), err)
	}
}

// TestRenewErases: who was erased stays erased, before and after, also when the folder
// is opened anew.
func TestRenewErases(t *testing.T) {
	by, dir := &shifts{}, newDir(t)
	by.current.Store(1)
	g := openProtected(t, dir, by)
	es := faces(0, 4)
	enrol(t, g, es...)
	if n, err := g.Erase(t.Context(), es[0].Subject); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	by.current.Store(2)
	if n, err := g.RenewAll(t.Context(), nil); n.Subjects != 3 || err != nil {
		t.Fatalf("renewed %+v, %v", n, err)
	}
	if n, err := g.Erase(t.Context(), es[1].Subject); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	closeGallery(t, g)
	g = openProtected(t, dir, by)
	for i, want := range []bool{false, false, true, true} {
		if h, err := look(g, es[i].Subject, "face"); h.known != want || err != nil {
			t.Errorf("subject %d: known %t, %v", i, h.known, err)
		}
	}
}

// TestFsckWithoutSecret: an older gallery put back under a keystore without its secrets
// is not sound, though every record opens.
func TestFsckWithoutSecret(t *testing.T) {
	by := &shifts{}
	by.current.Store(1)
	g := openProtected(t, newDir(t), by)
	enrol(t, g, faces(0, 3)...)
	if r, err := g.Fsck(t.Context(), nil); err != nil || len(r.Damaged) != 0 || r.Records != 6 {
		t.Fatalf("%+v, %v", r, err)
	}
	by.current.Store(2)
	by.gone.Store(1)
	if r, err := g.Fsck(t.Context(), nil); err != nil || len(r.Damaged) != 3 || r.Records != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestRenewDamaged renews everyone but a damaged subject, and then does not say that
// the generation before can be destroyed.
func TestRenewDamaged(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, g *gallery.Gallery, id pseudonym.Identifier){
		"keyring": func(t *testing.T, g *gallery.Gallery, id pseudonym.Identifier) {
			_, key, _ := g.Keys(id)
			entries{t, g.DB()}.set(key, []byte("noise"))
		},
		"record": func(t *testing.T, g *gallery.Gallery, id pseudonym.Identifier) {
			_, _, record := g.Keys(id)
			entries{t, g.DB()}.remove(record(1))
		},
		"both entries gone": func(t *testing.T, g *gallery.Gallery, id pseudonym.Identifier) {
			stamp, key, _ := g.Keys(id)
			entries{t, g.DB()}.remove(key)
			entries{t, g.DB()}.remove(stamp)
		},
	} {
		t.Run(name, func(t *testing.T) {
			by := &shifts{}
			by.current.Store(1)
			g := openProtected(t, newDir(t), by)
			es := faces(0, 100)
			enrol(t, g, es...)
			damage(t, g, es[50].Subject)
			by.current.Store(2)
			if n, err := g.RenewAll(t.Context(), nil); !errors.Is(err, gallery.ErrDamaged) {
				t.Errorf("renewed %+v, %v; want ErrDamaged", n, err)
			}
			if n := generations(t, g, append(es[:50:50], es[51:]...)); n[2] != 99 {
				t.Errorf("stored under %v", n)
			}
		})
	}
}

// TestProtectionRefuses: what cannot be protected is not stored.
func TestProtectionRefuses(t *testing.T) {
	by := &shifts{}
	by.current.Store(1)
	g := openProtected(t, newDir(t), by)
	bad := faced("A")
	bad.Templates[1].Data = []byte{0xff}
	r, err := g.Enrol(t.Context(), []gallery.Enrolment{bad, faced("B")})
	if err != nil || r[0].Change != gallery.Failed || r[0].Err == nil || r[1].Change != gallery.Created {
		t.Errorf("%v, %v", r, err)
	}
	if p, err := g.Plan(t.Context(), []gallery.Enrolment{faced("B"), faced("C")}); err != nil || changes(p) != "unchanged created" {
		t.Errorf("planned %v, %v", changes(p), err)
	}
	plain := openGallery(t, newDir(t))
	if _, err := plain.RenewAll(t.Context(), nil); err == nil {
		t.Error("renewed what is not protected")
	}
}

// TestProtectUnprotected: a gallery that was filled without protection is renewed into
// it.
func TestProtectUnprotected(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, faces(0, 3)...)
	closeGallery(t, g)
	by := &plainly{}
	by.current.Store(1)
	cfg := testConfig(t, dir)
	cfg.Protection = by
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeGallery(t, g)
	if n, err := g.RenewAll(t.Context(), nil); n.Subjects != 3 || err != nil {
		t.Fatalf("renewed %+v, %v", n, err)
	}
	if n := generations(t, g, faces(0, 3)); n[1] != 3 {
		t.Errorf("stored under %v", n)
	}
	if r := enrol(t, g, faces(0, 1)...); r[0].Change != gallery.Unchanged {
		t.Errorf("enrolled again: %s", r[0].Change)
	}
}

// plainly renews what is not protected.
type plainly struct{ shifts }

func (p *plainly) Renew(t gallery.Template) (gallery.Template, uint32, error) { return p.Protect(t) }

// TestGenerationChanges has the generation change between the preparing of an enrolment
// and its commit.
func TestGenerationChanges(t *testing.T) {
	by := &shifts{}
	by.current.Store(1)
	g := openProtected(t, newDir(t), by)
	release := g.HoldTurn()
	var done sync.WaitGroup
	done.Go(func() { enrol(t, g, faced("A")) })
	waitFor(t, "the caller", func() bool { return g.Waiting() == 1 })
	by.current.Store(2)
	release()
	done.Wait()
	if n := generations(t, g, []gallery.Enrolment{faced("A")}); n[2] != 1 {
		t.Errorf("stored under %v", n)
	}
}

// TestRenewShared: who shares the store and does not know the new generation can store
// nothing under the old one, which is about to be destroyed.
func TestRenewShared(t *testing.T) {
	dsn := postgres.Start(t).Database(t)
	var by [2]*shifts
	var gs [2]*gallery.Gallery
	for i := range gs {
		by[i] = &shifts{}
		by[i].current.Store(1)
		cfg := inPostgres(t, dsn)
		cfg.Protection = by[i]
		gs[i] = home{cfg: cfg}.open(t)
	}
	enrol(t, gs[0], faces(0, 3)...)
	enrol(t, gs[1], faces(3, 6)...)
	by[0].current.Store(2)
	if n, err := gs[0].RenewAll(t.Context(), nil); n.Subjects != 6 || err != nil {
		t.Fatalf("renewed %+v, %v", n, err)
	}
	if r, err := gs[1].Enrol(t.Context(), []gallery.Enrolment{faced("late"), small("finger only")}); err != nil ||
		!errors.Is(r[0].Err, gallery.ErrOutdated) || r[1].Change != gallery.Created {
		t.Errorf("enrolled by the other: %v, %v", r, err)
	}
	if n, err := gs[1].RenewAll(t.Context(), nil); !errors.Is(err, gallery.ErrOutdated) {
		t.Errorf("renewed back: %+v, %v", n, err)
	}
	by[1].current.Store(2)
	enrol(t, gs[1], faced("late"))
	if n := generations(t, gs[0], append(faces(0, 6), faced("late"))); n[2] != 7 {
		t.Errorf("stored under %v", n)
	}
}
