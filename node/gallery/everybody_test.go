package gallery_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
)

func identified(t *testing.T, dir string) *gallery.Gallery {
	t.Helper()
	cfg := testConfig(t, dir)
	cfg.Identifiers = true
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// everybody is where all are who have something in a modality, with how often each was visited.
func everybody(t *testing.T, g *gallery.Gallery, modality string, parts int) (map[gallery.Place]int, int64, int64) {
	t.Helper()
	at := map[gallery.Place]int{}
	var mu sync.Mutex
	seen, least, err := g.Everybody(t.Context(), modality, parts, func(_ int, page []gallery.References) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range page {
			opened := 0
			if err := r.Each(func(x gallery.Template) error {
				opened++
				if x.Modality != modality {
					t.Errorf("visited a %s for a %s", x.Modality, modality)
				}
				return nil
			}); err != nil || opened == 0 {
				t.Errorf("opened %d records: %v", opened, err)
			}
			at[r.Place()]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return at, seen, least
}

// TestEverybody: all are visited once, over several pages, and named where the gallery keeps names.
func TestEverybody(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, small("BEFORE0"))
	closeGallery(t, g)
	g = identified(t, dir)
	var batch []gallery.Enrolment
	want := map[string]bool{}
	for i := range 600 {
		e := small(fmt.Sprintf("SYN%06d", i))
		batch, want[e.Subject.Value] = append(batch, e), true
	}
	for i := range 10 { // pages that end because of their records
		e := small(fmt.Sprintf("SYNTHICK%02d", i))
		for k := range 60 {
			e.Templates = append(e.Templates, gallery.Template{Modality: "finger", Format: "test", Position: 2, Data: []byte{byte(i), byte(k), 1}})
		}
		batch, want[e.Subject.Value] = append(batch, e), true
	}
	enrol(t, g, batch...)
	enrol(t, g, person(1))
	fingers, seen, least := everybody(t, g, "finger", 1)
	if len(fingers) != 612 || seen != 612 || least != 612 {
		t.Errorf("%d have fingers, %d of at least %d seen; want 612", len(fingers), seen, least)
	}
	if faces, seen, _ := everybody(t, g, "face", 3); len(faces) != 1 || seen != 612 {
		t.Errorf("%d have faces, %d seen; want 1 and 612", len(faces), seen)
	}
	for _, parts := range []int{2, 7, 256} {
		if again, seen, _ := everybody(t, g, "finger", parts); !maps.Equal(again, fingers) || seen != 612 {
			t.Errorf("in %d parts: %d, %d seen", parts, len(again), seen)
		}
	}
	for _, parts := range []int{0, 257} {
		if _, _, err := g.Everybody(t.Context(), "finger", parts, nil); err == nil {
			t.Errorf("in %d parts", parts)
		}
	}
	unnamed := 0
	for at, n := range fingers {
		who, err := g.WhoIs(at)
		if err != nil || n != 1 {
			t.Fatalf("visited %d times, %v", n, err)
		}
		if !who.Named() {
			unnamed++
		}
		delete(want, who.Subject.Value)
	}
	if unnamed != 1 || len(want) != 0 {
		t.Errorf("%d without identifier, want the one enrolled before; %d were not named", unnamed, len(want))
	}
	if r := enrol(t, g, batch[0])[0]; r.Change != gallery.Unchanged {
		t.Errorf("enrolling the same again: %s", r.Change)
	}
	if r := enrol(t, g, small("BEFORE0"))[0]; r.Change != gallery.Updated {
		t.Errorf("enrolling who was there without an identifier: %s", r.Change)
	}
}

// TestErasedIsNobodysCandidate: erasure takes the identifier, and who was found before is found no more.
func TestErasedIsNobodysCandidate(t *testing.T) {
	g := identified(t, newDir(t))
	enrol(t, g, persons(0, 3)...)
	before, _, _ := everybody(t, g, "face", 3)
	if _, err := g.Erase(t.Context(), passport(1)); err != nil {
		t.Fatal(err)
	}
	after, seen, _ := everybody(t, g, "face", 3)
	if len(before) != 3 || len(after) != 2 || seen != 2 {
		t.Errorf("%d before and %d after, %d seen; want 3, 2, 2", len(before), len(after), seen)
	}
	gone := 0
	for at := range before {
		if _, err := g.WhoIs(at); errors.Is(err, gallery.ErrUnknownSubject) {
			gone++
		} else if err != nil {
			t.Error(err)
		}
	}
	if gone != 1 {
		t.Errorf("%d places lead to nobody, want 1", gone)
	}
	enrol(t, g, persons(0, 3)...)
	named := 0
	for at := range before {
		if who, err := g.WhoIs(at); err == nil && who.Named() {
			named++
		}
	}
	if named != 2 {
		t.Errorf("%d are still where they were, want 2: who is enrolled again is somebody else to who found the first", named)
	}
}

// TestStolenIdentifiers: who has the files does not have the identifiers that are kept.
func TestStolenIdentifiers(t *testing.T) {
	dir := newDir(t)
	g := identified(t, dir)
	enrol(t, g, persons(0, 20)...)
	var place gallery.Place
	_, _, err := g.Everybody(t.Context(), "face", 1, func(_ int, page []gallery.References) error { place = page[0].Place(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %x %+v %#v", place, place, place, place); strings.Contains(s, fmt.Sprintf("%x", place[:4])) {
		t.Error("a place is printed")
	}
	closeGallery(t, g)
	for i := range 20 {
		for form, secret := range forms([]byte(passport(i).Value)) {
			for name, content := range files(t, dir) {
				if bytes.Contains(content, secret) {
					t.Errorf("%s holds the identifier of person %d in %s", name, i, form)
				}
			}
		}
	}
}
