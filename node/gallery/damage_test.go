package gallery_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// image is a folder's files, without the zeros that preallocated ones end in.
type image map[string]stored

type stored struct {
	used []byte
	size int64
}

func imageOf(tb testing.TB, dir string) image {
	tb.Helper()
	m := make(image)
	for name, b := range files(tb, dir) {
		m[name] = stored{bytes.TrimRight(b, "\x00"), int64(len(b))}
	}
	return m
}

// restore makes dir the image again, with the used part of one file replaced.
func (m image) restore(tb testing.TB, dir, name string, used []byte) {
	tb.Helper()
	if err := os.RemoveAll(dir); err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	for n, s := range m {
		b := s.used
		if n == name {
			b = used
		}
		path := filepath.Join(dir, n)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			tb.Fatal(err)
		}
		if err := os.Truncate(path, s.size); err != nil {
			tb.Fatal(err)
		}
	}
}

func (m image) names() []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// damageSet is what is enrolled in the images: with records of all sizes, added in
// two steps so that keyrings were rewritten.
func damageSet() []gallery.Enrolment {
	es := persons(0, 6)
	for i := range 12 {
		es = append(es, crashed(fmt.Sprint("D", i)))
	}
	return es
}

// images are the folder after Close, with everything in tables, and as a crash
// leaves it, with everything in write-ahead logs.
func images(tb testing.TB) map[string]image {
	tb.Helper()
	dir := newDir(tb)
	g := openGallery(tb, dir)
	for _, e := range damageSet() {
		first := e
		first.Templates = e.Templates[:1]
		enrol(tb, g, first)
	}
	enrol(tb, g, damageSet()...)
	crashedDir := imageOf(tb, dir)
	closeGallery(tb, g)
	return map[string]image{"crashed": crashedDir, "closed": imageOf(tb, dir)}
}

// verdict opens a damaged folder and looks everyone up. It fails if an enrolled
// subject is unknown, or has other records than enrolled.
func verdict(t *testing.T, dir string) string {
	t.Helper()
	g, err := gallery.Open(testConfig(t, dir))
	if err != nil {
		if !errors.Is(err, gallery.ErrDamaged) {
			t.Errorf("opening: %v, want ErrDamaged", err)
		}
		return "refused"
	}
	defer g.Close()
	result := "harmless"
	for i, e := range damageSet() {
		for _, modality := range []string{"face", "finger"} {
			h, err := look(g, e.Subject, modality)
			switch {
			case errors.Is(err, gallery.ErrDamaged):
				result = "reported"
			case err != nil:
				t.Errorf("subject %d: %v, want ErrDamaged", i, err)
			case !h.known:
				t.Errorf("subject %d is unknown", i)
			case h.holder != e.Holder || !sameTemplates(h.templates, modality, e.Templates):
				t.Errorf("subject %d has %d other templates", i, len(h.templates))
			}
		}
	}
	if g.Subjects() != int64(len(damageSet())) {
		t.Errorf("%d subjects", g.Subjects())
	}
	return result
}

// TestFlip flips one bit at a time in every file.
func TestFlip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for state, m := range images(t) {
		dir := newDir(t)
		m.restore(t, dir, "", nil)
		if got := verdict(t, dir); got != "harmless" {
			t.Fatalf("%s, nothing changed: %s", state, got)
		}
		for _, name := range m.names() {
			used := m[name].used
			counts := make(map[string]int)
			for n := range 24 {
				if len(used) == 0 {
					continue
				}
				at := random.IntN(len(used))
				switch {
				case n < 6:
					at = min(n*5, len(used)-1) // headers
				case n < 12:
					at = max(len(used)-1-(n-6)*2, 0) // the ends of tables
				}
				b := bytes.Clone(used)
				b[at] ^= 1 << random.IntN(8)
				m.restore(t, dir, name, b)
				got := verdict(t, dir)
				if t.Failed() {
					t.Fatalf("%s: byte %d of %d of %s", state, at, len(used), name)
				}
				counts[got]++
			}
			t.Logf("%s: %-16s %6d bytes: %v", state, name, len(used), counts)
		}
	}
}

// TestLoss removes or cuts each file.
func TestLoss(t *testing.T) {
	for state, m := range images(t) {
		dir := newDir(t)
		for _, name := range m.names() {
			used := m[name].used
			cuts := []int{0, len(used) / 2, len(used) - 1}
			if len(used) == 0 {
				cuts = nil
			}
			counts := make(map[string]int)
			for _, n := range cuts {
				m.restore(t, dir, name, used[:n])
				counts[verdict(t, dir)]++
				m.restore(t, dir, name, used[:n])
				if err := os.Truncate(filepath.Join(dir, name), int64(n)); err != nil {
					t.Fatal(err)
				}
				counts[verdict(t, dir)]++
				if t.Failed() {
					t.Fatalf("%s: %s cut to %d of %d", state, name, n, len(used))
				}
			}
			m.restore(t, dir, "", nil)
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			counts["without: "+verdict(t, dir)]++
			if t.Failed() {
				t.Fatalf("%s: without %s", state, name)
			}
			t.Logf("%s: %-16s %6d bytes: %v", state, name, len(used), counts)
		}
	}
}

// TestTallyFile damages the file beside the store.
func TestTallyFile(t *testing.T) {
	m := images(t)["closed"]
	whole := append(m[tally.Name].used, make([]byte, 2*tally.Step)...)
	whole = whole[:2*tally.Step]
	without := func(slot int) []byte {
		b := bytes.Clone(whole)
		clear(b[slot*tally.Step:][:tally.Size])
		return b
	}
	dir := newDir(t)
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"first-torn":  {without(0), "harmless"},
		"second-torn": {without(1), "harmless"},
		"both-torn":   {make([]byte, len(whole)), "refused"},
		"short":       {whole[:tally.Size-1], "refused"},
		"empty":       {nil, "refused"},
		"other":       {bytes.Repeat([]byte("x"), len(whole)), "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			m.restore(t, dir, "", nil)
			if err := os.WriteFile(filepath.Join(dir, tally.Name), tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := verdict(t, dir); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestRolledBackStore puts back the store and not the file beside it.
func TestRolledBackStore(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, damageSet()...)
	closeGallery(t, g)
	before := imageOf(t, dir)
	g = openGallery(t, dir)
	enrol(t, g, person(100))
	closeGallery(t, g)
	beside, err := os.ReadFile(filepath.Join(dir, tally.Name))
	if err != nil {
		t.Fatal(err)
	}
	before.restore(t, dir, tally.Name, beside)
	_, err = gallery.Open(testConfig(t, dir))
	if !errors.Is(err, gallery.ErrDamaged) || !strings.Contains(err.Error(), "acknowledged") {
		t.Errorf("got %v, want ErrDamaged for acknowledged commits", err)
	}
}
