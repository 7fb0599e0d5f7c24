package gallery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/renewal"
)

// ringOf is a ring of some generations, the last one current. Generation 1 is that
// of testRing(3).
func ringOf(t *testing.T, generations ...uint32) *envelope.Ring {
	t.Helper()
	keks := make(map[uint32][]byte)
	for _, g := range generations {
		keks[g] = bytes.Repeat([]byte{byte(g + 2)}, 32)
	}
	r, err := envelope.NewRing(keks, generations[len(generations)-1])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func smalls(from, to int) []gallery.Enrolment {
	var es []gallery.Enrolment
	for i := from; i < to; i++ {
		es = append(es, small(fmt.Sprintf("R%d", i)))
	}
	return es
}

// readable counts how many of the subjects' records the gallery gives.
func readable(t *testing.T, g *gallery.Gallery, es []gallery.Enrolment) int {
	t.Helper()
	n := 0
	for _, e := range es {
		h, err := look(g, e.Subject, "finger")
		if err != nil && !errors.Is(err, gallery.ErrDamaged) {
			t.Fatal(err)
		}
		if err == nil && len(h.templates) == 1 && bytes.Equal(h.templates[0].Data, e.Templates[0].Data) {
			n++
		}
	}
	return n
}

// TestRewrapAll moves a gallery to another KEK while people are enrolled, destroys
// the old one, and tries what a copy of the folder from before is worth then.
func TestRewrapAll(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, smalls(0, 150)...)
	closeGallery(t, g)
	stolen := filepath.Join(t.TempDir(), "stolen")
	if err := os.CopyFS(stolen, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}

	g = openGallery(t, dir)
	g.UseRing(ringOf(t, 1, 2))
	var enrolling sync.WaitGroup
	enrolling.Go(func() {
		for i := 150; i < 200; i++ {
			if _, err := g.Enrol(t.Context(), smalls(i, i+1)); err != nil {
				t.Error(err)
			}
		}
	})
	var steps []uint64
	n, err := g.RewrapAll(t.Context(), func(done renewal.Rewrapped) { steps = append(steps, done.Subjects) })
	if err != nil || n.Subjects != 150 || n.Looked < 150 || len(steps) < 3 || steps[len(steps)-1] != 150 {
		t.Errorf("rewrapped %+v in steps %d, %v; want 150", n, steps, err)
	}
	enrolling.Wait()
	if n, err := g.RewrapAll(t.Context(), nil); n.Subjects != 0 || err != nil {
		t.Errorf("again: %+v, %v; want 0", n, err)
	}
	closeGallery(t, g)

	cfg := testConfig(t, dir)
	cfg.Ring = ringOf(t, 2)
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	if n := readable(t, g, smalls(0, 200)); n != 200 {
		t.Errorf("%d of 200 subjects are readable without the old generation", n)
	}
	closeGallery(t, g)

	// Root key, pseudonym key and the present KEKs do not open the copy.
	cfg.Dir = stolen
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	if n := readable(t, g, smalls(0, 150)); n != 0 {
		t.Errorf("%d subjects of a copy from before are readable after their generation was destroyed", n)
	}
	closeGallery(t, g)
}

// TestRewrapResumed stops in the middle and goes on after a restart.
func TestRewrapResumed(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, smalls(0, 150)...)
	g.UseRing(ringOf(t, 1, 2))
	ctx, cancel := context.WithCancel(t.Context())
	first, err := g.RewrapAll(ctx, func(renewal.Rewrapped) { cancel() })
	if !errors.Is(err, context.Canceled) || first.Subjects == 0 || first.Subjects == 150 {
		t.Fatalf("stopped after %+v: %v", first, err)
	}
	closeGallery(t, g)
	cfg := testConfig(t, dir)
	cfg.Ring = ringOf(t, 1, 2)
	if g, err = gallery.Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer closeGallery(t, g)
	if n, err := g.RewrapAll(t.Context(), nil); err != nil || first.Subjects+n.Subjects != 150 {
		t.Errorf("then %+v, %v; want %d", n, err, 150-first.Subjects)
	}
	if n := readable(t, g, smalls(0, 150)); n != 150 {
		t.Errorf("%d of 150 subjects are readable", n)
	}
}

// TestRewrapLosesNobody: a scan that ends early over damage, as Badger's do, is not taken
// for the end.
func TestRewrapLosesNobody(t *testing.T) {
	cfg, store := testConfig(t, newDir(t)), new(gallery.Flaky)
	store.Break(&cfg)
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeGallery(t, g)
	enrol(t, g, smalls(0, 150)...)
	g.UseRing(ringOf(t, 1, 2))
	seen := 0
	store.Stop = func(key []byte) bool { seen++; return key[0] == 'k' && seen > 100 }
	if n, err := g.RewrapAll(t.Context(), nil); !errors.Is(err, gallery.ErrDamaged) || n.Subjects == 150 {
		t.Errorf("rewrapped %+v, %v; want ErrDamaged", n, err)
	}
}

// TestOlderKeys puts back the KEKs of before one was replaced: nobody is enrolled under
// them, and nobody is called damaged for want of the others.
func TestOlderKeys(t *testing.T) {
	for name, replace := range map[string]func(*gallery.Gallery) error{
		"rewrapped": func(g *gallery.Gallery) error { _, err := g.RewrapAll(t.Context(), nil); return err },
		"enrolled":  func(g *gallery.Gallery) error { _, err := g.Enrol(t.Context(), smalls(4, 5)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, newDir(t))
			g := openGallery(t, cfg.Dir)
			enrol(t, g, smalls(0, 3)...)
			g.UseRing(ringOf(t, 1, 2))
			if err := replace(g); err != nil {
				t.Fatal(err)
			}
			if err := g.Accepts(testRing(t, 3), nil); !errors.Is(err, gallery.ErrOlderKeys) {
				t.Errorf("the open gallery: got %v, want ErrOlderKeys", err)
			}
			if err := g.Accepts(ringOf(t, 2), nil); err != nil {
				t.Error(err)
			}
			g.UseRing(testRing(t, 3))
			if r, err := g.Enrol(t.Context(), smalls(3, 4)); err != nil || !errors.Is(r[0].Err, gallery.ErrOlderKeys) {
				t.Errorf("enrolled under the older KEK: %v, %v; want ErrOlderKeys", r, err)
			}
			closeGallery(t, g)

			if g, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrOlderKeys) || errors.Is(err, gallery.ErrDamaged) {
				t.Fatalf("opened %v, %v; want ErrOlderKeys", g, err)
			}
			if r, err := gallery.Fsck(t.Context(), cfg, nil); !errors.Is(err, gallery.ErrOlderKeys) || len(r.Damaged) != 0 {
				t.Errorf("checked: %+v, %v; want ErrOlderKeys", r, err)
			}
			cfg.Ring = ringOf(t, 1, 2)
			g, err := gallery.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if n := readable(t, g, smalls(0, 3)); n != 3 {
				t.Errorf("%d of 3 subjects are readable with the newer keys", n)
			}
			closeGallery(t, g)
		})
	}
}
