package gallery_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
)

func TestReopen(t *testing.T) {
	dir := newDir(t)
	for round := range 3 {
		g := openGallery(t, dir)
		if got := g.Subjects(); got != int64(5*round) {
			t.Fatalf("round %d: %d subjects, want %d", round, got, 5*round)
		}
		enrol(t, g, persons(5*round, 5*round+5)...)
		for i := range 5 * (round + 1) {
			check(t, g, person(i))
		}
		closeGallery(t, g)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700", info.Mode().Perm())
	}
}

// TestOpenBinding opens a folder with one thing different. Nothing else may happen
// to it: afterwards it opens as before.
func TestOpenBinding(t *testing.T) {
	tests := map[string]func(*gallery.Config){
		"root":          func(c *gallery.Config) { c.Root = testRoot(t, 9) },
		"pseudonym-key": func(c *gallery.Config) { c.Pseudonyms = testPseudonyms(t, 9) },
		"node":          func(c *gallery.Config) { c.Node = "https://uzb.example" },
		"longer-node":   func(c *gallery.Config) { c.Node += "/" },
		"swapped-keys": func(c *gallery.Config) {
			c.Root, c.Pseudonyms = testRoot(t, 2), testPseudonyms(t, 1)
		},
	}
	for _, enrolled := range []int{0, 3} {
		dir := newDir(t)
		g := openGallery(t, dir)
		enrol(t, g, persons(0, enrolled)...)
		closeGallery(t, g)
		for name, edit := range tests {
			if enrolled == 0 && name == "pseudonym-key" {
				continue // nobody lies under it yet
			}
			cfg := testConfig(t, dir)
			edit(&cfg)
			if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) {
				t.Errorf("%d enrolled, another %s: %v, want ErrDamaged", enrolled, name, err)
			}
		}
		g = openGallery(t, dir)
		for i := range enrolled {
			check(t, g, person(i))
		}
		closeGallery(t, g)
	}
}

func TestOpenLocked(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, person(0))
	if _, err := gallery.Open(testConfig(t, dir)); !errors.Is(err, gallery.ErrLocked) {
		t.Errorf("second open: %v, want ErrLocked", err)
	}
	// Not even who has other keys learns more.
	cfg := testConfig(t, dir)
	cfg.Root = testRoot(t, 9)
	if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrLocked) {
		t.Errorf("second open with another root: %v, want ErrLocked", err)
	}
	enrol(t, g, person(1))
	closeGallery(t, g)
	g = openGallery(t, dir)
	check(t, g, person(1))
}

func TestOpenConfig(t *testing.T) {
	wiped := testRoot(t, 1)
	wiped.Wipe()
	tests := map[string]struct {
		edit func(*gallery.Config)
		want string
	}{
		"dir":        {func(c *gallery.Config) { c.Dir = "" }, "folder"},
		"node":       {func(c *gallery.Config) { c.Node = "" }, "entity identifier"},
		"root":       {func(c *gallery.Config) { c.Root = custody.Root{} }, "root key"},
		"wiped-root": {func(c *gallery.Config) { c.Root = wiped }, "root key"},
		"ring":       {func(c *gallery.Config) { c.Ring = nil }, "key ring"},
		"pseudonyms": {func(c *gallery.Config) { c.Pseudonyms = nil }, "pseudonym key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, newDir(t))
			dir := cfg.Dir
			tt.edit(&cfg)
			_, err := gallery.Open(cfg)
			if err == nil || errors.Is(err, gallery.ErrDamaged) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a fault about %q", err, tt.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a refused configuration made the folder: %v", err)
			}
		})
	}
	if _, err := gallery.Open(gallery.Config{}); err == nil || strings.Count(err.Error(), "given") != 5 {
		t.Errorf("the zero configuration: %v, want every fault", err)
	}
}

// TestOpenElsewhere opens what cannot be a gallery. That is no damage.
func TestOpenElsewhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, err := gallery.Open(testConfig(t, dir))
		if err == nil || errors.Is(err, gallery.ErrDamaged) || errors.Is(err, gallery.ErrLocked) {
			t.Errorf("got %v, want the file system's error", err)
		}
	}
}

func TestRootMayBeWiped(t *testing.T) {
	cfg := testConfig(t, newDir(t))
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Root.Wipe()
	enrol(t, g, person(0))
	check(t, g, person(0))
	closeGallery(t, g)
}

func TestClosed(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, person(0))
	refs, err := g.References(passport(0), "finger")
	if err != nil {
		t.Fatal(err)
	}
	closeGallery(t, g)
	if err := g.Close(); !errors.Is(err, gallery.ErrClosed) {
		t.Errorf("second Close: %v, want ErrClosed", err)
	}
	if _, err := g.References(passport(0), "finger"); !errors.Is(err, gallery.ErrClosed) {
		t.Errorf("References: %v, want ErrClosed", err)
	}
	// What was looked up before is of that moment.
	visited := 0
	if err := refs.Each(func(gallery.Template) error { visited++; return nil }); visited != 2 || err != nil {
		t.Errorf("Each: visited %d, %v", visited, err)
	}
	refs.Close()
	visit := func(gallery.Template) error { t.Error("visited"); return nil }
	if err := refs.Each(visit); err == nil {
		t.Error("Each after Close of the references: no error")
	}
	results, err := g.Enrol(t.Context(), persons(1, 3))
	if !errors.Is(err, gallery.ErrClosed) || len(results) != 2 || results[0].Change != gallery.Failed {
		t.Errorf("Enrol: %v, %v, want ErrClosed", results, err)
	}
	if g.Subjects() != 1 {
		t.Errorf("%d subjects, want 1", g.Subjects())
	}
}

func TestReferences(t *testing.T) {
	g := openGallery(t, newDir(t))
	e := person(0)
	enrol(t, g, e)
	t.Run("unknown", func(t *testing.T) {
		refs, err := g.References(passport(1), "finger")
		if err != nil || refs.Known || refs.Len() != 0 || refs.Holder != "" {
			t.Errorf("known %v, %d records, %v", refs.Known, refs.Len(), err)
		}
		if err := refs.Each(func(gallery.Template) error { return errors.New("visited") }); err != nil {
			t.Error(err)
		}
		refs.Close()
		gallery.References{}.Close()
	})
	t.Run("other-modality", func(t *testing.T) {
		refs, err := g.References(passport(0), "iris")
		if err != nil || !refs.Known || refs.Len() != 0 || refs.Holder != e.Holder {
			t.Errorf("known %v, %d records, %v; want a known subject without records", refs.Known, refs.Len(), err)
		}
		refs.Close()
	})
	t.Run("malformed", func(t *testing.T) {
		id := passport(0)
		id.Value += "\x00canary"
		_, err := g.References(id, "finger")
		if !errors.Is(err, pseudonym.ErrIdentifier) || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v, want ErrIdentifier without the value", err)
		}
	})
	t.Run("spelling", func(t *testing.T) {
		id := passport(0)
		id.Value = " " + strings.ToLower(id.Value[:3]) + "-" + id.Value[3:]
		if h, err := look(g, id, "face"); err != nil || !h.known || len(h.templates) != 1 {
			t.Errorf("known %v, %d templates, %v", h.known, len(h.templates), err)
		}
	})
	t.Run("wiped", func(t *testing.T) {
		refs, err := g.References(passport(0), "finger")
		if err != nil {
			t.Fatal(err)
		}
		var kept [][]byte
		if err := refs.Each(func(t gallery.Template) error { kept = append(kept, t.Data); return nil }); err != nil {
			t.Fatal(err)
		}
		for _, b := range kept {
			for _, octet := range b {
				if octet != 0 {
					t.Fatal("a template outlived its visit")
				}
			}
		}
		refs.Close()
		if err := refs.Each(func(gallery.Template) error { return nil }); err == nil {
			t.Error("records opened after Close")
		}
	})
	t.Run("stop", func(t *testing.T) {
		refs, err := g.References(passport(0), "finger")
		if err != nil {
			t.Fatal(err)
		}
		defer refs.Close()
		enough, visits := errors.New("enough"), 0
		err = refs.Each(func(gallery.Template) error { visits++; return enough })
		if err != enough || visits != 1 {
			t.Errorf("%d visits, %v; want 1 and visit's own error", visits, err)
		}
	})
}
