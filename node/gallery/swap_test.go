package gallery_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// entries reads and writes the store as its thief would.
type entries struct {
	tb testing.TB
	db store.Store
}

func (e entries) value(key []byte) (v []byte) {
	e.tb.Helper()
	err := e.db.View(func(r store.Reader) (err error) {
		v, err = r.Get(key)
		return err
	})
	if err != nil {
		e.tb.Fatal(err)
	}
	return v
}

func (e entries) set(key, value []byte) {
	e.tb.Helper()
	if err := e.db.Update(func(txn store.Txn) error { return txn.Set(key, value) }); err != nil {
		e.tb.Fatal(err)
	}
}

func (e entries) remove(key []byte) {
	e.tb.Helper()
	if err := e.db.Update(func(txn store.Txn) error { return txn.Delete(key) }); err != nil {
		e.tb.Fatal(err)
	}
}

func (e entries) swap(a, b []byte) {
	e.tb.Helper()
	va, vb := e.value(a), e.value(b)
	e.set(a, vb)
	e.set(b, va)
}

// TestSwap rearranges the store of an open gallery, in which persons 0 and 1 are
// enrolled and 2 is not. Every look-up is refused or gives the right templates at
// the right positions; those that name a modality are refused.
func TestSwap(t *testing.T) {
	type keys struct {
		stamp, keyring []byte
		record         func(uint32) []byte
	}
	tests := map[string]struct {
		edit    func(e entries, k [3]keys)
		refused [3]string // modality, "both" or none, by person
	}{
		"keyrings":           {func(e entries, k [3]keys) { e.swap(k[0].keyring, k[1].keyring) }, [3]string{"both", "both"}},
		"keyrings-and-stamp": {func(e entries, k [3]keys) { e.swap(k[0].keyring, k[1].keyring); e.swap(k[0].stamp, k[1].stamp) }, [3]string{"both", "both"}},
		"keyring-copied":     {func(e entries, k [3]keys) { e.set(k[1].keyring, e.value(k[0].keyring)) }, [3]string{"", "both"}},
		"to-a-stranger": {func(e entries, k [3]keys) {
			e.set(k[2].keyring, e.value(k[0].keyring))
			e.set(k[2].stamp, e.value(k[0].stamp))
			for slot := range uint32(3) {
				e.set(k[2].record(slot), e.value(k[0].record(slot)))
			}
		}, [3]string{"", "", "both"}},
		"faces":            {func(e entries, k [3]keys) { e.swap(k[0].record(0), k[1].record(0)) }, [3]string{"face", "face"}},
		"fingers":          {func(e entries, k [3]keys) { e.swap(k[0].record(1), k[1].record(1)) }, [3]string{"finger", "finger"}},
		"slots":            {func(e entries, k [3]keys) { e.swap(k[0].record(1), k[0].record(2)) }, [3]string{"finger"}},
		"slot-copied":      {func(e entries, k [3]keys) { e.set(k[0].record(2), e.value(k[0].record(1))) }, [3]string{"finger"}},
		"modalities":       {func(e entries, k [3]keys) { e.swap(k[0].record(0), k[0].record(1)) }, [3]string{"both"}},
		"record-removed":   {func(e entries, k [3]keys) { e.remove(k[0].record(1)) }, [3]string{"finger"}},
		"keyring-removed":  {func(e entries, k [3]keys) { e.remove(k[0].keyring) }, [3]string{"both"}},
		"stamp-removed":    {func(e entries, k [3]keys) { e.remove(k[0].stamp) }, [3]string{"both"}},
		"stamp-raised":     {func(e entries, k [3]keys) { e.set(k[0].stamp, []byte{0, 0, 0, 9}) }, [3]string{"both"}},
		"stamp-short":      {func(e entries, k [3]keys) { e.set(k[0].stamp, []byte{0, 0, 1}) }, [3]string{"both"}},
		"stamp-empty":      {func(e entries, k [3]keys) { e.set(k[0].stamp, nil) }, [3]string{"both"}},
		"keyring-empty":    {func(e entries, k [3]keys) { e.set(k[0].keyring, nil) }, [3]string{"both"}},
		"keyring-cut":      {func(e entries, k [3]keys) { v := e.value(k[0].keyring); e.set(k[0].keyring, v[:len(v)-1]) }, [3]string{"both"}},
		"keyring-longer":   {func(e entries, k [3]keys) { e.set(k[0].keyring, append(e.value(k[0].keyring), 0)) }, [3]string{"both"}},
		"keyring-no-array": {func(e entries, k [3]keys) { e.set(k[0].keyring, []byte{0xf6}) }, [3]string{"both"}},
		"record-empty":     {func(e entries, k [3]keys) { e.set(k[0].record(0), nil) }, [3]string{"face"}},
		"record-cut":       {func(e entries, k [3]keys) { v := e.value(k[0].record(0)); e.set(k[0].record(0), v[:len(v)-1]) }, [3]string{"face"}},
		"record-longer":    {func(e entries, k [3]keys) { e.set(k[0].record(0), append(e.value(k[0].record(0)), 0)) }, [3]string{"face"}},
		"list-as-record": {func(e entries, k [3]keys) {
			e.set(k[0].record(0), e.value(k[0].keyring))
		}, [3]string{"face"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := openGallery(t, newDir(t))
			enrol(t, g, person(0))
			enrol(t, g, person(1))
			var k [3]keys
			for i := range k {
				k[i].stamp, k[i].keyring, k[i].record = g.Keys(passport(i))
			}
			tt.edit(entries{t, g.DB()}, k)
			for i := range k {
				for _, modality := range []string{"face", "finger"} {
					expectSwapped(t, g, i, modality, tt.refused[i] == modality || tt.refused[i] == "both")
				}
			}
		})
	}
}

func expectSwapped(t *testing.T, g *gallery.Gallery, i int, modality string, refused bool) {
	t.Helper()
	h, err := look(g, passport(i), modality)
	for _, got := range h.templates { // even those before an error
		right := false
		for _, want := range person(i).Templates {
			right = right || sameTemplate(got, want)
		}
		if !right {
			t.Errorf("person %d, %s: a template of another person or place", i, modality)
		}
	}
	switch {
	case refused && !errors.Is(err, gallery.ErrDamaged):
		t.Errorf("person %d, %s: %v, want ErrDamaged", i, modality, err)
	case refused || i == 2 && err == nil && !h.known:
	case err != nil || h.holder != person(i).Holder || !sameTemplates(h.templates, modality, person(i).Templates):
		t.Errorf("person %d, %s: %v, or other templates than enrolled", i, modality, err)
	}
}

// TestSwapThenOpen edits a store in ways that only the tally shows.
func TestSwapThenOpen(t *testing.T) {
	tests := map[string]func(t *testing.T, g *gallery.Gallery, e entries){
		"subject-removed": func(_ *testing.T, g *gallery.Gallery, e entries) {
			stamp, keyring, _ := g.Keys(passport(0))
			e.remove(stamp)
			e.remove(keyring)
		},
		"subject-added": func(_ *testing.T, g *gallery.Gallery, e entries) {
			from, _, _ := g.Keys(passport(0))
			to, _, _ := g.Keys(passport(5))
			e.set(to, e.value(from))
		},
		"older-keyring": func(t *testing.T, g *gallery.Gallery, e entries) {
			stamp, keyring, _ := g.Keys(passport(0))
			oldStamp, oldKeyring := e.value(stamp), e.value(keyring)
			more := person(0)
			more.Templates = []gallery.Template{{Modality: "finger", Format: "test", Data: []byte("more")}}
			enrol(t, g, more)
			e.set(stamp, oldStamp)
			e.set(keyring, oldKeyring)
		},
		"older-tally": func(t *testing.T, g *gallery.Gallery, e entries) {
			old := e.value(tally.Row())
			enrol(t, g, person(3))
			e.set(tally.Row(), old)
		},
		"older-tally-and-no-subject": func(t *testing.T, g *gallery.Gallery, e entries) {
			old := e.value(tally.Row())
			enrol(t, g, person(3))
			e.set(tally.Row(), old)
			stamp, keyring, _ := g.Keys(passport(3))
			e.remove(stamp)
			e.remove(keyring)
		},
		"no-tally":    func(_ *testing.T, _ *gallery.Gallery, e entries) { e.remove(tally.Row()) },
		"empty-tally": func(_ *testing.T, _ *gallery.Gallery, e entries) { e.set(tally.Row(), nil) },
		"made-up-tally": func(_ *testing.T, _ *gallery.Gallery, e entries) {
			v := bytes.Clone(e.value(tally.Row()))
			v[3]++
			e.set(tally.Row(), v)
		},
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t)
			g := openGallery(t, dir)
			enrol(t, g, person(0))
			enrol(t, g, person(1))
			edit(t, g, entries{t, g.DB()})
			closeGallery(t, g)
			for range 2 { // it does not heal
				if _, err := gallery.Open(testConfig(t, dir)); !errors.Is(err, gallery.ErrDamaged) {
					t.Fatalf("got %v, want ErrDamaged", err)
				}
			}
		})
	}
}

// TestMend loses the stamp of a subject: what it was follows, unless more is wrong.
func TestMend(t *testing.T) {
	tests := map[string]struct {
		more  func(t *testing.T, g *gallery.Gallery, e entries)
		mends bool
	}{
		"alone": {func(*testing.T, *gallery.Gallery, entries) {}, true},
		"another-too": {func(_ *testing.T, g *gallery.Gallery, e entries) {
			stamp, _, _ := g.Keys(passport(1))
			e.remove(stamp)
		}, false},
		"another-gone": {func(_ *testing.T, g *gallery.Gallery, e entries) {
			stamp, keyring, _ := g.Keys(passport(1))
			e.remove(stamp)
			e.remove(keyring)
		}, false},
		"another-raised": {func(_ *testing.T, g *gallery.Gallery, e entries) {
			stamp, _, _ := g.Keys(passport(1))
			v := bytes.Clone(e.value(stamp))
			v[7]++
			e.set(stamp, v)
		}, false},
		"keyring-cut": {func(_ *testing.T, g *gallery.Gallery, e entries) {
			_, keyring, _ := g.Keys(passport(0))
			v := e.value(keyring)
			e.set(keyring, v[:len(v)-1])
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t)
			g := openGallery(t, dir)
			first := person(0)
			first.Templates = first.Templates[:1]
			enrol(t, g, first)
			enrol(t, g, person(1), person(2))
			enrol(t, g, person(0)) // the commit that wrote it is not the one that enrolled it
			e := entries{t, g.DB()}
			stamp, _, _ := g.Keys(passport(0))
			was := bytes.Clone(e.value(stamp))
			e.remove(stamp)
			tt.more(t, g, e)
			closeGallery(t, g)
			g, err := gallery.Open(testConfig(t, dir))
			if !tt.mends {
				if !errors.Is(err, gallery.ErrDamaged) {
					t.Fatalf("opened: %v, want ErrDamaged", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer closeGallery(t, g)
			if !bytes.Equal(entries{t, g.DB()}.value(stamp), was) {
				t.Error("another stamp than it was")
			}
			for i := range 3 {
				check(t, g, person(i))
			}
			if r, err := g.Fsck(t.Context(), nil); err != nil || !r.Sound() {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// TestExchanged puts the rows of somebody who was erased back in the place of another's who
// was enrolled by the same commit: all counts are right, and the store is refused.
func TestExchanged(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 3)...)
	e := entries{t, g.DB()}
	rows := func(id pseudonym.Identifier, n int) map[string][]byte {
		stamp, ring, record := g.Keys(id)
		out := map[string][]byte{string(stamp): e.value(stamp), string(ring): e.value(ring)}
		for slot := range uint32(n) {
			out[string(record(slot))] = e.value(record(slot))
		}
		return out
	}
	erased, other := rows(passport(1), len(person(1).Templates)), rows(passport(2), len(person(2).Templates))
	erase(t, g, 1)
	for key := range other {
		e.remove([]byte(key))
	}
	for key, value := range erased {
		e.set([]byte(key), value)
	}
	if r, err := g.Fsck(t.Context(), nil); err != nil || !r.Stale {
		t.Errorf("the check finds nothing: %+v, %v", r, err)
	}
	closeGallery(t, g)
	if _, err := gallery.Open(testConfig(t, dir)); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("got %v, want damage", err)
	}
}

// TestEnrolMends enrols again those of whom a record is damaged, gone, or another's: they
// have it again. A record that is sound is not written.
func TestEnrolMends(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, persons(0, 3)...)
	e := entries{t, g.DB()}
	_, _, record := g.Keys(passport(1))
	for name, spoil := range map[string]func(key []byte){
		"damaged": func(key []byte) { e.set(key, append(bytes.Clone(e.value(key)), 0)) },
		"gone":    func(key []byte) { e.remove(key) },
	} {
		for slot := range uint32(len(person(1).Templates)) {
			spoil(record(slot))
			results, err := g.Enrol(t.Context(), persons(0, 3))
			if err != nil || results[0].Change != gallery.Unchanged || results[1].Change != gallery.Updated || results[2].Change != gallery.Unchanged {
				t.Fatalf("%s: %v, %v", name, results, err)
			}
			for i := range 3 {
				check(t, g, person(i))
			}
		}
	}
	if r, err := g.Fsck(t.Context(), nil); err != nil || len(r.Damaged) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestEnrolDamaged enrols a damaged subject among sound ones.
func TestEnrolDamaged(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, person(0))
	e := entries{t, g.DB()}
	_, keyring, _ := g.Keys(passport(0))
	before := e.value(keyring)
	e.set(keyring, append(bytes.Clone(before), 0))
	more := person(0)
	more.Templates[0].Data = append(more.Templates[0].Data, 1)
	results, err := g.Enrol(t.Context(), []gallery.Enrolment{person(1), more, person(2)})
	if !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	if results[0].Change != gallery.Created || results[2].Change != gallery.Created {
		t.Errorf("sound subjects: %v and %v, want created", results[0], results[2])
	}
	if results[1].Change != gallery.Failed || !errors.Is(results[1].Err, gallery.ErrDamaged) {
		t.Errorf("damaged subject: %v, want failed with ErrDamaged", results[1])
	}
	check(t, g, person(1))
	check(t, g, person(2))
	e.set(keyring, before)
	check(t, g, person(0))
}
