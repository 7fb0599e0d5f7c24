package gallery_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/fsck"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

func examined(t *testing.T, dir string) fsck.Report {
	t.Helper()
	r, err := gallery.Fsck(t.Context(), testConfig(t, dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFsckFlip flips bits in every file of a folder: whatever [gallery.Open] or a look-up
// refuses, a check finds, and it changes nothing.
func TestFsckFlip(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for state, m := range images(t) {
		dir := newDir(t)
		m.restore(t, dir, "", nil)
		if err := os.WriteFile(erasure.File(dir), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := examined(t, dir); !r.Sound() || int(r.Subjects) != len(damageSet()) || r.Records == 0 {
			t.Fatalf("%s, nothing changed: %+v", state, r)
		}
		for _, name := range m.names() {
			used := m[name].used
			counts := make(map[string]int)
			for range 3 {
				if len(used) == 0 {
					continue
				}
				at := random.IntN(len(used))
				b := bytes.Clone(used)
				b[at] ^= 1 << random.IntN(8)
				m.restore(t, dir, name, b)
				before := written(t, dir)
				r := examined(t, dir)
				if after := written(t, dir); !maps.Equal(before, after) {
					t.Errorf("%s: the check of a damaged %s changed the folder", state, name)
				}
				got := verdict(t, dir)
				if got != "harmless" && r.Sound() {
					t.Errorf("%s: byte %d of %d of %s: %s, and the check found nothing", state, at, len(used), name, got)
				}
				switch {
				case r.Sound() && len(r.Faults) == 0:
					got += ", not seen"
				case r.Sound():
					got += ", torn"
				}
				counts[got]++
			}
			t.Logf("%s: %-16s %6d bytes: %v", state, name, len(used), counts)
		}
	}
}

// written are the sizes of a folder's files, and when they were written.
func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]string)
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		m[f.Name()] = fmt.Sprint(info.Size(), info.ModTime())
	}
	return m
}

// TestFsckExact damages one subject's row at a time under an open gallery: the check names
// it by the same handle, and which part of it.
func TestFsckExact(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, persons(0, 4)...)
	handles := make(map[string]bool)
	for i := range 3 {
		stamp, keyring, record := g.Keys(passport(i))
		for part, key := range map[string][]byte{"keyring": keyring, "record": record(1)} {
			restore := flipRow(t, g, key)
			r, err := g.Fsck(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sound() || len(r.Damaged) != 1 || r.Damaged[0].Part != part || part == "record" && r.Damaged[0].Place != 1 || r.Missing != 0 || r.Behind {
				t.Errorf("subject %d, %s: %+v", i, part, r)
			} else {
				handles[r.Damaged[0].Subject] = true
			}
			restore()
		}
		restore := remove(t, g, stamp)
		r, err := g.Fsck(t.Context(), nil)
		if err != nil || len(r.Damaged) != 1 || r.Damaged[0].Part != "stamp" || r.Missing != 1 {
			t.Errorf("subject %d without stamp: %+v, %v", i, r, err)
		}
		restoreKeyring := remove(t, g, keyring)
		r, err = g.Fsck(t.Context(), nil)
		if err != nil || len(r.Damaged) != 0 || r.Missing != 1 || r.Sound() {
			t.Errorf("subject %d gone: %+v, %v", i, r, err)
		}
		restoreKeyring()
		restore()
	}
	if len(handles) != 3 {
		t.Errorf("%d handles of 3 subjects", len(handles))
	}
	for h := range handles {
		if strings.Contains(h, people.Person(0).PassportNumber) || len(h) != 20 {
			t.Errorf("handle %q", h)
		}
	}
	if r, err := g.Fsck(t.Context(), nil); err != nil || !r.Sound() || r.Subjects != 4 || r.Records != 12 {
		t.Errorf("put back: %+v, %v", r, err)
	}
}

// TestFsckFiles damages what lies beside the store.
func TestFsckFiles(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, persons(0, 3)...)
	if _, err := g.Erase(t.Context(), passport(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := gallery.Fsck(t.Context(), testConfig(t, dir), nil); err == nil {
		t.Error("a folder that is open was checked as one that is not")
	}
	closeGallery(t, g)
	for name, tt := range map[string]struct {
		path, want string
		edit       func([]byte) []byte
	}{
		"erasures-flipped": {erasure.File(dir), "entry 0", func(b []byte) []byte { b[20] ^= 1; return b }},
		"erasures-cut":     {erasure.File(dir), "1 entries are missing", func([]byte) []byte { return nil }},
		"tally-other":      {filepath.Join(dir, tally.Name), "damaged", func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }},
		"tally-torn":       {filepath.Join(dir, tally.Name), "one of its two copies", func(b []byte) []byte { b[0] ^= 1; return b }},
		"manifest":         {filepath.Join(dir, "MANIFEST"), "", func(b []byte) []byte { b[17] ^= 1; return b }},
	} {
		t.Run(name, func(t *testing.T) {
			was, err := os.ReadFile(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(tt.path, tt.edit(slices.Clone(was)), 0o600); err != nil {
				t.Fatal(err)
			}
			r := examined(t, dir)
			if len(r.Faults) == 0 || !strings.Contains(r.Faults[0].Rule, tt.want) || r.Sound() != (name == "tally-torn") {
				t.Errorf("%+v", r)
			}
			if err := os.WriteFile(tt.path, was, 0o600); err != nil {
				t.Fatal(err)
			}
			if r := examined(t, dir); !r.Sound() {
				t.Errorf("put back: %+v", r)
			}
		})
	}
	for _, path := range []string{erasure.File(dir), filepath.Join(dir, tally.Name)} {
		if err := os.Rename(path, path+"-away"); err != nil {
			t.Fatal(err)
		}
		if r := examined(t, dir); r.Sound() || len(r.Faults) != 1 || r.Faults[0].Rule != "missing" {
			t.Errorf("%+v", r)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the check made the file")
		}
		if err := os.Rename(path+"-away", path); err != nil {
			t.Fatal(err)
		}
	}
}

// flipRow flips a bit of a row's value and returns what undoes it.
func flipRow(t *testing.T, g *gallery.Gallery, key []byte) (undo func()) {
	t.Helper()
	rows := entries{t, g.DB()}
	was := bytes.Clone(rows.value(key))
	bad := bytes.Clone(was)
	bad[len(bad)-1] ^= 1
	rows.set(key, bad)
	return func() { rows.set(key, was) }
}

// remove takes a row away and returns what undoes it.
func remove(t *testing.T, g *gallery.Gallery, key []byte) (undo func()) {
	t.Helper()
	rows := entries{t, g.DB()}
	was := bytes.Clone(rows.value(key))
	rows.remove(key)
	return func() { rows.set(key, was) }
}
